package dev.twinrank.junit;

import dev.twinrank.core.DType;
import dev.twinrank.core.Head;
import dev.twinrank.junit.Answer.Ranked;
import dev.twinrank.junit.Answer.Refused;
import dev.twinrank.junit.Answer.Row;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** Compares two answers to one request, and says in words where they differ first. */
final class Difference {
  private static final String SCORE = "score";

  private final Map<String, DType> outputs = new LinkedHashMap<>();

  Difference(List<Head> heads, Head score) {
    heads.forEach(head -> outputs.put(head.name(), head.dtype()));
    outputs.put(SCORE, score.dtype());
  }

  /** Returns the first difference with what to do about it, or nothing. */
  Optional<String> between(Answer expected, Answer actual) {
    if (expected instanceof Ranked ranked && actual instanceof Ranked other) {
      return rankings(ranked, other);
    }
    if (expected.equals(actual)) {
      return Optional.empty();
    }
    return Optional.of(
        "decided otherwise\n  expected "
            + said(expected)
            + "\n  actual   "
            + said(actual)
            + "\n  to do: hand the request's bytes to the model as they came, and its ScoringException to the"
            + " caller with code, feature and candidate");
  }

  private Optional<String> rankings(Ranked expected, Ranked actual) {
    if (expected.candidates() != actual.candidates()) {
      return Optional.of(
          actual.candidates()
              + " candidates instead of "
              + expected.candidates()
              + "\n  to do: count all that the request holds, also those that k cuts");
    }
    Map<Integer, Row> rows = new LinkedHashMap<>();
    expected.ranking().forEach(row -> rows.put(row.index(), row));
    expected.dropped().forEach(row -> rows.put(row.index(), row));
    List<Row> shown = new ArrayList<>(actual.ranking());
    shown.addAll(actual.dropped());
    // Values first: a wrong score explains a wrong order, and not the other way round.
    for (Row row : shown) {
      Row told = rows.get(row.index());
      Optional<String> difference = told == null ? Optional.empty() : row(told, row);
      if (difference.isPresent()) {
        return difference;
      }
    }
    return indices("dropped", expected.dropped(), actual.dropped())
        .map(told -> told + "\n  to do: list every candidate whose score is NaN, rank none of them")
        .or(
            () ->
                indices("the order", expected.ranking(), actual.ranking())
                    .map(
                        told ->
                            told
                                + "\n  to do: show candidates in the ranking's order; equal scores rank by index,"
                                + " and k cuts after that"));
  }

  /** Returns the first output of one candidate that differs. */
  Optional<String> row(Row expected, Row actual) {
    if (!expected.heads().keySet().equals(actual.heads().keySet())) {
      return Optional.of(
          "candidate "
              + actual.index()
              + " has the heads "
              + actual.heads().keySet()
              + " instead of "
              + expected.heads().keySet()
              + "\n  to do: show every head under the bundle's own name");
    }
    for (Map.Entry<String, DType> output : outputs.entrySet()) {
      String name = output.getKey();
      double one = name.equals(SCORE) ? expected.score() : expected.heads().get(name);
      double other = name.equals(SCORE) ? actual.score() : actual.heads().get(name);
      // Widening is exact and injective but for NaN, so equal bits widened are equal bits.
      if (Double.doubleToLongBits(one) != Double.doubleToLongBits(other)) {
        return Optional.of(
            String.format(
                Locale.ROOT,
                "candidate %d, %s%n  expected %s%n  actual   %s%n  %s%n  to do: pass values on as they are: no"
                    + " rounding, no text in between, no cache that another request filled",
                actual.index(),
                name.equals(SCORE) ? "the score" : "head '" + name + "'",
                shown(one, output.getValue()),
                shown(other, output.getValue()),
                apart(one, other, output.getValue())));
      }
    }
    return Optional.empty();
  }

  private static Optional<String> indices(String what, List<Row> expected, List<Row> actual) {
    List<Integer> one = expected.stream().map(Row::index).toList();
    List<Integer> other = actual.stream().map(Row::index).toList();
    if (one.equals(other)) {
      return Optional.empty();
    }
    int place = 0;
    while (place < Math.min(one.size(), other.size()) && one.get(place).equals(other.get(place))) {
      place++;
    }
    return Optional.of(
        what
            + " differs from place "
            + place
            + "\n  expected "
            + from(one, place)
            + "\n  actual   "
            + from(other, place));
  }

  private static String from(List<Integer> indices, int place) {
    int end = Math.min(indices.size(), place + 12);
    return indices.subList(place, end)
        + (end < indices.size() ? " and " + (indices.size() - end) + " more" : "");
  }

  static String said(Answer answer) {
    if (answer instanceof Refused refused) {
      return refused.code()
          + refused.feature().map(name -> ", feature '" + name + "'").orElse("")
          + (refused.candidate().isPresent()
              ? ", candidate " + refused.candidate().getAsInt()
              : "");
    }
    return "scores for " + ((Ranked) answer).candidates() + " candidates";
  }

  private static boolean narrow(double value, DType dtype) {
    return dtype == DType.FLOAT32 && (Double.isNaN(value) || (double) (float) value == value);
  }

  private static String shown(double value, DType dtype) {
    return narrow(value, dtype)
        ? String.format(Locale.ROOT, "%s  bits %08x", value, Float.floatToIntBits((float) value))
        : String.format(
            Locale.ROOT,
            "%s  bits %016x%s",
            value,
            Double.doubleToLongBits(value),
            dtype == DType.FLOAT32 ? ", which no float32 has" : "");
  }

  private static String apart(double one, double other, DType dtype) {
    if (Double.isNaN(one) || Double.isNaN(other)) {
      return "a NaN and a number have no distance";
    }
    BigInteger steps =
        narrow(one, dtype) && narrow(other, dtype)
            ? line(Float.floatToIntBits((float) one), Integer.MAX_VALUE)
                .subtract(line(Float.floatToIntBits((float) other), Integer.MAX_VALUE))
            : line(Double.doubleToLongBits(one), Long.MAX_VALUE)
                .subtract(line(Double.doubleToLongBits(other), Long.MAX_VALUE));
    return String.format(
        Locale.ROOT, "%,d ULP apart, %.3g in numbers", steps.abs(), Math.abs(one - other));
  }

  /** Places bits on the line from minus to plus infinity, on which both zeros are one point. */
  private static BigInteger line(long bits, long magnitude) {
    BigInteger place = BigInteger.valueOf(bits & magnitude);
    return bits >= 0 ? place : place.negate();
  }
}
