package dev.twinrank.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/** What the driver says of requests without an answer, by servers that misbehave on purpose. */
class TroubleTest {
  private static final String ANSWER = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

  /** What a server does with a connection. */
  private interface Manner {
    void with(Socket socket) throws Exception;
  }

  private static Run against(Manner manner, String phase, String... more) throws IOException {
    try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      Thread thread =
          new Thread(
              () -> {
                while (!server.isClosed()) {
                  try {
                    Socket socket = server.accept();
                    Thread each = new Thread(() -> leave(manner, socket));
                    each.setDaemon(true);
                    each.start();
                  } catch (SocketException e) {
                    return; // the test is over
                  } catch (IOException e) {
                    throw new UncheckedIOException(e);
                  }
                }
              });
      thread.setDaemon(true);
      thread.start();
      String[] all = new String[6 + more.length];
      all[0] = "--url";
      all[1] = "http://127.0.0.1:" + server.getLocalPort() + "/";
      all[2] = "--connections";
      all[3] = "1";
      all[4] = "--phase";
      all[5] = phase;
      System.arraycopy(more, 0, all, 6, more.length);
      return Run.of(all);
    }
  }

  private static void leave(Manner manner, Socket socket) {
    try (socket) {
      manner.with(socket);
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  private static String request(Socket socket) throws IOException {
    InputStream in = socket.getInputStream();
    StringBuilder head = new StringBuilder();
    while (!head.toString().endsWith("\r\n\r\n")) {
      int c = in.read();
      if (c < 0) {
        return "";
      }
      head.append((char) c);
    }
    return head.toString();
  }

  private static void answer(Socket socket, String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
    socket.getOutputStream().flush();
  }

  private static String errors(Run run) {
    return run.phase("warm").get("errors").toString();
  }

  @Test
  void aRequestThatWasReadAndNotAnsweredIsLost() throws IOException {
    Run run = against(TroubleTest::request, "warm=x1,3");
    assertEquals("{\"lost\":3}", errors(run));
  }

  @Test
  void anAnswerThatEndsInTheMiddleIsLost() throws IOException {
    Run run =
        against(
            socket -> {
              request(socket);
              answer(socket, ANSWER.substring(0, ANSWER.length() - 1));
            },
            "warm=x1,3");
    assertEquals("{\"lost\":3}", errors(run));
  }

  @Test
  void aRequestThatNobodyReadIsUnread() throws IOException {
    CountDownLatch arrived = new CountDownLatch(1);
    Run run =
        against(
            socket -> {
              // The request lies in the socket's buffer, so that closing it sends a reset.
              while (socket.getInputStream().available() == 0) {
                Thread.onSpinWait();
              }
              arrived.countDown();
            },
            "warm=x1,1");
    assertEquals(0, arrived.getCount());
    assertEquals("{\"unread\":1}", errors(run));
  }

  @Test
  @EnabledOnOs(OS.LINUX) // elsewhere the kernel's view of a connection cannot be asked for
  void aRequestThatCrossesTheEndOfTheConnectionIsUnreadAndNeverLost() throws IOException {
    Run run =
        against(
            socket -> {
              request(socket);
              answer(socket, ANSWER); // and the connection ends, while the client sends the next
            },
            "warm=x1,200");
    JsonNode phase = run.phase("warm");
    int unread = phase.at("/errors/unread").asInt();
    assertEquals(200, phase.get("answered").asInt() + unread);
    assertTrue(phase.at("/errors/lost").isMissingNode(), errors(run));
  }

  @Test
  void aServerThatIsNotThereIsNoConnection() throws IOException {
    int port;
    try (ServerSocket taken = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      port = taken.getLocalPort();
    }
    Run run = Run.of("--url", "http://127.0.0.1:" + port + "/", "--phase", "warm=100/s,5");
    assertEquals("{\"connect\":5}", errors(run));
  }

  @Test
  void anAnswerThatDoesNotComeIsGivenUpAndTheNextRequestHasAConnectionAgain() throws IOException {
    Run run =
        against(
            socket -> {
              request(socket);
              request(socket); // until the client gives up
            },
            "warm=x1,2",
            "--timeout",
            "0.2");
    assertEquals("{\"timeout\":2}", errors(run));
  }

  @Test
  void whatIsNoHttpIsSaidToBe() throws IOException {
    Run run =
        against(
            socket -> {
              request(socket);
              answer(socket, "hello\r\n\r\n");
            },
            "warm=x1,2");
    assertEquals("{\"protocol\":2}", errors(run));
  }

  @Test
  void aConnectionThatTheServerEndsAfterAnAnswerIsReplaced() throws IOException {
    Run run =
        against(
            socket -> {
              request(socket);
              answer(socket, ANSWER.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"));
            },
            "warm=x1,20");
    assertEquals(20, run.phase("warm").get("answered").asInt());
    assertEquals("{}", errors(run));
  }

  /**
   * The first answer takes 300 ms, and 100 requests a second are due meanwhile. Timed from when
   * they were sent they would all look fast.
   */
  @Test
  void aPauseOfTheServerIsInTheLatencyOfEveryRequestThatWasDueInIt() throws IOException {
    Run run =
        against(
            socket -> {
              boolean first = true;
              while (!request(socket).isEmpty()) {
                if (first) {
                  Thread.sleep(300); // the pause that is measured
                  first = false;
                }
                answer(socket, ANSWER);
              }
            },
            "warm=100/s,30");
    JsonNode latency = run.phase("warm").at("/latency_us/admitted");
    assertTrue(latency.get("max").asDouble() >= 290_000, latency.toString());
    // Of those due in the first 150 ms, 15 of 30, each waited 150 ms or more.
    assertTrue(latency.get("p50").asDouble() >= 140_000, latency.toString());
  }
}
