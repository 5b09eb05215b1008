package dev.twinrank.core;

import dev.twinrank.core.internal.pack.Counts;
import dev.twinrank.core.internal.pack.PackedSlate;
import dev.twinrank.core.internal.request.RequestReader;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A request as values, which can be given to each way into the graph. Values are Long, Double,
 * Boolean, String, lists of these, or null.
 *
 * @param context the context's values
 * @param candidates the candidates' values
 */
record Sample(Map<String, Object> context, List<Map<String, Object>> candidates) {

  /** What came out: every block's bytes, or what was wrong and where. */
  record Outcome(List<String> blocks, String refusal) {
    static Outcome of(ScoringException e) {
      return new Outcome(null, e.code().code() + " " + e.feature() + " " + e.candidate());
    }

    static Outcome of(List<byte[]> blocks) {
      return new Outcome(
          blocks.stream().map(bytes -> java.util.HexFormat.of().formatHex(bytes)).toList(), null);
    }
  }

  Outcome asJson(FakeGraph graph) {
    return asJson(graph, new Counts(graph.plan));
  }

  /** Gives it as JSON, and counts what the policies absorb. */
  Outcome asJson(FakeGraph graph, Counts counts) {
    return asJson(graph, counts, rows());
  }

  /** Gives it as JSON with a column for each candidate feature, where there is one to be had. */
  Outcome asColumns(FakeGraph graph, Counts counts) {
    return asJson(graph, counts, columns(graph.plan.schema()));
  }

