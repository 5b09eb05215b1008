package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.DType;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.Head;
import dev.twinrank.core.Schema;
import dev.twinrank.core.Verification.Allowed;
import dev.twinrank.core.internal.Sha256;
import dev.twinrank.core.internal.bundle.Manifest.FileEntry;
import dev.twinrank.core.internal.engine.SessionSettings;
import dev.twinrank.core.internal.engine.SessionSettings.Optimization;
import dev.twinrank.core.internal.json.InvalidJson;
import dev.twinrank.core.internal.json.JsonTree.Literal;
import dev.twinrank.core.internal.onnx.Output;
import dev.twinrank.core.internal.pack.Block;
import dev.twinrank.core.internal.pack.PackPlan;
import dev.twinrank.core.internal.pack.UnseenOutput;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** The phase <i>manifest</i>, as far as the text alone goes. */
final class ManifestReader {
  static final int MAX_BYTES = 16 << 20;

  private static final long MAX_MODEL_BYTES = Integer.MAX_VALUE;
  private static final Pattern DIGEST_FILE = Pattern.compile("[0-9a-f]{64}\n");

  private final Findings found;

  private ManifestReader(Path bundle) {
    this.found = new Findings(bundle);
  }

  /** Returns the checked manifest. */
  static Manifest read(Path bundle, byte[] raw, byte[] digestFile) {
    return new ManifestReader(bundle).read(raw, digestFile);
  }

  private Manifest read(byte[] raw, byte[] digestFile) {
    if (raw.length > MAX_BYTES) {
      // What is beyond was not read, so that the digest says nothing.
      throw found.fatal(
          ErrorCode.MANIFEST_INVALID_JSON,
          Paths.MANIFEST,
          "has more than " + MAX_BYTES + " bytes, the most that are allowed",
          null);
    }
    String digest = Sha256.hex(raw);
    checkDigest(digest, new String(digestFile, StandardCharsets.ISO_8859_1));
    Map<String, Object> document = document(raw);
    checkMajor(document);
    ManifestFields.MANIFEST.check(document, "", this::problem);
    found.stop();
    checkContradictions(document);
    Optional<Schema> schema = SchemaReader.read(Json.object(document, "schema"), this::problem);
    if (schema.isEmpty()) {
      found.stop();
    }
    PackPlan plan = new PackPlan(schema.orElseThrow());
    checkPacking(document, plan);
    found.stop();
    return typed(document, "sha256:" + digest, plan);
  }

  private void problem(String at, String detail) {
    found.add(ErrorCode.MANIFEST_INVALID, Paths.MANIFEST + "#" + at, detail);
  }

  private void checkDigest(String digest, String stated) {
    if (!DIGEST_FILE.matcher(stated).matches()) {
      found.add(
          ErrorCode.MANIFEST_DIGEST_MISMATCH,
          Paths.MANIFEST_DIGEST,
          "must hold 64 lower-case hex digits and LF, nothing else");
    } else if (!stated.startsWith(digest)) {
      found.add(
          ErrorCode.MANIFEST_DIGEST_MISMATCH,
          Paths.MANIFEST_DIGEST,
          "says "
              + stated.trim()
              + ", but manifest.json has "
              + digest
              + "; fetch the bundle again");
    }
  }

  private Map<String, Object> document(byte[] raw) {
    try {
      Object document = Json.read(raw);
      if (document instanceof Map) {
        return Json.object(document);
      }
      throw found.fatal(
          ErrorCode.MANIFEST_INVALID_JSON,
          Paths.MANIFEST,
          "is " + Fields.show(document) + "; expected an object",
          null);
    } catch (InvalidJson e) {
      throw found.fatal(ErrorCode.MANIFEST_INVALID_JSON, Paths.MANIFEST, e.getMessage(), e);
    }
  }

