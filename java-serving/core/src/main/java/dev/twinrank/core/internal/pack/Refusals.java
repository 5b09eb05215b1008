package dev.twinrank.core.internal.pack;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.Feature;
import dev.twinrank.core.Placement;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.internal.json.Quote;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;

/** Makes the exceptions of refused requests: what was given, what is allowed, where, what to do. */
public final class Refusals {
  private Refusals() {}

  /** Refuses a request as a whole. */
  public static ScoringException request(ErrorCode code, String message) {
    return request(code, message, null);
  }

  /** Refuses a request as a whole, because of what the runtime said. */
  public static ScoringException request(ErrorCode code, String message, Throwable cause) {
    return new ScoringException(code, message, Optional.empty(), OptionalInt.empty(), cause);
  }

  /** Refuses a request because of one candidate. */
  public static ScoringException candidate(ErrorCode code, int candidate, String message) {
    return new ScoringException(code, message, Optional.empty(), OptionalInt.of(candidate), null);
  }

  /** Refuses a request with more candidates than a model takes. */
  public static ScoringException tooMany(int maxCandidates) {
    return candidate(
        ErrorCode.TOO_MANY_CANDIDATES,
        maxCandidates,
        "the request has more than "
            + maxCandidates
            + " candidates, the most that this model takes; split it");
  }

  /** Refuses a request because of a column of candidates that is none, or of another length. */
  static ScoringException column(Feature feature, OptionalInt candidate, String what) {
    return feature(
        ErrorCode.INVALID_REQUEST,
        "column '"
            + feature.name()
            + "' of the candidates "
            + what
            + "; send arrays of one length, with one element a candidate",
        feature.name(),
        candidate);
  }

  static ScoringException unknown(
      PackPlan.Side side, PackPlan.Side other, String name, OptionalInt candidate) {
    String hint =
        other.byName().containsKey(name)
            ? "; it is a feature of the " + other.placement().label()
            : nearest(side.byName(), name);
    // Only what could be a feature's name is worth a field of its own.
    return new ScoringException(
        ErrorCode.UNKNOWN_FEATURE,
        Quote.of(name) + " is no feature of " + place(side.placement(), candidate) + hint,
        Optional.of(name).filter(given -> Names.FEATURE.matcher(given).matches()),
        candidate,
        null);
  }

  static ScoringException missing(Feature feature, OptionalInt candidate) {
    return feature(
        ErrorCode.MISSING_FEATURE,
        "feature '"
            + feature.name()
            + "' of "
            + place(feature.placement(), candidate)
            + " is absent or null; send "
            + allowed(feature)
            + ", or export a model whose policy for missing values is not 'error'",
        feature.name(),
        candidate);
  }

  static ScoringException invalid(
      ErrorCode code, Feature feature, OptionalInt candidate, String given) {
    return feature(
        code,
        "feature '"
            + feature.name()
            + "' of "
            + place(feature.placement(), candidate)
            + " was given "
            + given
            + ": "
            + code.meaning()
            + "; send "
            + allowed(feature),
        feature.name(),
        candidate);
  }

  static ScoringException unseen(Feature feature, OptionalInt candidate, long count) {
    return feature(
        ErrorCode.UNSEEN_VALUE,
        "feature '"
            + feature.name()
            + "' of "
            + place(feature.placement(), candidate)
            + " holds what the model's vocabulary does not ("
            + count
            + (count == 1 ? " value" : " values")
            + "); send known values, or export a model whose policy for unseen values is not"
            + " 'error'",
        feature.name(),
        candidate);
  }

  static ScoringException lengths(
      PackPlan.Group group, Slot odd, int length, int expected, OptionalInt candidate) {
    return feature(
        ErrorCode.LENGTH_MISMATCH,
        "feature '"
            + odd.feature().name()
            + "' of "
            + place(odd.feature().placement(), candidate)
            + " has "
            + length
            + " elements, but '"
            + group.members().get(0).feature().name()
            + "' of the same group '"
            + group.name()
            + "' has "
            + expected
            + "; send lists of one length",
        odd.feature().name(),
        candidate);
  }

  private static ScoringException feature(
      ErrorCode code, String message, String feature, OptionalInt candidate) {
    return new ScoringException(code, message, Optional.of(feature), candidate, null);
  }

  private static String place(Placement placement, OptionalInt candidate) {
    if (placement == Placement.CONTEXT) {
      return "the context";
    }
    return candidate.isPresent() ? "candidate " + candidate.getAsInt() : "the candidates";
  }

  private static String allowed(Feature feature) {
    String one =
        switch (feature.dtype()) {
          case FLOAT32 -> feature.nonfinite() ? floats("float32") : "a number that float32 holds";
          case FLOAT64 -> feature.nonfinite() ? floats("float64") : "a number that float64 holds";
          case INT64 -> "an integer literal of 64 bits";
          case TIMESTAMP -> "an integer literal, milliseconds since 1970-01-01T00:00:00Z";
          case BOOL -> "true or false";
          case STRING -> "a string without lone surrogates";
        };
    if (feature.vector().isPresent()) {
      return "an array of exactly " + feature.vector().get().length() + ", each element " + one;
    }
    return feature.list().isPresent() ? "an array, each element " + one : one;
  }

  private static String floats(String dtype) {
    return "a number that " + dtype + " holds, or 'NaN', 'Infinity' or '-Infinity'";
  }

  private static String nearest(Map<String, Slot> slots, String name) {
    TreeMap<Integer, String> byDistance = new TreeMap<>();
    if (name.length() <= 2 * 64) {
      slots.keySet().forEach(known -> byDistance.putIfAbsent(distance(known, name), known));
    }
    return byDistance.isEmpty() || byDistance.firstKey() > 2
        ? "; the features are " + slots.keySet()
        : "; did you mean '" + byDistance.firstEntry().getValue() + "'?";
  }

  /** Returns Levenshtein's distance. */
  private static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int above = row[j];
        int change = a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1;
        row[j] = Math.min(Math.min(above, row[j - 1]) + 1, diagonal + change);
        diagonal = above;
      }
    }
    return row[b.length()];
  }
}
