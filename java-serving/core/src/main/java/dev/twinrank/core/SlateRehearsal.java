package dev.twinrank.core;

import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.json.InvalidJson;
import dev.twinrank.core.internal.json.JsonCursor;
import dev.twinrank.core.internal.json.JsonTree;
import dev.twinrank.core.internal.json.JsonTree.Literal;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Writes requests in JSON as slates, so that a warm-up goes the way of those who embed a model too.
 * Not thread-safe.
 */
final class SlateRehearsal {
  private static final int DEPTH = 64;

  private final Model model;
  private final List<Handle> context = new ArrayList<>();
  private final List<Handle> candidate = new ArrayList<>();

  /** Values as a slate takes them, in the order of the handles; null is missing. */
  private record Values(List<Object> context, List<List<Object>> columns, int candidates) {}

  SlateRehearsal(Model model) {
    this.model = model;
    Schema schema = model.schema();
    schema.context().forEach(feature -> context.add(schema.handle(feature.name())));
    schema.candidate().forEach(feature -> candidate.add(schema.handle(feature.name())));
  }

  /**
   * Returns what ranks a sound request as a slate.
   *
   * @return empty if a slate cannot hold it: one of a wrong type that the policy absorbs, or what
   *     gives other bytes, as an integer that is minus zero does
   */
  Optional<Supplier<Scores>> of(byte[] json) {
    List<ByteBuffer> packed = model.parse(json).slate().blocks();
    Values values;
    try {
      values = values(object(JsonTree.read(json, JsonCursor.factory(DEPTH))));
      try (Slate slate = model.slate(values.candidates())) {
        write(slate, values);
        Workspace workspace = slate.finish();
        for (int i = 0; i < packed.size() && values.candidates() > 0; i++) {
          if (workspace.input(i).duplicate().rewind().mismatch(packed.get(i).rewind()) >= 0) {
            return Optional.empty();
          }
        }
      }
    } catch (ClassCastException | NumberFormatException | InvalidJson e) {
      return Optional.empty(); // of a wrong type, perhaps a deep one, or beyond a long
    } catch (ScoringException e) {
      if (e.code() == ErrorCode.MEMORY_EXHAUSTED) {
        throw e;
      }
      return Optional.empty();
    }
    return Optional.of(
        () -> {
          try (Slate slate = model.slate(values.candidates())) {
            write(slate, values);
            return model.rank(slate).scores();
          }
        });
  }

  private Values values(Map<String, Object> request) {
    Map<String, Object> given = object(request.getOrDefault("context", Map.of()));
    List<Object> rows = elements(request.getOrDefault("candidates", List.of()));
    List<Object> scalars = new ArrayList<>();
    context.forEach(handle -> scalars.add(value(handle, given)));
    List<List<Object>> columns = new ArrayList<>();
    for (Handle handle : candidate) {
      List<Object> column = new ArrayList<>();
      rows.forEach(row -> column.add(value(handle, object(row))));
      columns.add(column);
    }
    return new Values(scalars, columns, rows.size());
  }

  private static Object value(Handle handle, Map<String, Object> members) {
    Object value = members.get(handle.feature().name());
    if (value == null || value == JsonTree.NULL) {
      return null;
    }
    // No pattern switch before Java 21.
    if (handle instanceof Handle.OfLong) {
      return integer(value);
    } else if (handle instanceof Handle.OfDouble) {
      return number(value);
    } else if (handle instanceof Handle.OfBool) {
      return (Boolean) value;
    } else if (handle instanceof Handle.OfString) {
      return (String) value;
    } else if (handle instanceof Handle.OfLongs) {
      return elements(value).stream().mapToLong(SlateRehearsal::integer).toArray();
    } else if (handle instanceof Handle.OfDoubles) {
      return elements(value).stream().mapToDouble(SlateRehearsal::number).toArray();
    } else if (handle instanceof Handle.OfBools) {
      List<Object> elements = elements(value);
      boolean[] bools = new boolean[elements.size()];
      for (int i = 0; i < bools.length; i++) {
        bools[i] = (Boolean) elements.get(i);
      }
      return bools;
    }
    return elements(value).stream().map(String.class::cast).toArray(String[]::new);
  }

  private static long integer(Object value) {
    return Long.parseLong(((Literal) value).text());
  }

  /** Returns the nearest float64, which an integer for a float becomes first, too. */
  private static double number(Object value) {
    return Double.parseDouble(value instanceof String word ? word : ((Literal) value).text());
  }

  @SuppressWarnings("unchecked") // the reader of JSON gives no other map
  private static Map<String, Object> object(Object value) {
    return (Map<String, Object>) value;
  }

  @SuppressWarnings("unchecked") // nor another list
  private static List<Object> elements(Object value) {
    return (List<Object>) value;
  }

  private void write(Slate slate, Values values) {
    for (int i = 0; i < context.size(); i++) {
      if (values.context().get(i) != null) {
        set(slate, context.get(i), values.context().get(i));
      }
    }
    for (int i = 0; i < candidate.size(); i++) {
      List<Object> column = values.columns().get(i);
      if (!column(slate, candidate.get(i), column)) {
        for (int row = 0; row < column.size(); row++) {
          if (column.get(row) != null) {
            set(slate, row, candidate.get(i), column.get(row));
          }
        }
      }
    }
  }

  /** Gives a whole column, unless it cannot be one. */
  private static boolean column(Slate slate, Handle handle, List<Object> values) {
    if (handle instanceof Handle.OfString it) {
      slate.column(it, values.toArray(String[]::new));
    } else if (values.stream().anyMatch(Objects::isNull)) {
      return false;
    } else if (handle instanceof Handle.OfLong it) {
      slate.column(it, values.stream().mapToLong(Long.class::cast).toArray());
    } else if (handle instanceof Handle.OfDouble it) {
      slate.column(it, values.stream().mapToDouble(Double.class::cast).toArray());
    } else {
      return false;
    }
    return true;
  }

  private static void set(Slate slate, Handle handle, Object value) {
    if (handle instanceof Handle.OfLong it) {
      slate.set(it, (Long) value);
    } else if (handle instanceof Handle.OfDouble it) {
      slate.set(it, (Double) value);
    } else if (handle instanceof Handle.OfBool it) {
      slate.set(it, (Boolean) value);
    } else if (handle instanceof Handle.OfString it) {
      slate.set(it, (String) value);
    } else if (handle instanceof Handle.OfLongs it) {
      slate.set(it, (long[]) value);
    } else if (handle instanceof Handle.OfDoubles it) {
      slate.set(it, (double[]) value);
    } else if (handle instanceof Handle.OfBools it) {
      slate.set(it, (boolean[]) value);
    } else if (handle instanceof Handle.OfStrings it) {
      slate.set(it, (String[]) value);
    }
  }

  private static void set(Slate slate, int row, Handle handle, Object value) {
    if (handle instanceof Handle.OfLong it) {
      slate.set(row, it, (Long) value);
    } else if (handle instanceof Handle.OfDouble it) {
      slate.set(row, it, (Double) value);
    } else if (handle instanceof Handle.OfBool it) {
      slate.set(row, it, (Boolean) value);
    } else if (handle instanceof Handle.OfLongs it) {
      slate.set(row, it, (long[]) value);
    } else if (handle instanceof Handle.OfDoubles it) {
      slate.set(row, it, (double[]) value);
    } else if (handle instanceof Handle.OfBools it) {
      slate.set(row, it, (boolean[]) value);
    } else if (handle instanceof Handle.OfStrings it) {
      slate.set(row, it, (String[]) value);
    }
  }
}