  private void checkMajor(Map<String, Object> document) {
    if (document.get("format") instanceof Map<?, ?> format
        && format.get("major") instanceof Literal major
        && major.integer()
        && !major.text().startsWith("-")
        && !major.text().equals(Long.toString(ManifestFields.FORMAT_MAJOR))) {
      throw found.fatal(
          ErrorCode.FORMAT_UNSUPPORTED,
          Paths.MANIFEST + "#/format/major",
          "is "
              + Fields.show(major)
              + "; this reader knows "
              + ManifestFields.FORMAT_MAJOR
              + ". Use the twinrank that wrote it",
          null);
    }
  }

  private void checkContradictions(Map<String, Object> document) {
    Set<String> names = new TreeSet<>();
    Set<String> outputs = new TreeSet<>();
    int index = 0;
    for (Object each : Json.array(document, "heads")) {
      Map<String, Object> head = Json.object(each);
      String at = "/heads/" + index++;
      if (Json.text(head, "name").equals("score")) {
        problem(at + "/name", "is score, which has a field of its own");
      } else if (!names.add(Json.text(head, "name"))) {
        problem(at + "/name", "is already the name of another head");
      }
      checkOutput(Json.text(head, "output"), outputs, at);
    }
    checkOutput(Json.text(Json.object(document, "score"), "output"), outputs, "/score");
    names.add("score");
    Set<String> tolerances = new TreeSet<>(withoutExtensions(reference(document)).keySet());
    if (!tolerances.equals(names)) {
      problem("/evidence/reference/outputs", "covers " + tolerances + "; expected " + names);
    }
    Map<String, Object> goldens = Json.object(document, "goldens");
    if (Json.integer(goldens, "data_sets") > Json.integer(goldens, "count")) {
      problem("/goldens/data_sets", "exceeds the number of goldens; each has at most one");
    }
    checkInvariance(Json.object(document, "evidence"));
    checkFiles(Json.object(document, "files"));
  }

  private void checkOutput(String output, Set<String> others, String at) {
    if (!others.add(output)) {
      problem(at + "/output", "is already the output of another head");
    }
    if (output.startsWith(UnseenOutput.PREFIX)) {
      problem(
          at + "/output",
          "begins with " + UnseenOutput.PREFIX + ", as only the counts of unseen values do");
    }
  }

  private void checkInvariance(Map<String, Object> evidence) {
    boolean allowed =
        Json.array(evidence, "allowed").stream()
            .anyMatch(each -> Json.text(Json.object(each), "finding").equals("batch_variant"));
    if (!allowed && Json.integer(Json.object(evidence, "invariance"), "differing_values") != 0) {
      problem(
          "/evidence/invariance/differing_values",
          "is not 0, and no batch_variant is in /evidence/allowed");
    }
  }

  private void checkFiles(Map<String, Object> files) {
    Map<String, String> folded = new HashMap<>();
    for (String path : files.keySet()) {
      String at = "/files/" + Fields.pointer(path);
      if (Paths.UNLISTED.contains(path)) {
        problem(at, "is never listed");
      }
      String other = folded.putIfAbsent(path.toLowerCase(Locale.ROOT), path);
      if (other != null) {
        problem(at, "differs from '" + other + "' only by case");
      }
      if (List.of(path.split("/", -1)).contains("..")) {
        problem(at, "contains a .. segment");
      }
    }
    if (files.containsKey(Paths.MODEL)
        && Json.integer(Json.object(files, Paths.MODEL), "size") > MAX_MODEL_BYTES) {
      problem(
          "/files/model.onnx/size", "is above " + MAX_MODEL_BYTES + ", the most that is allowed");
    }
  }

  private void checkPacking(Map<String, Object> document, PackPlan plan) {
    Object expected = PackingJson.of(plan.packing());
    if (!Fields.withoutExtensions(document.get("packing")).equals(expected)) {
      problem("/packing", "is not what the schema gives; export the model again");
    }
    Set<String> blocks = new TreeSet<>(plan.packing().blocks().stream().map(Block::name).toList());
    List<String> outputs = new ArrayList<>();
    Json.array(document, "heads")
        .forEach(head -> outputs.add(Json.text(Json.object(head), "output")));
    outputs.add(Json.text(Json.object(document, "score"), "output"));
    blocks.retainAll(outputs);
    if (!blocks.isEmpty()) {
      problem("/heads", "outputs " + blocks + " have the names of inputs");
    }
  }

