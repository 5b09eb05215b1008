package dev.twinrank.core;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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
  private final Map<String, Feature> byName;

  private Schema(List<Feature> features) {
    this.features = List.copyOf(features);
    this.context = of(Placement.CONTEXT);
    this.candidate = of(Placement.CANDIDATE);
    this.byName = new LinkedHashMap<>();
    for (Feature feature : this.features) {
      if (byName.putIfAbsent(feature.name(), feature) != null) {
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
    return Optional.ofNullable(byName.get(name)).filter(f -> f.placement() == placement);
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
