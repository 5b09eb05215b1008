package dev.twinrank.server.ops;

import dev.twinrank.server.problem.Json;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A sample of the requests, with every bit that they were answered with: what it takes to score
 * them again elsewhere and compare. Thread-safe.
 *
 * <p>Whether a request is in the sample depends on its trace id alone, so that all services of a
 * trace that decide so agree. Writing is somebody else's thread: a disk that is slow or full costs
 * samples, which are counted, and no request waits for it.
 */
public final class RequestLog implements ExchangeListener, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(RequestLog.class);
  private static final int WAITING = 1024;
  private static final long WAITING_BYTES = 64L << 20;
  private static final byte[] END = {};
  private static final long CLOSE_SECONDS = 5;

  private final LogFiles files;
  private final Counter written;
  private final Counter dropped;
  private final BlockingQueue<byte[]> waiting = new ArrayBlockingQueue<>(WAITING);
  private final AtomicLong waitingBytes = new AtomicLong();
  private final Thread writer = new Thread(this::writeAll, "twinrank-request-log");
  private boolean failing;

  /**
   * Begins a log in a folder.
   *
   * @param maxBytes how much all its files may hold together
   * @throws IOException if the folder cannot be made
   */
  RequestLog(Path folder, long maxBytes, MeterRegistry registry) throws IOException {
    files = new LogFiles(folder, maxBytes);
    written =
        Counter.builder("rec.request.log.written")
            .description("Sampled requests that the request log has written.")
            .register(registry);
    dropped =
        Counter.builder("rec.request.log.dropped")
            .description("Sampled requests that the request log could not keep up with or write.")
            .register(registry);
    writer.setDaemon(true);
    writer.start();
  }

  @Override
  public void finished(Exchange exchange, String outcome, long nanos) {
    if (exchange.sample().isPresent()) {
      byte[] line = line(exchange, exchange.sample().get(), outcome, nanos);
      if (waitingBytes.addAndGet(line.length) > WAITING_BYTES || !waiting.offer(line)) {
        waitingBytes.addAndGet(-line.length);
        dropped.increment();
      }
    }
  }

  private static byte[] line(Exchange exchange, Sample sample, String outcome, long nanos) {
    byte[] object =
        Json.object(
            json -> {
              json.writeStringField("time", Instant.now().toString());
              json.writeStringField("request_id", exchange.requestId());
              json.writeStringField("trace_id", exchange.trace().traceId());
              json.writeStringField("protocol", exchange.protocol().label());
              json.writeStringField("model", exchange.model());
              json.writeNumberField("version", exchange.version().orElseThrow());
              json.writeStringField("bundle", exchange.digest().orElseThrow());
              json.writeStringField("outcome", outcome);
              json.writeNumberField("nanos", nanos);
              sample.write(json);
            });
    byte[] line = Arrays.copyOf(object, object.length + 1);
    line[object.length] = '\n';
    return line;
  }

  private void writeAll() {
    try {
      for (byte[] line = waiting.take(); line != END; line = waiting.take()) {
        waitingBytes.addAndGet(-line.length);
        write(line);
      }
    } catch (InterruptedException e) {
      LOG.warn("the request log was given up; {} samples are lost", waiting.size());
    }
    try {
      files.close();
    } catch (IOException e) {
      LOG.warn("the request log's last file was not forced to the disk", e);
    }
  }

  private void write(byte[] line) {
    try {
      files.write(line);
      written.increment();
      failing = false;
    } catch (IOException e) {
      dropped.increment();
      if (!failing) { // a full disk would fill what is left with the news of it
        LOG.warn("the request log cannot be written; samples are dropped until it can", e);
      }
      failing = true;
    }
  }

  /** Writes what waits, for five seconds at most. */
  @Override
  public void close() {
    try {
      if (waiting.offer(END, CLOSE_SECONDS, TimeUnit.SECONDS)) {
        writer.join(TimeUnit.SECONDS.toMillis(CLOSE_SECONDS));
      }
      writer.interrupt();
    } catch (InterruptedException e) {
      writer.interrupt();
      Thread.currentThread().interrupt();
    }
  }
}
