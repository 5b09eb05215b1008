package org.acme.films;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.twinrank.core.BundleException;
import dev.twinrank.core.Cancellation;
import dev.twinrank.core.MemoryBudget;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelStore;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.StoreListener;
import dev.twinrank.core.StoreOptions;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A shop's service that ranks films: an HTTP server of the JDK, with the model inside the process.
 *
 * <p>Read it as a tutorial: {@link #FilmService} opens a store, {@link Ranker} fills slates, {@link Metrics} writes down
 * what was counted, {@link #close} stops. Customers and operators have a port each.
 */
public final class FilmService implements AutoCloseable {
    private static final long NATIVE_BYTES = 512L << 20; // two versions and what they run in, with room to spare
    private static final int DRAIN_SECONDS = 5;
    private static final int BACKLOG = 64;

    private final Duration deadline;
    private final Metrics metrics = new Metrics();
    private final ModelStore store;
    private final String name;
    private final Ranker ranker;
    private final InPlace inPlace;
    private final ExecutorService threads;
    private final HttpServer customers;
    private final HttpServer operators;
    // Shared by requests; who stops takes it alone and for ever.
    private final ReentrantReadWriteLock serving = new ReentrantReadWriteLock();
    private volatile Items items;
    private volatile boolean stopping;

    /** Opens everything; a model that cannot prove itself stops the start, with all its problems in the message. */
    FilmService(Path models, String name, long version, Path table, Duration deadline) throws IOException {
        this.name = name;
        this.deadline = deadline;
        items = new Items(Files.readAllLines(table));

        // Step 2: the store. The budget refuses a version that would not fit beside those that serve.
        ModelOptions model = ModelOptions.builder().memory(MemoryBudget.of(NATIVE_BYTES)).listener(metrics).build();
        store = ModelStore.open(models, StoreOptions.builder().model(model).listener(new Log()).build());
        try {
            store.activate(name, version);
            ranker = new Ranker(store, name);
            inPlace = new InPlace(store, name);
            // A run computes on the thread that calls it, so the threads of the pool are the parallelism.
            threads = Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors());
            customers = listen(Map.of("/rank", this::rank, "/health", this::health));
            operators = listen(Map.of("/metrics", exchange -> answer(exchange, 200, metrics.text(store)),
                    "/activate", this::activate, "/rollback", this::rollback, "/verify", this::verify,
                    "/items", this::items, "/gateway", this::gateway));
        } catch (IOException | RuntimeException e) {
            store.close();
            throw e;
        }
    }

    public static void main(String[] args) throws IOException {
        if (args.length != 5) {
            System.err.println("usage: FilmService MODELS NAME VERSION ITEMS.tsv DEADLINE_MILLIS");
            System.exit(2);
        }
        FilmService service;
        try {
            service = new FilmService(Path.of(args[0]), args[1], Long.parseLong(args[2]), Path.of(args[3]),
                    Duration.ofMillis(Long.parseLong(args[4])));
        } catch (BundleException | IllegalStateException e) {
            System.err.println(e.getMessage());
            System.exit(1);
            return;
        }
        Runtime.getRuntime().addShutdownHook(new Thread(service::close, "stop"));
        System.out.println("customers http:/" + service.customers.getAddress());
        System.out.println("operators http:/" + service.operators.getAddress());
    }

    private HttpServer listen(Map<String, Handler> handlers) throws IOException {
        HttpServer server =
                HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), BACKLOG);
        server.setExecutor(threads);
        handlers.forEach((path, handler) -> server.createContext(path, exchange -> {
            try (exchange) {
                if (stopping || !serving.readLock().tryLock()) {
                    answer(exchange, 503, problem("stopping", "this process is about to end"));
                    return;
                }
                try {
                    guarded(handler, exchange);
                } finally {
                    serving.readLock().unlock();
                }
            }
        }));
        server.start();
        return server;
    }

    // Two families of failures: this request is bad, or this bundle is. Neither stops what serves.
    private static void guarded(Handler handler, HttpExchange exchange) throws IOException {
        try {
            handler.handle(exchange);
        } catch (ScoringException e) {
            answer(exchange, e.code().httpStatus().orElse(500), problem(e.code().code(), e.getMessage()));
        } catch (BundleException e) {
            answer(exchange, 409, problem(e.code().code(), e.getMessage()));
        } catch (NoSuchElementException e) {
            answer(exchange, 404, problem("not_found", e.getMessage()));
        } catch (IllegalArgumentException e) {
            answer(exchange, 400, problem("bad_form", e.getMessage()));
        } catch (IllegalStateException e) {
            answer(exchange, 409, problem("conflict", e.getMessage()));
        } catch (UncheckedIOException e) {
            answer(exchange, 500, problem("input_output", e.getMessage()));
        }
    }

    private void rank(HttpExchange exchange) throws IOException {
        Cancellation limit = Cancellation.after(deadline);
        answer(exchange, 200, ranker.rank(form(body(exchange)), items, limit));
    }

    private void health(HttpExchange exchange) throws IOException {
        answer(exchange, 200, "{\"ready\": true}\n");
    }

    private void activate(HttpExchange exchange) throws IOException {
        requirePost(exchange);
        long version = Long.parseLong(form(body(exchange)).getOrDefault("version", ""));
        ModelStore.Entry entry = store.activate(name, version);
        inPlace.follow();
        answer(exchange, 200, described(entry));
    }

    private void rollback(HttpExchange exchange) throws IOException {
        requirePost(exchange);
        ModelStore.Entry entry = store.rollback(name);
        inPlace.follow();
        answer(exchange, 200, described(entry));
    }

    /** Replays the goldens of the active model while it serves. */
    private void verify(HttpExchange exchange) throws IOException {
        try (ModelStore.Lease lease = store.acquire(name)) {
            var report = lease.model().verify();
            answer(exchange, report.passed() ? 200 : 500, report + "\n");
        }
    }

    /** Opens the door for a verification in place at the file that is named, or closes it where none is. */
    private void gateway(HttpExchange exchange) throws IOException {
        requirePost(exchange);
        String file = form(body(exchange)).get("file");
        if (file == null) {
            inPlace.close();
        } else {
            inPlace.open(Path.of(file));
        }
        answer(exchange, 200, "{}\n");
    }

    private void items(HttpExchange exchange) throws IOException {
        requirePost(exchange);
        items = new Items(body(exchange).lines().toList());
        answer(exchange, 200, "{}\n");
    }

    /** Step 5: nothing new is taken, what runs may finish, then the models go. */
    @Override
    public void close() {
        stopping = true;
        try {
            boolean drained = serving.writeLock().tryLock(DRAIN_SECONDS, TimeUnit.SECONDS);
            customers.stop(0);
            operators.stop(0);
            threads.shutdown();
            inPlace.close();
            if (!drained || !store.close(Duration.ofSeconds(DRAIN_SECONDS))) {
                System.err.println("requests were still running after " + DRAIN_SECONDS + " s");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static String described(ModelStore.Entry entry) {
        return "{\"version\": " + entry.version() + ", \"verification\": "
                + Json.string(entry.verification().state().label()) + "}\n";
    }

    private static String problem(String code, String message) {
        return "{\"code\": " + Json.string(code) + ", \"message\": " + Json.string(message) + "}\n";
    }

    private static void requirePost(HttpExchange exchange) {
        if (!exchange.getRequestMethod().equals("POST")) {
            throw new IllegalArgumentException("POST, please");
        }
    }

    private static String body(HttpExchange exchange) throws IOException {
        return new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
    }

    private static Map<String, String> form(String body) {
        Map<String, String> form = new HashMap<>();
        for (String field : body.split("&")) {
            int equals = field.indexOf('=');
            if (equals > 0) {
                form.put(field.substring(0, equals),
                        URLDecoder.decode(field.substring(equals + 1), StandardCharsets.UTF_8));
            }
        }
        return form;
    }

    private static void answer(HttpExchange exchange, int status, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, bytes.length);
        try (OutputStream out = exchange.getResponseBody()) {
            out.write(bytes);
        }
    }

    private interface Handler {
        void handle(HttpExchange exchange) throws IOException;
    }

    /** What an operator reads in the log. */
    private static final class Log implements StoreListener {
        @Override
        public void loaded(ModelStore.Entry entry, Duration took) {
            System.err.printf("%s/%d is %s after %d ms%n", entry.name(), entry.version(),
                    entry.verification().state().label(), took.toMillis());
        }

        @Override
        public void unloaded(String name, long version) {
            System.err.printf("%s/%d is gone%n", name, version);
        }

        @Override
        public void failed(String name, long version, RuntimeException problem) {
            System.err.printf("%s/%d: %s%n", name, version, problem.getMessage());
        }
    }
}
