package dev.twinrank.server;

import com.linecorp.armeria.common.RequestContext;
import io.netty.util.AttributeKey;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A ranking request on its way to its one answer, which is counted before it is sent: whoever has
 * read an answer finds it in the metrics. Thread-safe.
 */
final class Answering {
  private static final AttributeKey<Answering> KEY =
      AttributeKey.valueOf(Answering.class, "ANSWERING");

  private final Metrics metrics;
  private final String model;
  private final long start = System.nanoTime();
  private final AtomicBoolean answered = new AtomicBoolean();

  private Answering(Metrics metrics, String model) {
    this.metrics = metrics;
    this.model = model;
  }

  static Answering begin(RequestContext ctx, Metrics metrics, String model) {
    Answering answering = new Answering(metrics, model);
    ctx.setAttr(KEY, answering);
    return answering;
  }

  /** Returns the ranking request of this context; empty if it is another request. */
  static Optional<Answering> of(RequestContext ctx) {
    return Optional.ofNullable(ctx.attr(KEY));
  }

  /** Counts the answer, the first time it is called. */
  void answer(String outcome) {
    if (answered.compareAndSet(false, true)) {
      metrics.answered(model, outcome, System.nanoTime() - start);
    }
  }
}
