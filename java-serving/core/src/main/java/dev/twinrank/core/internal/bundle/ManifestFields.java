package dev.twinrank.core.internal.bundle;

import static dev.twinrank.core.internal.bundle.Fields.anyObject;
import static dev.twinrank.core.internal.bundle.Fields.array;
import static dev.twinrank.core.internal.bundle.Fields.bool;
import static dev.twinrank.core.internal.bundle.Fields.closed;
import static dev.twinrank.core.internal.bundle.Fields.integer;
import static dev.twinrank.core.internal.bundle.Fields.mapping;
import static dev.twinrank.core.internal.bundle.Fields.number;
import static dev.twinrank.core.internal.bundle.Fields.oneOf;
import static dev.twinrank.core.internal.bundle.Fields.text;

import dev.twinrank.core.internal.bundle.Fields.Check;
import dev.twinrank.core.internal.pack.Names;
import java.util.Map;
import java.util.regex.Pattern;

/** The type and bounds of every field of the manifest; {@code manifest.schema.json} in Java. */
final class ManifestFields {
  static final long FORMAT_MAJOR = 1;

  private static final long INT = Integer.MAX_VALUE;
  private static final long EXACT = 1L << 53;
  private static final Pattern NAME = Names.MODEL;
  // The bound on the length keeps the matcher's recursion, and a path's parents, few.
  private static final Pattern PATH =
      Pattern.compile("(?!.{1025})[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*");
  static final Pattern HEX = Pattern.compile("[0-9a-f]{64}");
  static final Pattern RELEASE =
      Pattern.compile("(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)");
  private static final Pattern DOMAIN = Pattern.compile("|[a-z][a-z0-9_.]{0,63}");
  private static final Pattern FINDING = Pattern.compile("[a-z][a-z0-9_]{0,63}");
  private static final Pattern DETAIL = Pattern.compile("(?s).{0,4096}");
  private static final Pattern REASON = Pattern.compile("(?s)(?=.*[^ \\t\\n\\r]).{1,4096}");
  private static final Check DTYPE = oneOf("float32", "float64");

  private static final Check SESSION =
      closed(
          Map.of(
              "graph_optimization_level", oneOf("none", "basic", "extended", "all"),
              "execution_mode", oneOf("sequential", "parallel"),
              "intra_op_num_threads", integer(1, 64),
              "inter_op_num_threads", integer(1, 64),
              "cpu_mem_arena", bool(),
              "mem_pattern", bool(),
              "prepacking", bool()));

  private static final Check RUNTIME =
      closed(
          Map.of(
              "name", oneOf("onnxruntime"),
              "release", text(RELEASE),
              "ir_version", integer(1, INT),
              "opsets", mapping(DOMAIN, integer(1, INT), true),
              "session", SESSION));

  private static final Check REFERENCE =
      closed(
          Map.of(
              "source", oneOf("torch", "onnx", "lightgbm", "xgboost", "catboost"),
              "rows", integer(1, EXACT),
              "outputs",
                  mapping(
                      Names.FEATURE,
                      closed(
                          Map.of(
                              "a", number(1e-6),
                              "max_abs", number(0),
                              "max_ulp", integer(0, EXACT))),
                      true)));

  private static final Check INVARIANCE =
      closed(
          Map.of(
              "sizes", array(integer(1, 1_000_000), 1, 1000),
              "compared", integer(1, EXACT),
              "differing_values", integer(0, EXACT)));

  private static final Check ALLOWED =
      closed(
          Map.of(
              "finding", text(FINDING),
              "detail", text(DETAIL),
              "reason", text(REASON)));

  private static final Check POLICY =
      closed(
          Map.of("policy", oneOf("error", "default", "own_row")),
          Map.of("value", (value, at, report) -> {}));

  private static final Check FEATURE =
      closed(
          Map.of(
              "name", text(Names.FEATURE),
              "placement", oneOf("context", "candidate"),
              "dtype", oneOf("float32", "float64", "int64", "timestamp", "bool", "string"),
              "missing", POLICY,
              "invalid", POLICY),
          Map.of(
              "list",
                  closed(Map.of("max_length", integer(1, 4096), "keep", oneOf("first", "last"))),
              "vector", closed(Map.of("length", integer(1, 4096))),
              "group", text(Names.GROUP),
              "nonfinite", bool(),
              "unseen", POLICY));

  /** The schema. */
  static final Check SCHEMA = closed(Map.of("features", array(FEATURE, 1, Integer.MAX_VALUE)));

  /** The whole manifest. The packing is compared with the one that the schema gives. */
  static final Check MANIFEST =
      closed(
          Map.ofEntries(
              Map.entry(
                  "format",
                  closed(
                      Map.of(
                          "major", integer(FORMAT_MAJOR, FORMAT_MAJOR), "minor", integer(0, INT)))),
              Map.entry("name", text(NAME)),
              Map.entry("runtime", RUNTIME),
              Map.entry("schema", SCHEMA),
              Map.entry("packing", anyObject()),
              Map.entry(
                  "heads",
                  array(
                      closed(
                          Map.of(
                              "name", text(Names.FEATURE), "output", text(NAME), "dtype", DTYPE)),
                      0,
                      1000)),
              Map.entry("score", closed(Map.of("output", text(NAME), "dtype", DTYPE))),
              Map.entry("max_candidates", integer(1, 1_000_000)),
              Map.entry(
                  "goldens",
                  closed(Map.of("count", integer(1, 100_000), "data_sets", integer(1, 100_000)))),
              Map.entry(
                  "files",
                  mapping(
                      PATH,
                      closed(Map.of("sha256", text(HEX), "size", integer(0, Long.MAX_VALUE))),
                      false)),
              Map.entry(
                  "evidence",
                  closed(
                      Map.of(
                          "host_class",
                          text(HEX),
                          "tie_policy",
                          oneOf("input_index"),
                          "reference",
                          REFERENCE,
                          "invariance",
                          INVARIANCE,
                          "allowed",
                          array(ALLOWED, 0, 100)))),
              Map.entry("provenance", anyObject())));

  private ManifestFields() {}
}
