package dev.twinrank.gateway;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import javax.net.ServerSocketFactory;

/**
 * Makes server sockets whose connections send at once.
 *
 * <p>Py4J writes an answer in two pieces, and the kernel holds the second back until the client has
 * acknowledged the first, which it delays by about 40 ms (Nagle's algorithm against delayed
 * acknowledgement, RFC 896 and RFC 1122 section 4.2.3.2).
 */
final class PromptSockets extends ServerSocketFactory {
  @Override
  public ServerSocket createServerSocket() throws IOException {
    return new PromptServerSocket();
  }

  @Override
  public ServerSocket createServerSocket(int port) throws IOException {
    return createServerSocket(port, 0, null);
  }

  @Override
  public ServerSocket createServerSocket(int port, int backlog) throws IOException {
    return createServerSocket(port, backlog, null);
  }

  @Override
  public ServerSocket createServerSocket(int port, int backlog, InetAddress address)
      throws IOException {
    return new PromptServerSocket(port, backlog, address);
  }

  private static final class PromptServerSocket extends ServerSocket {
    PromptServerSocket() throws IOException {}

    PromptServerSocket(int port, int backlog, InetAddress address) throws IOException {
      super(port, backlog, address);
    }

    @Override
    public Socket accept() throws IOException {
      Socket socket = super.accept();
      socket.setTcpNoDelay(true);
      return socket;
    }
  }
}
