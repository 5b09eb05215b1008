package dev.twinrank.core;

import java.util.Objects;

/**
 * A feature whose name and type have been looked up: what a {@link Slate} is written with.
 * Immutable and thread-safe; take handles once, when the model has been opened, and keep them.
 *
 * <pre>{@code
 * Handle.OfString item = model.schema().string("item");
 * Handle.OfDouble price = model.schema().number("price");
 * }</pre>
 *
 * <p>The kind of a handle says which Java values the feature takes, so that a value of another type
 * does not compile. A handle belongs to no model: it works for every one whose schema has a feature
 * of that name and placement that takes such values, and is quickest for schemas that are equal to
 * the one it came from.
 *
 * @since 0.1
 */
public abstract sealed class Handle {
  private final Schema schema;
  private final Feature feature;
  private final int index;
  private final String method;

  private Handle(Schema schema, Feature feature, int index, String method) {
    this.schema = schema;
    this.feature = Objects.requireNonNull(feature, "feature");
    this.index = index;
    this.method = method;
  }

  /** Returns the feature, as the schema that gave this handle declares it. */
  public Feature feature() {
    return feature;
  }

  /** Returns the schema that gave this handle. */
  Schema schema() {
    return schema;
  }

  /** Returns the feature's place among those of its placement in that schema. */
  int index() {
    return index;
  }

  /** Returns the method of a schema that gives such handles. */
  String method() {
    return method;
  }

  /** Returns what the handle stands for, for example {@code OfString(item)}. */
  @Override
  public String toString() {
    return getClass().getSimpleName() + "(" + feature.name() + ")";
  }

  /** Returns the handle of a feature. */
  static Handle of(Schema schema, Feature feature, int index) {
    boolean sequence = feature.list().isPresent() || feature.vector().isPresent();
    return switch (feature.dtype()) {
      case INT64, TIMESTAMP ->
          sequence ? new OfLongs(schema, feature, index) : new OfLong(schema, feature, index);
      case FLOAT32, FLOAT64 ->
          sequence ? new OfDoubles(schema, feature, index) : new OfDouble(schema, feature, index);
      case BOOL ->
          sequence ? new OfBools(schema, feature, index) : new OfBool(schema, feature, index);
      case STRING ->
          sequence ? new OfStrings(schema, feature, index) : new OfString(schema, feature, index);
    };
  }

  /**
   * An int64 or a timestamp (milliseconds since 1970-01-01T00:00:00Z). Immutable and thread-safe.
   *
   * @since 0.1
   */
  public static final class OfLong extends Handle {
    private OfLong(Schema schema, Feature feature, int index) {
      super(schema, feature, index, "integer");
    }
  }

  /**
   * A float32 or a float64. Immutable and thread-safe.
   *
   * @since 0.1
   */
  public static final class OfDouble extends Handle {
    private OfDouble(Schema schema, Feature feature, int index) {
      super(schema, feature, index, "number");
    }
  }

  /**
   * A bool. Immutable and thread-safe.
   *
   * @since 0.1
   */
  public static final class OfBool extends Handle {
    private OfBool(Schema schema, Feature feature, int index) {
      super(schema, feature, index, "bool");
    }
  }

  /**
   * A string. Immutable and thread-safe.
   *
   * @since 0.1
   */
  public static final class OfString extends Handle {
    private OfString(Schema schema, Feature feature, int index) {
      super(schema, feature, index, "string");
    }
  }

  /**
   * A list or vector of int64 or timestamps. Immutable and thread-safe.
   *
   * @since 0.1
   */
  public static final class OfLongs extends Handle {
    private OfLongs(Schema schema, Feature feature, int index) {
      super(schema, feature, index, "integers");
    }
  }

  /**
   * A list or vector of float32 or float64. Immutable and thread-safe.
   *
   * @since 0.1
   */
  public static final class OfDoubles extends Handle {
    private OfDoubles(Schema schema, Feature feature, int index) {
      super(schema, feature, index, "numbers");
    }
  }

  /**
   * A list of bools. Immutable and thread-safe.
   *
   * @since 0.1
   */
  public static final class OfBools extends Handle {
    private OfBools(Schema schema, Feature feature, int index) {
      super(schema, feature, index, "bools");
    }
  }

  /**
   * A list of strings. Immutable and thread-safe.
   *
   * @since 0.1
   */
  public static final class OfStrings extends Handle {
    private OfStrings(Schema schema, Feature feature, int index) {
      super(schema, feature, index, "strings");
    }
  }
}
