package dev.twinrank.server;

import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.util.BlockingTaskExecutor;
import com.linecorp.armeria.common.util.EventLoopGroups;
import com.linecorp.armeria.common.util.ThreadFactories;
import com.linecorp.armeria.server.GracefulShutdown;
import com.linecorp.armeria.server.HttpService;
import com.linecorp.armeria.server.Server;
import com.linecorp.armeria.server.ServerBuilder;
import com.linecorp.armeria.server.ServiceRequestContext;
import dev.twinrank.core.ScoringListener;
import dev.twinrank.server.api.AdminApi;
import dev.twinrank.server.api.Api;
import dev.twinrank.server.api.Bearer;
import dev.twinrank.server.api.Errors;
import dev.twinrank.server.api.Health;
import dev.twinrank.server.api.Tokens;
import dev.twinrank.server.flow.ConnectionSettings;
import dev.twinrank.server.flow.Desk;
import dev.twinrank.server.flow.Gate;
import dev.twinrank.server.flow.SlowClients;
import dev.twinrank.server.life.Models;
import dev.twinrank.server.life.StartException;
import dev.twinrank.server.oip.Inference;
import dev.twinrank.server.oip.OipAdmin;
import dev.twinrank.server.oip.OipDialect;
import dev.twinrank.server.oip.OipHttp;
import dev.twinrank.server.oip.Repository;
import dev.twinrank.server.oip.ServerCard;
import dev.twinrank.server.oip.grpc.GrpcDialect;
import dev.twinrank.server.oip.grpc.GrpcServices;
import dev.twinrank.server.ops.AccessLog;
import dev.twinrank.server.ops.HttpMetrics;
import dev.twinrank.server.ops.Metrics;
import dev.twinrank.server.ops.OpsSettings;
import io.micrometer.core.instrument.composite.CompositeMeterRegistry;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The HTTP server: it answers as soon as it has started, and ranks from {@link #serve} until {@link
 * #close}. Thread-safe.
 */
final class RankServer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(RankServer.class);

  /** How long answers under way may take once somebody is in a hurry. */
  private static final Duration HURRIED_LIMIT = Duration.ofSeconds(1);

  private static final Duration LOOK_AROUND = Duration.ofMillis(100);
  private static final int ADMIN_THREADS = 8;

  /**
   * How long requests are still answered, with not_ready, so that clients of open connections hear
   * it from us.
   */
  private static final Duration FAREWELL = Duration.ofSeconds(1);

  /** The time between the GOAWAY that asks for no more requests and the one that names the last. */
  private static final Duration GOAWAY_INTERVAL = Duration.ofMillis(300);

  /** How long the HTTP layer may take to close its connections. */
  private static final Duration CLOSE_LIMIT = Duration.ofSeconds(2);

  /** Clients whose deadlines pass reset streams too, but not a hundred a second for long. */
  private static final int MOST_RESETS = 1_000;

  private static final int RESETS_SECONDS = 10;

  private static final long ADMIN_MAX_BODY = 64 << 10;

  private final Settings settings;
  private final Gate gate = new Gate();
  private final Metrics metrics = new Metrics();
  private final HttpMetrics requests = metrics.http(GrpcServices.paths());
  private final BlockingTaskExecutor pool;
  private final Server server;
  private final Optional<Server> admin;
  private volatile Models models = Models.NONE;
  private final CompletableFuture<Void> hurry = new CompletableFuture<>();
  private volatile boolean farewell;
  private boolean closed;

  /** Makes a server that {@link #start} starts. */
  RankServer(Settings settings) {
    this.settings = settings;
    InetAddress host = new InetSocketAddress(settings.host(), 0).getAddress();
    if (host == null) {
      throw new StartException(
          List.of("--host " + settings.host() + " is no address of this machine"));
    }
    List<String> missing = settings.security().missing(host, settings.adminPort().isPresent());
    if (!missing.isEmpty()) {
      throw new StartException(
          List.of(
              "--host %s is not loopback, and %s is missing; give it, or --insecure if something in front of the server has TLS and authentication"
                  .formatted(settings.host(), String.join(", ", missing))));
    }
    pool = threads(settings.flow().workers(), "twinrank-scoring");
    settings.ops().requests().ifPresent(this::logRequests);
    settings.ops().traces().ifPresent(traces -> metrics.trace(traces, ServerMain.version()));
    metrics.listen(new AccessLog(settings.ops().accessLog()));
    Health health = new Health(gate, metrics, () -> models);
    Desk desk = new Desk(gate, () -> models, pool, settings.flow());
    metrics.flow(desk::stats);
    Api api = new Api(gate, desk, metrics, () -> models, health);
    Inference inference = new Inference();
    Repository repository = new Repository(() -> models, inference.statistics());
    ServerCard card = ServerCard.of(ServerMain.version());
    OipHttp oip = new OipHttp(gate, desk, metrics, () -> models, inference, repository, card);
    ServerBuilder builder =
        common(
                new InetSocketAddress(host, settings.port()),
                settings.flow().connections(),
                "service",
                settings.security().tokens())
            .serviceUnder("/", api)
            .service("/v2", oip)
            .serviceUnder("/v2/", oip)
            .decorator(this::farewell)
            .maxRequestLength(settings.flow().maxBody())
            .blockingTaskExecutor(pool, false);
    GrpcServices.add(builder, gate, desk, metrics, () -> models, inference);
    server = builder.build();
    admin =
        settings.adminPort().stream()
            .mapToObj(port -> new InetSocketAddress(host, port))
            .findFirst()
            .map(
                address ->
                    admin(
                        address,
                        health,
                        new AdminApi(() -> models),
                        new OipAdmin(oip, () -> models),
                        settings.flow().connections()));
  }

  /** Armeria's own builder would register each pool's meters under one name. */
  private static BlockingTaskExecutor threads(int count, String name) {
    return BlockingTaskExecutor.of(
        Executors.newScheduledThreadPool(count, ThreadFactories.newThreadFactory(name, true)));
  }

  private ServerBuilder common(
      InetSocketAddress address,
      ConnectionSettings limits,
      String listener,
      Optional<Tokens> tokens) {
    ServerBuilder builder = Server.builder();
    if (settings.security().tls().isPresent()) {
      settings.security().tls().get().apply(builder.https(address));
    } else {
      builder.http(address);
    }
    tokens.ifPresent(
        each -> builder.decorator(new Bearer(each, () -> metrics.unauthorized(listener))));
    return builder
        .errorHandler(new Errors(new GrpcDialect(), new OipDialect()))
        // For a request to come; ends when it has. After that its deadline is the desk's matter.
        .requestTimeout(limits.transfer())
        .decorator(RankServer::hasCome)
        .decorator(requests::serve)
        .maxNumConnections(limits.most())
        .idleTimeout(limits.idle())
        .childChannelPipelineCustomizer(pipeline -> SlowClients.watch(pipeline, limits))
        .http1MaxHeaderSize(limits.headerBytes())
        .http2MaxHeaderListSize(limits.headerBytes())
        .http2MaxStreamsPerConnection(limits.streams())
        .http2MaxResetFramesPerWindow(MOST_RESETS, RESETS_SECONDS)
        .disableServerHeader()
        // Our metrics are ours, and Errors logs what went wrong: what Armeria counts and reports
        // beside that says it twice.
        .meterRegistry(new CompositeMeterRegistry())
        .unloggedExceptionsReportIntervalMillis(0)
        // The gate has waited for the answers under way by then; this is for what it gave up on.
        .gracefulShutdown(GracefulShutdown.builder().timeout(CLOSE_LIMIT).build());
  }

  /** Threads of its own, so that health and metrics answer however busy the service is. */
  private Server admin(
      InetSocketAddress address,
      Health health,
      AdminApi changes,
      OipAdmin repository,
      ConnectionSettings limits) {
    return common(address, limits, "admin", settings.security().adminTokens())
        .serviceUnder("/admin/", changes)
        .service("/v2", repository)
        .serviceUnder("/v2/", repository)
        .serviceUnder("/", health)
        .maxRequestLength(ADMIN_MAX_BODY)
        .workerGroup(EventLoopGroups.newEventLoopGroup(1, "twinrank-admin"), true)
        .blockingTaskExecutor(threads(ADMIN_THREADS, "twinrank-admin-task"), true)
        .build();
  }

  private static HttpResponse hasCome(
      HttpService next, ServiceRequestContext ctx, HttpRequest request) throws Exception {
    ctx.clearRequestTimeout();
    SlowClients.arrived(ctx);
    return next.serve(ctx, request);
  }

  private HttpResponse farewell(HttpService next, ServiceRequestContext ctx, HttpRequest request)
      throws Exception {
    if (gate.draining() && (!ctx.sessionProtocol().isMultiplex() || farewell)) {
      // On HTTP/1.1 this answer carries "Connection: close", so that the client's next request goes
      // elsewhere. HTTP/2 clients that have heard not_ready for a while and still send get their
      // GOAWAYs then, and not before: Java 17's own fails what is in flight when one comes
      // (measured with 17.0.15). The second names the last request that was read, so that nobody
      // takes a later one for lost.
      CompletableFuture<Void> unused = ctx.initiateConnectionShutdown(GOAWAY_INTERVAL);
    }
    return next.serve(ctx, request);
  }

  private void logRequests(OpsSettings.Requests requests) {
    try {
      metrics.log(requests);
    } catch (IOException e) {
      throw new StartException(
          List.of("--request-log " + requests.folder() + " cannot be made: " + e), e);
    }
  }

  /** Returns who is to hear of the requests of every model that this will serve. */
  ScoringListener listener() {
    return metrics.listener();
  }

  /** Counts an attempt to load a version. */
  void loaded(String result) {
    metrics.loaded(result);
  }

  /** Looks at the pointers now, and tries again what failed. */
  void look() {
    models.look();
  }

  /** Waits no longer than it must: somebody asked a second time. */
  void hurry() {
    hurry.complete(null);
  }

  /**
   * Starts to listen; nothing is ready yet.
   *
   * @throws StartException if the address is taken or not this machine's
   */
  void start() {
    start(server, "--port", settings.port());
    admin.ifPresent(each -> start(each, "--admin-port", settings.adminPort().getAsInt()));
  }

  private void start(Server each, String option, int port) {
    try {
      each.start().join();
    } catch (CompletionException e) {
      throw new StartException(
          List.of(
              "cannot listen on %s port %d: %s; if the port is taken, %s 0 takes a free one"
                  .formatted(settings.host(), port, e.getCause().getMessage(), option)),
          e);
    }
  }

  /** Ranks with these models from now on, follows their pointers, and closes them in the end. */
  synchronized void serve(Models verified) {
    models = verified;
    metrics.serving(verified);
    gate.open();
    verified.follow();
  }

  int port() {
    return server.activeLocalPort();
  }

  String url() {
    return url(port());
  }

  /** Returns where administration is; empty if there is none. */
  Optional<String> adminUrl() {
    return admin.map(each -> url(each.activeLocalPort()));
  }

  private String url(int port) {
    String host = settings.host();
    return "%s://%s:%d"
        .formatted(
            settings.security().tls().isPresent() ? "https" : "http",
            host.contains(":") ? "[" + host + "]" : host,
            port);
  }

  /**
   * Drains and closes: not ready, then the delay in which requests are still answered, then what is
   * under way is answered, then connections end, then the models are closed. Idempotent.
   */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    gate.announce();
    models.settle();
    try {
      if (!models.all().isEmpty()) {
        delay(settings.life().drainDelay());
      }
      gate.drain();
      if (!finish(settings.life().drainLimit())) {
        LOG.warn("answers are still under way after the drain's limit; they get not_ready");
      }
      delay(FAREWELL);
      farewell = true;
      delay(GOAWAY_INTERVAL.multipliedBy(2));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    gate.drain();
    server.stop().join();
    pool.shutdown();
    models.close();
    admin.ifPresent(each -> each.stop().join());
    metrics.close();
  }

  private void delay(Duration time) throws InterruptedException {
    try {
      hurry.get(time.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      LOG.debug("{} have passed", time);
    } catch (ExecutionException e) {
      throw new IllegalStateException(e);
    }
  }

  private boolean finish(Duration limit) throws InterruptedException {
    long began = System.nanoTime();
    while (true) {
      Duration most = hurry.isDone() && limit.compareTo(HURRIED_LIMIT) > 0 ? HURRIED_LIMIT : limit;
      Duration left = most.minusNanos(System.nanoTime() - began);
      if (gate.awaitIdle(left.compareTo(LOOK_AROUND) < 0 ? left : LOOK_AROUND)) {
        return true;
      }
      if (left.isNegative() || left.isZero()) {
        return false;
      }
    }
  }
}
