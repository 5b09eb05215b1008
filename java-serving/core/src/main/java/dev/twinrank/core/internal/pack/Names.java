package dev.twinrank.core.internal.pack;

import java.util.Set;
import java.util.regex.Pattern;

/** The names that the contract allows. */
public final class Names {
  /** Models, and outputs of graphs. */
  public static final Pattern MODEL = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}");

  /** Features. */
  public static final Pattern FEATURE = Pattern.compile("[A-Za-z_][A-Za-z0-9_]{0,63}");

  /** Groups, which must not be a block's suffix either. */
  public static final Pattern GROUP = Pattern.compile("[a-z][a-z0-9_]{0,31}");

  /** The last parts of blocks' names, which no group may have for a name. */
  public static final Set<String> SUFFIXES = Set.of("i64", "f32", "f64");

  private Names() {}
}