  /** Returns it as a JSON document. */
  Map<String, Object> rows() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("context", json(context));
    document.put("candidates", candidates.stream().map(Sample::json).toList());
    return document;
  }

  /** Returns it as a JSON document with columns; with rows if no feature is a candidate's. */
  Map<String, Object> columns(Schema schema) {
    Map<String, Object> columns = new LinkedHashMap<>();
    for (Feature feature : schema.candidate()) {
      columns.put(
          feature.name(), candidates.stream().map(each -> json(each.get(feature.name()))).toList());
    }
    Map<String, Object> document = rows();
    if (!columns.isEmpty()) {
      document.put("candidates", columns);
    }
    return document;
  }

  private static Outcome asJson(FakeGraph graph, Counts counts, Map<String, Object> document) {
    byte[] text = Tiny.utf8(JsonText.of(document));
    try {
      return outcome(new RequestReader(graph.plan, 1000).read(text, counts));
    } catch (ScoringException e) {
      return Outcome.of(e);
    }
  }

  Outcome asBuilder(FakeGraph graph) {
    RankRequest.Builder builder = new RankRequest.Builder(graph.plan, 1000, graph.observation);
    try {
      context.forEach((name, value) -> build(builder, name, value, false));
      for (Map<String, Object> candidate : candidates) {
        builder.candidate();
        candidate.forEach((name, value) -> build(builder, name, value, true));
      }
      return outcome(builder.build().slate());
    } catch (ScoringException e) {
      return Outcome.of(e);
    }
  }

  Outcome byRow(FakeGraph graph, Slate slate) {
    try {
      slate.reset(candidates.size());
      for (Map.Entry<String, Object> each : context.entrySet()) {
        set(slate, -1, graph.plan.schema().handle(each.getKey()), each.getValue());
      }
      for (int i = 0; i < candidates.size(); i++) {
        for (Map.Entry<String, Object> each : candidates.get(i).entrySet()) {
          set(slate, i, graph.plan.schema().handle(each.getKey()), each.getValue());
        }
      }
      return Outcome.of(graph.bytes(slate));
    } catch (ScoringException e) {
      return Outcome.of(e);
    }
  }

  /** Gives whole columns where every candidate has a value, or its null can stand in a column. */
  Outcome byColumn(FakeGraph graph, Slate slate) {
    try {
      slate.reset(candidates.size());
      for (Feature feature : graph.plan.schema().candidate()) {
        Handle handle = graph.plan.schema().handle(feature.name());
        List<Object> values = new ArrayList<>();
        candidates.forEach(candidate -> values.add(candidate.get(feature.name())));
        if (!column(slate, handle, values)) {
          for (int i = 0; i < values.size(); i++) {
            set(slate, i, handle, values.get(i));
          }
        }
      }
      for (Map.Entry<String, Object> each : context.entrySet()) {
        set(slate, -1, graph.plan.schema().handle(each.getKey()), each.getValue());
      }
      return Outcome.of(graph.bytes(slate));
    } catch (ScoringException e) {
      return Outcome.of(e);
    }
  }

  private static Outcome outcome(PackedSlate slate) {
    List<byte[]> blocks = new ArrayList<>();
    for (ByteBuffer block : slate.blocks()) {
      byte[] bytes = new byte[block.limit()];
      block.get(0, bytes);
      blocks.add(bytes);
    }
    return Outcome.of(blocks);
  }

  private static Object json(Object value) {
    if (value instanceof Map<?, ?> members) {
      Map<String, Object> printed = new LinkedHashMap<>();
      members.forEach((name, each) -> printed.put((String) name, json(each)));
      return printed;
    }
    if (value instanceof List<?> elements) {
      return elements.stream().map(Sample::json).toList();
    }
    boolean word = value instanceof Double number && !Double.isFinite(number);
    return word ? value.toString() : Optional.ofNullable(value).orElse(NULL);
  }

  private static final Object NULL =
      new Object() {
        @Override
        public String toString() {
          return "null";
        }
      };

  private static void build(
      RankRequest.Builder builder, String name, Object value, boolean candidate) {
    if (value instanceof Long each) {
      RankRequest.Builder ignored =
          candidate ? builder.set(name, each) : builder.context(name, each);
    } else if (value instanceof Double each) {
      RankRequest.Builder ignored =
          candidate ? builder.set(name, each) : builder.context(name, each);
    } else if (value instanceof Boolean each) {
      RankRequest.Builder ignored =
          candidate ? builder.set(name, each) : builder.context(name, each);
    } else if (value == null || value instanceof String) {
      String each = (String) value;
      RankRequest.Builder ignored =
          candidate ? builder.set(name, each) : builder.context(name, each);
    } else if (all(value, Long.class)) {
      RankRequest.Builder ignored =
          candidate ? builder.set(name, longs(value)) : builder.context(name, longs(value));
    } else if (all(value, Double.class)) {
      RankRequest.Builder ignored =
          candidate ? builder.set(name, doubles(value)) : builder.context(name, doubles(value));
    } else if (all(value, Boolean.class)) {
      RankRequest.Builder ignored =
          candidate ? builder.set(name, bools(value)) : builder.context(name, bools(value));
    } else {
      RankRequest.Builder ignored =
          candidate ? builder.set(name, strings(value)) : builder.context(name, strings(value));
    }
  }

  /** Sets a value of a candidate, or of the context if there is none. */
  static void set(Slate slate, int row, Handle handle, Object value) {
    boolean context = row < 0;
    if (handle instanceof Handle.OfLong it && value != null) {
      long each = (Long) value;
      if (context) {
        slate.set(it, each);
      } else {
        slate.set(row, it, each);
      }
    } else if (handle instanceof Handle.OfDouble it && value instanceof Long each) {
      if (context) {
        slate.set(it, (long) each);
      } else {
        slate.set(row, it, (long) each);
      }
    } else if (handle instanceof Handle.OfDouble it && value != null) {
      double each = (Double) value;
      if (context) {
        slate.set(it, each);
      } else {
        slate.set(row, it, each);
      }
    } else if (handle instanceof Handle.OfBool it && value != null) {
      boolean each = (Boolean) value;
      if (context) {
        slate.set(it, each);
      } else {
        slate.set(row, it, each);
      }
    } else if (handle instanceof Handle.OfString it) {
      if (context) {
        slate.set(it, (String) value);
      } else {
        slate.set(row, it, (String) value);
      }
    } else if (handle instanceof Handle.OfLongs it) {
      if (context) {
        slate.set(it, longs(value));
      } else {
        slate.set(row, it, longs(value));
      }
    } else if (handle instanceof Handle.OfDoubles it && value != null && all(value, Long.class)) {
      if (context) {
        slate.set(it, longs(value));
      } else {
        slate.set(row, it, longs(value));
      }
    } else if (handle instanceof Handle.OfDoubles it) {
      if (context) {
        slate.set(it, doubles(value));
      } else {
        slate.set(row, it, doubles(value));
      }
    } else if (handle instanceof Handle.OfBools it) {
      if (context) {
        slate.set(it, bools(value));
      } else {
        slate.set(row, it, bools(value));
      }
    } else if (handle instanceof Handle.OfStrings it) {
      String[] array = value == null ? null : strings(value).toArray(String[]::new);
      if (context) {
        slate.set(it, array);
      } else {
        slate.set(row, it, strings(value));
      }
    }
  }

  private static boolean column(Slate slate, Handle handle, List<Object> values) {
    if (handle instanceof Handle.OfString it) {
      String[] array = values.toArray(String[]::new);
      if (values.size() % 2 == 0) {
        slate.column(it, array);
      } else {
        slate.column(it, java.util.Arrays.asList(array));
      }
      return true;
    }
    if (handle instanceof Handle.OfLong it && all(values, Long.class)) {
      slate.column(it, longs(values));
    } else if (handle instanceof Handle.OfDouble it && all(values, Long.class)) {
      slate.column(it, longs(values));
    } else if (handle instanceof Handle.OfDouble it && all(values, Double.class)) {
      if (values.stream().allMatch(each -> exact((Double) each))) {
        float[] floats = new float[values.size()];
        for (int i = 0; i < floats.length; i++) {
          floats[i] = ((Double) values.get(i)).floatValue();
        }
        slate.column(it, floats);
      } else {
        slate.column(it, doubles(values));
      }
    } else if (handle instanceof Handle.OfBool it && all(values, Boolean.class)) {
      slate.column(it, bools(values));
    } else {
      return false;
    }
    return true;
  }

  private static boolean exact(Double value) {
    return value.equals((double) value.floatValue());
  }

  private static boolean all(Object values, Class<?> type) {
    return values instanceof List<?> list && list.stream().allMatch(type::isInstance);
  }

  private static long[] longs(Object values) {
    return values == null
        ? null
        : ((List<?>) values).stream().mapToLong(each -> (Long) each).toArray();
  }

  private static double[] doubles(Object values) {
    return values == null
        ? null
        : ((List<?>) values).stream().mapToDouble(each -> (Double) each).toArray();
  }

  private static boolean[] bools(Object values) {
    if (values == null) {
      return null;
    }
    List<?> list = (List<?>) values;
    boolean[] bools = new boolean[list.size()];
    for (int i = 0; i < bools.length; i++) {
      bools[i] = (Boolean) list.get(i);
    }
    return bools;
  }

  @SuppressWarnings("unchecked")
  private static List<String> strings(Object values) {
    return (List<String>) values;
  }
}