  private static Map<String, Object> reference(Map<String, Object> document) {
    return Json.object(Json.object(Json.object(document, "evidence"), "reference"), "outputs");
  }

  private static Map<String, Object> withoutExtensions(Map<String, Object> object) {
    return Json.object(Fields.withoutExtensions(object));
  }

  private static Manifest typed(Map<String, Object> document, String digest, PackPlan plan) {
    Map<String, Object> runtime = Json.object(document, "runtime");
    List<Head> heads = new ArrayList<>();
    List<Output> outputs = new ArrayList<>();
    for (Object each : Json.array(document, "heads")) {
      Map<String, Object> head = Json.object(each);
      heads.add(new Head(Json.text(head, "name"), dtype(head)));
      outputs.add(Output.values(Json.text(head, "output"), dtype(head)));
    }
    Map<String, Object> score = Json.object(document, "score");
    outputs.add(Output.values(Json.text(score, "output"), dtype(score)));
    List<Double> tolerances = new ArrayList<>();
    for (int i = 0; i < outputs.size(); i++) {
      String name = i < heads.size() ? heads.get(i).name() : "score";
      Literal a = (Literal) Json.object(reference(document), name).get("a");
      tolerances.add(Double.valueOf(a.text()));
    }
    Map<String, Long> opsets = new LinkedHashMap<>();
    Map<String, Object> imports = withoutExtensions(Json.object(runtime, "opsets"));
    imports.keySet().forEach(domain -> opsets.put(domain, Json.integer(imports, domain)));
    Map<String, FileEntry> files = new LinkedHashMap<>();
    Map<String, Object> listed = Json.object(document, "files");
    for (String path : listed.keySet()) {
      Map<String, Object> entry = Json.object(listed, path);
      files.put(path, new FileEntry(Json.text(entry, "sha256"), Json.integer(entry, "size")));
    }
    Map<String, Object> goldens = Json.object(document, "goldens");
    return new Manifest(
        digest,
        Json.text(document, "name"),
        Json.text(runtime, "release"),
        Json.integer(runtime, "ir_version"),
        opsets,
        settings(Json.object(runtime, "session")),
        plan,
        List.copyOf(heads),
        new Head("score", dtype(score)),
        List.copyOf(outputs),
        List.copyOf(tolerances),
        (int) Json.integer(document, "max_candidates"),
        (int) Json.integer(goldens, "count"),
        (int) Json.integer(goldens, "data_sets"),
        files,
        Json.text(Json.object(document, "evidence"), "host_class"),
        allowed(Json.object(document, "evidence")));
  }

  private static List<Allowed> allowed(Map<String, Object> evidence) {
    return Json.array(evidence, "allowed").stream()
        .map(Json::object)
        .map(
            each ->
                new Allowed(
                    Json.text(each, "finding"),
                    Json.text(each, "detail"),
                    Json.text(each, "reason")))
        .toList();
  }

  private static DType dtype(Map<String, Object> head) {
    return Json.text(head, "dtype").equals("float32") ? DType.FLOAT32 : DType.FLOAT64;
  }

  private static SessionSettings settings(Map<String, Object> session) {
    return new SessionSettings(
        Optimization.valueOf(
            Json.text(session, "graph_optimization_level").toUpperCase(Locale.ROOT)),
        Json.text(session, "execution_mode").equals("parallel"),
        (int) Json.integer(session, "intra_op_num_threads"),
        (int) Json.integer(session, "inter_op_num_threads"),
        Json.bool(session, "cpu_mem_arena"),
        Json.bool(session, "mem_pattern"),
        Json.bool(session, "prepacking"));
  }
}
