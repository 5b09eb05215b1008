package dev.twinrank.gateway;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/**
 * What Python's py4j sends and reads, by hand: a command is its name and its arguments a line each
 * and a line {@code e}; an answer is one line, {@code !y} for success and {@code !x} for an error,
 * then its type and value. The entry point is the object {@code t}; bytes are base64 after a {@code
 * j}.
 */
final class PythonSide implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Socket socket;
  private final BufferedReader in;
  private final OutputStream out;

  PythonSide(int port) throws IOException {
    socket = new Socket(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), port);
    in = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
    out = socket.getOutputStream();
  }

  /** Shows the token and returns the answer: {@code !yv} if it is right. */
  String authenticate(String token) throws IOException {
    return command("A\n" + token + "\n");
  }

  /**
   * Calls {@code entry_point.handle} with a frame of this header and body, and returns the
   * response's header.
   */
  JsonNode handle(String header, byte[] body) throws IOException {
    byte[] text = header.getBytes(StandardCharsets.UTF_8);
    byte[] frame =
        ByteBuffer.allocate(2 * Integer.BYTES + text.length + body.length)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putInt(text.length)
            .put(text)
            .putInt(body.length)
            .put(body)
            .array();
    String answer =
        command("c\nt\nhandle\nj" + Base64.getEncoder().encodeToString(frame) + "\ne\n");
    if (!answer.startsWith("!yj")) {
      throw new IOException("the gateway answered " + answer);
    }
    ByteBuffer response =
        ByteBuffer.wrap(Base64.getDecoder().decode(answer.substring(3)))
            .order(ByteOrder.LITTLE_ENDIAN);
    byte[] responseHeader = new byte[response.getInt()];
    response.get(responseHeader);
    return JSON.readTree(responseHeader);
  }

  String command(String lines) throws IOException {
    out.write(lines.getBytes(StandardCharsets.UTF_8));
    out.flush();
    return String.valueOf(in.readLine());
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
