package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.Contract;
import dev.twinrank.core.Schema;
import dev.twinrank.core.internal.pack.PackPlan;
import dev.twinrank.core.internal.request.RequestReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Reads what the contract's vectors hold. */
public final class Vectors {
  private Vectors() {}

  /** Returns the schema, or nothing if the problems say why. */
  static Optional<Schema> schema(Object document, List<String> problems) {
    Fields.Report report = (at, detail) -> problems.add(at + " " + detail);
    ManifestFields.SCHEMA.check(document, "/schema", report);
    return problems.isEmpty()
        ? SchemaReader.read(Contract.object(document), report)
        : Optional.empty();
  }

  /** Returns the schema, which must be sound. */
  public static Schema schema(Object document) {
    List<String> problems = new ArrayList<>();
    return schema(document, problems).orElseThrow(() -> new AssertionError(problems));
  }

  /** Returns a schema of features in the manifest's form. */
  public static Schema schemaOf(String features) {
    return schema(
        Json.read(
            ("{\"features\": [" + features + "]}")
                .getBytes(java.nio.charset.StandardCharsets.UTF_8)));
  }

  /** Returns a reader for a schema in the manifest's form. */
  public static RequestReader reader(Object schema, int maxCandidates) {
    return new RequestReader(new PackPlan(schema(schema)), maxCandidates);
  }
}
