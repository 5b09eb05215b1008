package dev.twinrank.server.oip;

import dev.twinrank.core.ModelStore.Lease;
import dev.twinrank.server.ops.Exchange;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/**
 * What the protocol's statistics say of each version: requests for inference, whatever transport
 * they came by. Thread-safe.
 */
public final class InferenceStatistics {
  /**
   * How often something happened, and how long it took in all.
   *
   * @param count how often
   * @param nanos how long, in nanoseconds
   */
  public record Duration(long count, long nanos) {
    static final Duration ZERO = new Duration(0, 0);

    Duration plus(long more) {
      return new Duration(count + 1, nanos + more);
    }
  }

  /**
   * What was counted of one version; every number is of the same moment. Immutable and thread-safe.
   *
   * @param lastInference when the last request was answered, in milliseconds since 1970; 0 if never
   * @param candidates of the answered requests
   * @param success answered requests, from their last byte to their answer
   * @param fail requests refused once their turn had come
   * @param queue answered requests, until their turn came
   * @param input reading and binding
   * @param infer scoring and ordering
   * @param output making tensors
   */
  public record Counts(
      long lastInference,
      long candidates,
      Duration success,
      Duration fail,
      Duration queue,
      Duration input,
      Duration infer,
      Duration output) {
    static final Counts NONE =
        new Counts(
            0,
            0,
            Duration.ZERO,
            Duration.ZERO,
            Duration.ZERO,
            Duration.ZERO,
            Duration.ZERO,
            Duration.ZERO);

    Counts failed(long nanos) {
      return new Counts(
          lastInference, candidates, success, fail.plus(nanos), queue, input, infer, output);
    }
  }

  private record Key(String model, long version) {}

  private final Map<Key, Counts> counts = new ConcurrentHashMap<>();

  /** Begins to time a request whose turn has come. */
  Run begin(Exchange exchange, Lease lease) {
    return new Run(exchange.arrived(), new Key(lease.model().name(), lease.version()));
  }

  /** Returns what was counted of a version since this server started. */
  public Counts of(String model, long version) {
    return counts.getOrDefault(new Key(model, version), Counts.NONE);
  }

  /** Returns what was counted of every version of a model that was asked, by version. */
  public Map<Long, Counts> of(String model) {
    Map<Long, Counts> found = new TreeMap<>();
    counts.forEach(
        (key, value) -> {
          if (key.model().equals(model)) {
            found.put(key.version(), value);
          }
        });
    return found;
  }

  /** The clock of one request. Not thread-safe. */
  final class Run implements AutoCloseable {
    private final long arrived;
    private final Key key;
    private final long started = System.nanoTime();
    private long bound;
    private long scored;
    private int candidates;
    private boolean answered;

    private Run(long arrived, Key key) {
      this.arrived = arrived;
      this.key = key;
    }

    /** Says that the inputs are where the model reads them. */
    void bound() {
      bound = System.nanoTime();
    }

    /** Says that the model has scored. */
    void scored(int count) {
      scored = System.nanoTime();
      candidates = count;
    }

    /** Counts an answer; all of its times at once, so that their counts are always equal. */
    void answered() {
      long now = System.nanoTime();
      answered = true;
      counts.compute(
          key,
          (unused, old) -> {
            Counts before = old == null ? Counts.NONE : old;
            return new Counts(
                System.currentTimeMillis(),
                before.candidates + candidates,
                before.success.plus(now - arrived),
                before.fail,
                before.queue.plus(started - arrived),
                before.input.plus(bound - started),
                before.infer.plus(scored - bound),
                before.output.plus(now - scored));
          });
    }

    /** Counts a failure, if nothing was answered. */
    @Override
    public void close() {
      if (!answered) {
        long nanos = System.nanoTime() - arrived;
        counts.compute(key, (unused, old) -> (old == null ? Counts.NONE : old).failed(nanos));
      }
    }
  }
}
