package dev.twinrank.core.internal.bundle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.twinrank.core.Contract;
import dev.twinrank.core.internal.pack.Packing;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

class PackingVectorsTest {
  private static final String FILE = "vectors/packing.json";

  @TestFactory
  Stream<DynamicTest> schemaGivesThePacking() {
    return Contract.cases(FILE, "cases").stream()
        .map(
            each ->
                DynamicTest.dynamicTest(
                    Contract.text(each, "name"),
                    () ->
                        assertEquals(
                            each.get("packing"),
                            PackingJson.of(Packing.of(Vectors.schema(each.get("schema")))))));
  }

  @TestFactory
  Stream<DynamicTest> refusesTheSchema() {
    return Contract.cases(FILE, "refused").stream()
        .map(
            each ->
                DynamicTest.dynamicTest(
                    Contract.text(each, "name"),
                    () -> {
                      List<String> problems = new ArrayList<>();
                      Vectors.schema(each.get("schema"), problems);
                      assertNotEquals(List.of(), problems);
                    }));
  }
}
