package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.internal.json.JsonTree;
import dev.twinrank.core.internal.json.JsonTree.Literal;
import dev.twinrank.core.internal.json.Quote;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** Checks of JSON values that report everything wrong at once, each with its JSON pointer. */
final class Fields {
  private static final String EXTENSION = "x-";

  /** Where problems go. */
  interface Report {
    void problem(String at, String detail);
  }

  /** Checks one value. */
  interface Check {
    void check(Object value, String at, Report report);
  }

  private Fields() {}

  static Check integer(long low, long high) {
    return (value, at, report) -> {
      if (!(value instanceof Literal literal) || !literal.integer()) {
        report.problem(at, "is " + show(value) + "; expected an integer");
      } else {
        Long number = asLong(literal);
        if (number == null || number < low || number > high) {
          report.problem(
              at, "is " + show(value) + "; expected an integer from " + low + " to " + high);
        }
      }
    };
  }

  static Check number(double low) {
    return (value, at, report) -> {
      if (!(value instanceof Literal literal)) {
        report.problem(at, "is " + show(value) + "; expected a number");
        return;
      }
      double nearest = Double.parseDouble(literal.text());
      if (nearest < low || Double.isInfinite(nearest)) {
        report.problem(
            at,
            "is " + show(value) + "; expected a number of at least " + low + " that float64 holds");
      }
    };
  }

  static Check bool() {
    return (value, at, report) -> {
      if (!(value instanceof Boolean)) {
        report.problem(at, "is " + show(value) + "; expected true or false");
      }
    };
  }

  static Check oneOf(String... allowed) {
    return (value, at, report) -> {
      if (!(value instanceof String text) || !Arrays.asList(allowed).contains(text)) {
        report.problem(at, "is " + show(value) + "; expected one of " + String.join(", ", allowed));
      }
    };
  }

  static Check text(Pattern pattern) {
    return (value, at, report) -> {
      if (!(value instanceof String text) || !pattern.matcher(text).matches()) {
        report.problem(
            at, "is " + show(value) + "; expected a string that matches " + pattern.pattern());
      }
    };
  }

  static Check array(Check element, int low, int high) {
    return (value, at, report) -> {
      if (!(value instanceof List<?> list)) {
        report.problem(at, "is " + show(value) + "; expected an array");
        return;
      }
      if (list.size() < low || list.size() > high) {
        report.problem(at, "has " + list.size() + " elements; expected " + low + " to " + high);
      }
      for (int i = 0; i < list.size(); i++) {
        element.check(list.get(i), at + "/" + i, report);
      }
    };
  }

  static Check anyObject() {
    return (value, at, report) -> {
      if (!(value instanceof Map)) {
        report.problem(at, "is " + show(value) + "; expected an object");
      }
    };
  }

  /** An object of exactly these fields, and any whose names begin with {@code x-}. */
  static Check closed(Map<String, Check> required) {
    return closed(required, Map.of());
  }

  static Check closed(Map<String, Check> required, Map<String, Check> optional) {
    Map<String, Check> known = new LinkedHashMap<>(required);
    known.putAll(optional);
    return (value, at, report) -> {
      if (!(value instanceof Map<?, ?> object)) {
        report.problem(at, "is " + show(value) + "; expected an object");
        return;
      }
      for (String name : required.keySet()) {
        if (!object.containsKey(name)) {
          report.problem(at + "/" + name, "is absent; it is required");
        }
      }
      for (Map.Entry<?, ?> member : object.entrySet()) {
        String name = (String) member.getKey();
        String here = at + "/" + pointer(name);
        if (known.containsKey(name)) {
          known.get(name).check(member.getValue(), here, report);
        } else if (!name.startsWith(EXTENSION)) {
          report.problem(
              here,
              "is unknown; known here: "
                  + new TreeSet<>(known.keySet())
                  + " and names that begin with "
                  + EXTENSION);
        }
      }
    };
  }

  /** An object of at least one entry whose names match, or begin with {@code x-} if allowed. */
  static Check mapping(Pattern key, Check element, boolean extensible) {
    return (value, at, report) -> {
      if (!(value instanceof Map<?, ?> object)) {
        report.problem(at, "is " + show(value) + "; expected an object");
        return;
      }
      int entries = 0;
      for (Map.Entry<?, ?> member : object.entrySet()) {
        String name = (String) member.getKey();
        String here = at + "/" + pointer(name);
        if (extensible && name.startsWith(EXTENSION)) {
          continue;
        }
        entries++;
        if (!key.matcher(name).matches()) {
          report.problem(here, "names must match " + key.pattern());
        } else {
          element.check(member.getValue(), here, report);
        }
      }
      if (entries == 0) {
        report.problem(at, "has no entries; expected at least one");
      }
    };
  }

  /** Returns one step of a JSON pointer (RFC 6901), with everything odd as an escape. */
  static String pointer(String name) {
    String quoted = Quote.of(name);
    boolean plain = quoted.length() == name.length() + 2;
    return (plain ? name : quoted).replace("~", "~0").replace("/", "~1");
  }

  /** Returns the value without members whose names begin with {@code x-}, at every level. */
  static Object withoutExtensions(Object value) {
    if (value instanceof Map<?, ?> object) {
      Map<String, Object> kept = new LinkedHashMap<>();
      object.forEach(
          (name, item) -> {
            if (!((String) name).startsWith(EXTENSION)) {
              kept.put((String) name, withoutExtensions(item));
            }
          });
      return kept;
    }
    return value instanceof List<?> list
        ? list.stream().map(Fields::withoutExtensions).toList()
        : value;
  }

  /** Returns the integer, or null if 64 bits do not hold it. */
  static Long asLong(Literal literal) {
    try {
      return Long.valueOf(literal.text());
    } catch (NumberFormatException e) {
      return null; // an integer literal already, so that only its size can be wrong
    }
  }

  static String show(Object value) {
    if (value instanceof String text) {
      return Quote.of(text);
    }
    if (value instanceof Map) {
      return "an object";
    }
    if (value instanceof List) {
      return "an array";
    }
    return value == JsonTree.NULL || value instanceof Boolean
        ? value.toString()
        : "the number " + Quote.of(value.toString());
  }
}
