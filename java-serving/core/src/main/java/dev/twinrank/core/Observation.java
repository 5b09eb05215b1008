package dev.twinrank.core;

import dev.twinrank.core.Statistics.FeatureCounts;
import dev.twinrank.core.Statistics.OutputCounts;
import dev.twinrank.core.internal.pack.Counts;
import dev.twinrank.core.internal.pack.UnseenOutput;
import dev.twinrank.core.internal.rank.NonFinite;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Stream;

/**
 * Counts a model's requests and tells its listeners. Thread-safe.
 *
 * <p>Each request ends here exactly once, answered or refused. For one that is answered nothing is
 * allocated if nobody listens.
 */
final class Observation {
  private static final int NO_FEATURE = -1;

  private final String model;
  private final OptionalLong version;
  private final String digest;
  private final Schema schema;
  private final List<Head> outputs;
  private final List<UnseenOutput> unseenOutputs;
  private final ScoringListener[] listeners;

  /** The place of each feature: those of the context in schema order, then those of candidates. */
  private final Map<Feature, Integer> places = new HashMap<>();

  private final LongAdder requests = new LongAdder();
  private final LongAdder candidates = new LongAdder();
  private final LongAdder[] missing;
  private final LongAdder[] invalid;
  private final LongAdder[] unseen;
  private final LongAdder[] nan;
  private final LongAdder[] infinite;
  private final LongAdder listenerFailures = new LongAdder();
  private final AtomicLongArray failed;

  private final Map<Refused, LongAdder> refused = new ConcurrentHashMap<>();

  /**
   * What is counted of refusals.
   *
   * @param place the feature's, or {@value #NO_FEATURE} for those of all requests
   */
  private record Refused(int place, ErrorCode code) {}

  Observation(
      String model,
      OptionalLong version,
      String digest,
      Schema schema,
      List<Head> outputs,
      List<ScoringListener> listeners) {
    this.model = model;
    this.version = version;
    this.digest = digest;
    this.schema = schema;
    this.outputs = List.copyOf(outputs);
    this.unseenOutputs = UnseenOutput.of(schema);
    this.listeners = listeners.toArray(ScoringListener[]::new);
    Stream.concat(schema.context().stream(), schema.candidate().stream())
        .forEach(feature -> places.put(feature, places.size()));
    this.missing = adders(places.size());
    this.invalid = adders(places.size());
    this.unseen = adders(places.size());
    this.nan = adders(outputs.size());
    this.infinite = adders(outputs.size());
    this.failed = new AtomicLongArray(this.listeners.length);
  }

  /** Returns the watch for one request; one that reads no clock if nobody listens. */
  Stages stages() {
    return listeners.length == 0 ? Stages.OFF : Stages.on();
  }

  /** Counts what is not finite among the values of an output. */
  void values(int output, ByteBuffer values) {
    DType dtype = outputs.get(output).dtype();
    if (NonFinite.any(values, dtype)) {
      int nans = NonFinite.nans(values, dtype);
      nan[output].add(nans);
      infinite[output].add(NonFinite.count(values, dtype) - nans);
    }
  }

  /**
   * Counts what the graph has found unseen, in a run whose request is refused for it.
   *
   * @param counts the output, int64 and row-major
   */
  void unseen(int output, ByteBuffer counts) {
    UnseenOutput columns = unseenOutputs.get(output);
    ByteBuffer in = counts.duplicate().rewind().order(ByteOrder.LITTLE_ENDIAN);
    while (in.hasRemaining()) {
      for (Feature feature : columns.features()) {
        unseen[places.get(feature)].add(in.getLong());
      }
    }
  }

  /** Ends a request that has its answer. */
  void answered(Counts counts, int slate, Stages stages) {
    requests.increment();
    candidates.add(slate);
    absorbed(counts);
    if (listeners.length > 0) {
      tell(slate, Optional.empty(), stages);
    }
  }

  /** Ends a request that is refused. */
  void refused(Counts counts, int slate, ScoringException refusal, Stages stages) {
    requests.increment();
    absorbed(counts);
    refused(NO_FEATURE, refusal.code());
    int place = place(refusal);
    if (place != NO_FEATURE) {
      refused(place, refusal.code());
    }
    if (listeners.length > 0) {
      tell(slate, Optional.of(refusal.code()), stages);
    }
  }

  private void refused(int place, ErrorCode code) {
    refused.computeIfAbsent(new Refused(place, code), key -> new LongAdder()).increment();
  }

  private void absorbed(Counts counts) {
    if (!counts.isEmpty()) {
      for (int i = 0; i < missing.length; i++) {
        add(missing[i], counts.missing(i));
        add(invalid[i], counts.invalid(i));
      }
    }
  }

  private static void add(LongAdder adder, int count) {
    if (count != 0) {
      adder.add(count);
    }
  }

  /** Returns the place of the feature that a refusal names, if it names one of the schema. */
  private int place(ScoringException refusal) {
    Placement placement = refusal.candidate().isPresent() ? Placement.CANDIDATE : Placement.CONTEXT;
    return refusal
        .feature()
        .flatMap(name -> schema.find(placement, name))
        .map(places::get)
        .orElse(NO_FEATURE);
  }

  private void tell(int slate, Optional<ErrorCode> refusal, Stages stages) {
    ScoringListener.Event event =
        new ScoringListener.Event(
            model,
            version,
            digest,
            slate,
            refusal,
            stages.keysNanos(),
            stages.packNanos(),
            stages.runNanos(),
            stages.orderNanos());
    for (int i = 0; i < listeners.length; i++) {
      try {
        listeners[i].onRequest(event);
      } catch (Throwable e) {
        // The request is decided: whatever a listener throws must not change what the caller gets.
        listenerFailures.increment();
        if (failed.getAndIncrement(i) == 0) {
          report(e);
        }
      }
    }
  }

  private static void report(Throwable thrown) {
    Thread here = Thread.currentThread();
    try {
      here.getUncaughtExceptionHandler().uncaughtException(here, thrown);
    } catch (Throwable ignored) {
      // The JVM ignores what a handler throws, too.
    }
  }

  /** Returns what was counted up to now. */
  Statistics snapshot() {
    List<FeatureCounts> features = new ArrayList<>();
    for (Feature feature : schema.features()) {
      int place = places.get(feature);
      features.add(
          new FeatureCounts(
              feature,
              missing[place].sum(),
              invalid[place].sum(),
              feature.unseen() == Policy.ERROR
                  ? OptionalLong.of(unseen[place].sum())
                  : OptionalLong.empty(),
              refusals(place)));
    }
    List<OutputCounts> values = new ArrayList<>();
    for (int i = 0; i < outputs.size(); i++) {
      values.add(new OutputCounts(outputs.get(i), nan[i].sum(), infinite[i].sum()));
    }
    // Refusals before requests: under traffic, a difference of the two is never negative.
    Map<ErrorCode, Long> refusals = refusals(NO_FEATURE);
    return new Statistics(
        requests.sum(), candidates.sum(), refusals, features, values, listenerFailures.sum());
  }

  private Map<ErrorCode, Long> refusals(int place) {
    Map<ErrorCode, Long> counts = new EnumMap<>(ErrorCode.class);
    refused.forEach(
        (key, count) -> {
          if (key.place() == place) {
            counts.put(key.code(), count.sum());
          }
        });
    return counts;
  }

  private static LongAdder[] adders(int size) {
    return Stream.generate(LongAdder::new).limit(size).toArray(LongAdder[]::new);
  }
}
