package dev.twinrank.core;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Random schemas, and random requests for them. */
final class Samples {
  private static final long[] LONGS = {
    0, 1, -1, 196, 1L << 53, (1L << 53) + 1, 16777217L, Long.MAX_VALUE, Long.MIN_VALUE
  };
  private static final double[] FINITE = {
    0.0, -0.0, 0.1, 0.5, -2, 16777217.0, 1e-45, 4.9e-324, 3.4028234663852886e38, -1e10
  };
  private static final double[] NON_FINITE = {
    Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY
  };
  private static final String LONE = "lone \ud800 half";
  private static final String[] STRINGS = {
    "",
    "242",
    "caf\u00e9",
    "\ud83d\ude00",
    "a\u0000b",
    "\u4f60\u597d",
    "x".repeat(600),
    "y".repeat(511) + "\ud83d\ude00"
  };

  private static final List<DType> DTYPES = List.of(DType.values());

  private final SplitMix random;
  private final Schema schema;

  Samples(SplitMix random) {
    this.random = random;
    List<Feature> features = new ArrayList<>();
    Map<Placement, ListSpec> groups =
        Map.of(Placement.CONTEXT, list(), Placement.CANDIDATE, list());
    int count = 1 + random.below(8);
    for (int i = 0; i < count; i++) {
      features.add(feature("f" + i, groups));
    }
    schema = Schema.of(features);
  }

  Schema schema() {
    return schema;
  }

  private Feature feature(String name, Map<Placement, ListSpec> groups) {
    Placement placement = random.below(2) == 0 ? Placement.CONTEXT : Placement.CANDIDATE;
    DType dtype = DTYPES.get(random.below(DTYPES.size()));
    boolean numeric = dtype != DType.STRING && dtype != DType.BOOL;
    Optional<ListSpec> list = Optional.empty();
    Optional<VectorSpec> vector = Optional.empty();
    Optional<String> group = Optional.empty();
    switch (random.below(6)) {
      case 0 -> list = Optional.of(list());
      case 1 -> {
        list = Optional.of(groups.get(placement));
        group = Optional.of("group_of_" + placement.label());
      }
      case 2 -> vector = numeric ? Optional.of(new VectorSpec(1 + random.below(3))) : vector;
      default -> {}
    }
    return new Feature(
        name,
        placement,
        dtype,
        list,
        vector,
        group,
        dtype.block() != DType.INT64 && random.below(2) == 0,
        policy(),
        policy(),
        Policy.OWN_ROW);
  }

  private ListSpec list() {
    return new ListSpec(
        1 + random.below(4), random.below(2) == 0 ? ListSpec.Keep.FIRST : ListSpec.Keep.LAST);
  }

  private Policy policy() {
    return random.below(2) == 0 ? Policy.ERROR : Policy.DEFAULT;
  }

  /** Returns a request that is sound, or has exactly one thing wrong with it. */
  Sample request(boolean fault) {
    Sample sample = sound(random.below(4) == 0 ? 60 + random.below(10) : random.below(5));
    if (fault) {
      breakOne(sample);
    }
    return sample;
  }

  /** Returns a request from which any number of values is taken out. */
  Sample withHoles() {
    Sample sample = sound(random.below(4));
    List<Map<String, Object>> objects = new ArrayList<>(sample.candidates());
    objects.add(sample.context());
    for (Map<String, Object> object : objects) {
      for (String name : List.copyOf(object.keySet())) {
        if (random.below(4) == 0) {
          object.put(name, null);
        }
      }
    }
    return sample;
  }

  private Sample sound(int candidates) {
    Map<String, Object> context = object(schema.context());
    List<Map<String, Object>> rows = new ArrayList<>();
    for (int i = 0; i < candidates; i++) {
      rows.add(object(schema.candidate()));
    }
    return new Sample(context, rows);
  }

  private Map<String, Object> object(List<Feature> features) {
    Map<String, Object> object = new LinkedHashMap<>();
    int groupLength = random.below(7);
    // A group is missing or not as a whole: lengths of 0 and of something would not agree.
    boolean groupMissing =
        random.below(4) == 0
            && features.stream()
                .filter(feature -> feature.group().isPresent())
                .allMatch(feature -> feature.missing() != Policy.ERROR);
    for (Feature feature : features) {
      boolean grouped = feature.group().isPresent();
      boolean missing =
          grouped ? groupMissing : feature.missing() != Policy.ERROR && random.below(3) == 0;
      if (missing) {
        if (random.below(2) == 0) {
          object.put(feature.name(), null);
        }
      } else {
        boolean bad = !grouped && feature.invalid() != Policy.ERROR && random.below(4) == 0;
        object.put(feature.name(), value(feature, grouped ? groupLength : random.below(7), bad));
      }
    }
    return object;
  }

  private void breakOne(Sample sample) {
    boolean context = sample.candidates().isEmpty() || random.below(2) == 0;
    List<Feature> features = context ? schema.context() : schema.candidate();
    Map<String, Object> object =
        context
            ? sample.context()
            : sample.candidates().get(random.below(sample.candidates().size()));
    if (features.isEmpty()) {
      return;
    }
    Feature feature = features.get(random.below(features.size()));
    if (feature.group().isPresent()) {
      // One element more than the others; or, where it is alone or missing, no fault.
      if (object.get(feature.name()) instanceof List<?> elements && !elements.isEmpty()) {
        List<Object> longer = new ArrayList<>(elements);
        longer.add(elements.get(0));
        object.put(feature.name(), longer);
      }
    } else if (feature.missing() == Policy.ERROR && random.below(2) == 0) {
      object.put(feature.name(), null);
    } else {
      object.put(feature.name(), value(feature, random.below(7), true));
    }
  }

  /** Returns a value; a bad one if asked, where the type has any that a slate can be given. */
  private Object value(Feature feature, int length, boolean bad) {
    if (feature.list().isEmpty() && feature.vector().isEmpty()) {
      return scalar(feature, bad, random.below(4) == 0);
    }
    int count = feature.vector().map(VectorSpec::length).orElse(length);
    if (bad && feature.vector().isPresent() && random.below(2) == 0) {
      count += 1;
    }
    boolean integers = random.below(4) == 0;
    int spoiled = bad && count > 0 ? random.below(count) : -1;
    if (spoiled >= 0 && feature.dtype().block() != DType.INT64) {
      integers = false;
    }
    Object[] elements = new Object[count];
    for (int i = 0; i < count; i++) {
      boolean none = i == spoiled && feature.dtype() == DType.STRING && random.below(2) == 0;
      elements[i] = none ? null : scalar(feature, i == spoiled, integers);
    }
    return Collections.unmodifiableList(Arrays.asList(elements));
  }

  private Object scalar(Feature feature, boolean bad, boolean integers) {
    return switch (feature.dtype()) {
      case INT64, TIMESTAMP -> LONGS[random.below(LONGS.length)];
      case BOOL -> random.below(2) == 0;
      case STRING -> bad ? LONE : STRINGS[random.below(STRINGS.length)];
      case FLOAT32, FLOAT64 -> {
        if (bad) {
          boolean narrow = feature.dtype() == DType.FLOAT32;
          yield feature.nonfinite() || (narrow && random.below(2) == 0)
              ? (narrow ? 1e39 : (Object) 1.5)
              : NON_FINITE[random.below(3)];
        }
        if (integers) {
          yield LONGS[random.below(LONGS.length)];
        }
        yield feature.nonfinite() && random.below(3) == 0
            ? NON_FINITE[random.below(3)]
            : FINITE[random.below(FINITE.length)];
      }
    };
  }
}
