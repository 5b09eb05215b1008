package dev.twinrank.core;

/**
 * The type of a feature, a packed block or a head. Immutable and thread-safe.
 *
 * <p>Blocks are {@link #INT64}, {@link #FLOAT32} or {@link #FLOAT64}; heads are {@link #FLOAT32} or
 * {@link #FLOAT64}; features are any.
 *
 * @since 0.1
 */
public enum DType {
  /** IEEE binary32. */
  FLOAT32("float32", 4),
  /** IEEE binary64. */
  FLOAT64("float64", 8),
  /** A signed 64-bit integer. */
  INT64("int64", 8),
  /** Milliseconds since 1970-01-01T00:00:00Z, packed as an int64. */
  TIMESTAMP("timestamp", 8),
  /** True or false, packed as the int64 1 or 0. */
  BOOL("bool", 8),
  /** A string, packed as its int64 key. */
  STRING("string", 8);

  private final String label;
  private final int width;

  DType(String label, int width) {
    this.label = label;
    this.width = width;
  }

  /** Returns the word that manifests use, for example {@code float32}. */
  public String label() {
    return label;
  }

  /** Returns the number of bytes that one packed value takes: 4 or 8. */
  public int width() {
    return width;
  }

  /** Returns the type of the block that holds such values. */
  public DType block() {
    return this == FLOAT32 || this == FLOAT64 ? this : INT64;
  }
}
