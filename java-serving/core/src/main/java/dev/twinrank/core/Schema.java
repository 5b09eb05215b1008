package dev.twinrank.core;

import dev.twinrank.core.internal.json.Quote;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * The ordered list of a model's features. Immutable and thread-safe.
 *
 * @since 0.1
 */
public final class Schema {
  private final List<Feature> features;
  private final List<Feature> context;
  private final List<Feature> candidate;
  private final Map<String, Handle> handles;

  private Schema(List<Feature> features) {
    this.features = List.copyOf(features);
    this.context = of(Placement.CONTEXT);
    this.candidate = of(Placement.CANDIDATE);
    this.handles = new LinkedHashMap<>();
    int contexts = 0;
    int candidates = 0;
    for (Feature feature : this.features) {
      int index = feature.placement() == Placement.CONTEXT ? contexts++ : candidates++;
      if (handles.putIfAbsent(feature.name(), Handle.of(this, feature, index)) != null) {
        throw new IllegalArgumentException("feature '" + feature.name() + "' is declared twice");
      }
    }
  }

  /**
   * Returns a schema of these features, in this order.
   *
   * @throws IllegalArgumentException if two features share a name
   */
  public static Schema of(List<Feature> features) {
    return new Schema(features);
  }

  /** Returns every feature in schema order. */
  public List<Feature> features() {
    return features;
  }

  /** Returns the context features in schema order. */
  public List<Feature> context() {
    return context;
  }

  /** Returns the candidate features in schema order. */
  public List<Feature> candidate() {
    return candidate;
  }

  /** Returns the feature of that name, if it has that placement. */
  public Optional<Feature> find(Placement placement, String name) {
    return Optional.ofNullable(handles.get(name))
        .map(Handle::feature)
        .filter(feature -> feature.placement() == placement);
  }

  /**
   * Returns the handle of an int64 or timestamp.
   *
   * @throws IllegalArgumentException if there is no such feature, or it is something else
   */
  public Handle.OfLong integer(String name) {
    return handle(name, Handle.OfLong.class);
  }

  /**
   * Returns the handle of a float32 or float64.
   *
   * @throws IllegalArgumentException if there is no such feature, or it is something else
   */
  public Handle.OfDouble number(String name) {
    return handle(name, Handle.OfDouble.class);
  }

  /**
   * Returns the handle of a bool.
   *
   * @throws IllegalArgumentException if there is no such feature, or it is something else
   */
  public Handle.OfBool bool(String name) {
    return handle(name, Handle.OfBool.class);
  }

  /**
   * Returns the handle of a string.
   *
   * @throws IllegalArgumentException if there is no such feature, or it is something else
   */
  public Handle.OfString string(String name) {
    return handle(name, Handle.OfString.class);
  }

  /**
   * Returns the handle of a list or vector of int64 or timestamps.
   *
   * @throws IllegalArgumentException if there is no such feature, or it is something else
   */
  public Handle.OfLongs integers(String name) {
    return handle(name, Handle.OfLongs.class);
  }

  /**
   * Returns the handle of a list or vector of float32 or float64.
   *
   * @throws IllegalArgumentException if there is no such feature, or it is something else
   */
  public Handle.OfDoubles numbers(String name) {
    return handle(name, Handle.OfDoubles.class);
  }

  /**
   * Returns the handle of a list of bools.
   *
   * @throws IllegalArgumentException if there is no such feature, or it is something else
   */
  public Handle.OfBools bools(String name) {
    return handle(name, Handle.OfBools.class);
  }

  /**
   * Returns the handle of a list of strings.
   *
   * @throws IllegalArgumentException if there is no such feature, or it is something else
   */
  public Handle.OfStrings strings(String name) {
    return handle(name, Handle.OfStrings.class);
  }

  /** Returns the handle of a feature of any kind, or null. */
  Handle handle(String name) {
    return handles.get(name);
  }

  private <T extends Handle> T handle(String name, Class<T> kind) {
    Handle handle = handles.get(Objects.requireNonNull(name, "name"));
    if (handle == null) {
      throw new IllegalArgumentException(
          "the schema has no feature " + Quote.of(name) + "; it has " + handles.keySet());
    }
    if (!kind.isInstance(handle)) {
      throw new IllegalArgumentException(
          "feature '"
              + name
              + "' is "
              + describe(handle.feature())
              + "; take "
              + handle.method()
              + "(...)");
    }
    return kind.cast(handle);
  }

  private static String describe(Feature feature) {
    String of = feature.dtype().label();
    if (feature.list().isPresent()) {
      return "a list of " + of;
    }
    return feature.vector().isPresent() ? "a vector of " + of : "a single " + of;
  }

  private List<Feature> of(Placement placement) {
    return features.stream().filter(f -> f.placement() == placement).toList();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Schema schema && features.equals(schema.features);
  }

  @Override
  public int hashCode() {
    return features.hashCode();
  }

  @Override
  public String toString() {
    return "Schema" + features;
  }
}
