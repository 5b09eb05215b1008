package dev.twinrank.server;

import com.linecorp.armeria.common.metric.NoopMeterRegistry;
import com.linecorp.armeria.server.GracefulShutdown;
import com.linecorp.armeria.server.Server;
import dev.twinrank.core.ScoringListener;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The HTTP server: it answers as soon as it has started, and ranks from {@link #serve} until {@link
 * #close}. Thread-safe.
 */
final class RankServer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(RankServer.class);

  /** How long answers under way may take once draining has begun. */
  private static final Duration DRAIN_LIMIT = Duration.ofSeconds(30);

  /**
   * How long requests are still answered, with not_ready, so that clients of open connections hear
   * it from us.
   */
  private static final Duration FAREWELL = Duration.ofSeconds(1);

  /** How long the HTTP layer may take to close its connections. */
  private static final Duration CLOSE_LIMIT = Duration.ofSeconds(2);

  private final Gate gate = new Gate();
  private final Metrics metrics = new Metrics();
  private final Api api = new Api(gate, metrics);
  private final String host;
  private final int port;
  private final Server server;
  private Models models = Models.NONE;
  private boolean closed;

  /**
   * Makes a server that {@link #start} starts.
   *
   * @param host the address to listen on
   * @param port the port; 0 takes a free one
   * @param maxBody the longest body, in bytes
   */
  RankServer(String host, int port, long maxBody) {
    this.host = host;
    this.port = port;
    InetSocketAddress address = new InetSocketAddress(host, port);
    if (address.isUnresolved()) {
      throw new StartException(List.of("--host " + host + " is no address of this machine"));
    }
    server =
        Server.builder()
            .http(address)
            .serviceUnder("/", api)
            .errorHandler(new Errors())
            .maxRequestLength(maxBody)
            // No deadline of the HTTP layer's own: it would turn a right answer that is late into
            // an error.
            .requestTimeoutMillis(0)
            .blockingTaskExecutor(Runtime.getRuntime().availableProcessors())
            .disableServerHeader()
            // Our metrics are ours, and Errors logs what went wrong: what Armeria counts and
            // reports beside that says it twice.
            .meterRegistry(NoopMeterRegistry.get())
            .unloggedExceptionsReportIntervalMillis(0)
            // The gate has waited for the answers under way by then; this is for what it gave up
            // on.
            .gracefulShutdown(GracefulShutdown.builder().timeout(CLOSE_LIMIT).build())
            .build();
  }

  /** Returns who is to hear of the requests of every model that this will serve. */
  ScoringListener listener() {
    return metrics.listener();
  }

  /**
   * Starts to listen; nothing is ready yet.
   *
   * @throws StartException if the address is taken or not this machine's
   */
  void start() {
    try {
      server.start().join();
    } catch (CompletionException e) {
      throw new StartException(
          List.of(
              "cannot listen on %s port %d: %s; if the port is taken, --port 0 takes a free one"
                  .formatted(host, port, e.getCause().getMessage())),
          e);
    }
  }

  /** Ranks with these models from now on, and closes them in the end. */
  synchronized void serve(Models verified) {
    models = verified;
    metrics.serving(verified);
    api.serve(verified);
    gate.open();
  }

  int port() {
    return server.activeLocalPort();
  }

  String url() {
    return "http://%s:%d".formatted(host.contains(":") ? "[" + host + "]" : host, port());
  }

  /**
   * Drains and closes: not ready, then what is under way is answered, then connections end, then
   * the models are closed. Idempotent.
   */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    gate.drain();
    try {
      if (!gate.awaitIdle(DRAIN_LIMIT)) {
        LOG.warn(
            "answers are still under way after {} s of draining; they get not_ready",
            DRAIN_LIMIT.toSeconds());
      }
      Thread.sleep(FAREWELL.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    server.stop().join();
    models.close();
    metrics.close();
  }
}
