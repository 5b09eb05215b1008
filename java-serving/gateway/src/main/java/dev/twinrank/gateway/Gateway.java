package dev.twinrank.gateway;

import dev.twinrank.core.Model;
import dev.twinrank.probe.Testee;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import py4j.CallbackClient;
import py4j.GatewayServer;

/**
 * A door for Python into this JVM: Py4J on 127.0.0.1, opened with a token that is in a file only
 * the owner reads.
 *
 * <p><strong>Whoever holds the token runs any code in this JVM.</strong> Py4J lets its client call
 * every method of every class, {@code Runtime.exec} among them, with this process's rights; nothing
 * here narrows that, and a token that has leaked is this process given away. Open it where the
 * people who read the file may do that anyway, for as long as a verification runs, and close it
 * after. It is never part of the HTTP server.
 *
 * <p>A service verifies its own live scorer in place:
 *
 * <pre>{@code
 * try (Gateway gateway = Gateway.open(model, GatewayOptions.at(Path.of("/run/ranker/gateway.json")))) {
 *   verificationRuns(gateway.options().connectionFile());
 * }
 * }</pre>
 *
 * <p>Thread-safe. Its threads are daemons: an open gateway does not keep the JVM alive. All clients
 * share one testee.
 *
 * @since 0.1
 */
public final class Gateway implements AutoCloseable {
  private static final String HOST = "127.0.0.1";
  private static final int TOKEN_BYTES = 32;

  private final GatewayOptions options;
  private final Testee testee;
  private final GatewayServer server;
  private final ConnectionFile connectionFile;
  private final AtomicBoolean closed = new AtomicBoolean();

  private Gateway(GatewayOptions options, Testee testee) throws IOException {
    this.options = options;
    this.testee = testee;
    String token = token();
    server = started(new GatewayEntry(testee), options.port(), token);
    try {
      connectionFile =
          ConnectionFile.write(options.connectionFile(), HOST, server.getListeningPort(), token);
    } catch (IOException | RuntimeException e) {
      server.shutdown();
      throw e;
    }
  }

  /**
   * Opens a gateway to a model that is in use. Frames speak of that model only, {@code load} loads
   * no other, and the model stays its owner's to close.
   *
   * @throws UncheckedIOException if the port is taken or the connection file cannot be written for
   *     the owner alone
   */
  public static Gateway open(Model model, GatewayOptions options) {
    return open(options, Testee.attachedTo(model));
  }

  /**
   * Opens a gateway without a model: {@code load} opens bundles, and closing the gateway closes
   * them.
   *
   * @throws UncheckedIOException if the port is taken or the connection file cannot be written for
   *     the owner alone
   */
  public static Gateway open(GatewayOptions options) {
    return open(options, new Testee());
  }

  private static Gateway open(GatewayOptions options, Testee testee) {
    try {
      return new Gateway(options, testee);
    } catch (IOException e) {
      throw new UncheckedIOException("the gateway cannot be opened: " + e.getMessage(), e);
    }
  }

  /** Returns the options that it was opened with. */
  public GatewayOptions options() {
    return options;
  }

  /** Returns the port on 127.0.0.1. */
  public int port() {
    return server.getListeningPort();
  }

  /**
   * Removes the connection file, ends all connections and waits for a frame that is being answered.
   * Idempotent.
   */
  @Override
  public void close() {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    try {
      connectionFile.remove();
    } catch (IOException e) {
      throw new UncheckedIOException(
          "the connection file cannot be removed; its token is void all the same", e);
    } finally {
      server.shutdown();
      testee.close();
    }
  }

  private static String token() {
    byte[] token = new byte[TOKEN_BYTES];
    new SecureRandom().nextBytes(token);
    return HexFormat.of().formatHex(token);
  }

  // Py4J starts plain threads, which are daemons only if the thread that starts them is one.
  private static GatewayServer started(GatewayEntry entry, int port, String token)
      throws IOException {
    CompletableFuture<GatewayServer> started = new CompletableFuture<>();
    Thread starter =
        new Thread(
            () -> {
              try {
                GatewayServer server =
                    new GatewayServer.GatewayServerBuilder(entry)
                        .javaAddress(loopback())
                        .javaPort(port)
                        .authToken(token)
                        .serverSocketFactory(new PromptSockets())
                        .callbackClient(noCallbacks())
                        .build();
                server.start();
                started.complete(server);
              } catch (UnknownHostException | RuntimeException e) {
                started.completeExceptionally(e);
              }
            },
            "twinrank-gateway-start");
    starter.setDaemon(true);
    starter.start();
    try {
      return started.join();
    } catch (CompletionException e) {
      throw new IOException(
          "%s:%d: %s".formatted(HOST, port, e.getCause().getMessage()), e.getCause());
    }
  }

  // Python is never called back; the usual client would start a thread for that which keeps the JVM
  // alive.
  private static CallbackClient noCallbacks() throws UnknownHostException {
    return new CallbackClient(GatewayServer.DEFAULT_PYTHON_PORT, loopback(), 0, TimeUnit.SECONDS);
  }

  private static InetAddress loopback() throws UnknownHostException {
    return InetAddress.getByAddress(HOST, new byte[] {127, 0, 0, 1});
  }
}
