package dev.twinrank.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.probe.Client.Reply;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ProbeMainTest {
  @Test
  void aForkedProbeAnswersOnStdoutAndNothingElseIsThere() throws IOException, InterruptedException {
    Process probe = fork();
    try (OutputStream in = probe.getOutputStream();
        InputStream out = probe.getInputStream()) {
      Client client = new Client(frame -> exchange(in, out, frame));

      assertTrue(client.load().ok());
      assertTrue(client.ask("{\"op\": \"score\"}", Tiny.requests().get(0)).ok());
      assertEquals(
          "scoring:invalid_json", client.ask("{\"op\": \"score\"}", new byte[] {'{'}).code());
      assertTrue(client.ask("{\"op\": \"bye\"}").ok());

      assertEquals(-1, out.read());
      assertTrue(probe.waitFor(60, TimeUnit.SECONDS));
      assertEquals(0, probe.exitValue());
    } finally {
      probe.destroyForcibly();
    }
  }

  @Test
  void theEndOfTheInputEndsItWithZero() throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();

    assertEquals(0, ProbeMain.run(new ByteArrayInputStream(new byte[0]), out));
    assertEquals(0, out.size());
  }

  @Test
  void inputThatIsNoFrameIsAnsweredOnceAndEndsIt() throws IOException {
    byte[] text = "hello, world\n".getBytes(StandardCharsets.US_ASCII);
    ByteArrayOutputStream out = new ByteArrayOutputStream();

    assertEquals(ProbeMain.LOST_SYNC, ProbeMain.run(new ByteArrayInputStream(text), out));
    Reply reply = Client.reply(out.toByteArray());
    assertEquals("protocol:invalid_frame", reply.code());
  }

  @Test
  void whatFollowsByeIsNotRead() throws IOException {
    byte[] bye = Frame.ofHeader("{\"op\": \"bye\"}".getBytes(StandardCharsets.UTF_8)).encode();
    byte[] input = new byte[2 * bye.length];
    System.arraycopy(bye, 0, input, 0, bye.length);
    System.arraycopy(bye, 0, input, bye.length, bye.length);
    InputStream in = new ByteArrayInputStream(input);

    assertEquals(0, ProbeMain.run(in, new ByteArrayOutputStream()));
    assertEquals(bye.length, in.available());
  }

  private static Process fork() throws IOException {
    return new ProcessBuilder(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                ProbeMain.class.getName()))
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }

  private static byte[] exchange(OutputStream in, InputStream out, byte[] frame) {
    try {
      in.write(frame);
      in.flush();
      return Frame.readFrom(out).orElseThrow();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
