package dev.twinrank.core.internal.bundle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.twinrank.core.Contract;
import dev.twinrank.core.Placement;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.internal.pack.Block;
import dev.twinrank.core.internal.pack.PackPlan;
import dev.twinrank.core.internal.pack.PackedSlate;
import dev.twinrank.core.internal.request.RequestReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

class RequestVectorsTest {
  @TestFactory
  Stream<DynamicTest> requestGivesBlocksOrACode() {
    return Contract.files("vectors", "requests*.json").stream()
        .flatMap(file -> Contract.cases(file, "cases").stream())
        .map(each -> DynamicTest.dynamicTest(Contract.text(each, "name"), () -> check(each)));
  }

  private static void check(Map<String, Object> vector) {
    PackPlan plan = new PackPlan(Vectors.schema(vector.get("schema")));
    RequestReader reader = new RequestReader(plan, Contract.integer(vector.get("max_candidates")));
    byte[] raw =
        vector.containsKey("request")
            ? Contract.text(vector, "request").getBytes(StandardCharsets.UTF_8)
            : Base64.getDecoder().decode(Contract.text(vector, "request_base64"));
    Map<String, Object> expected = Contract.object(vector.get("expect"));
    if (expected.containsKey("error")) {
      ScoringException refusal = assertThrows(ScoringException.class, () -> reader.read(raw));
      Map<String, Object> actual = new LinkedHashMap<>();
      actual.put("code", refusal.code().code());
      refusal.feature().ifPresent(name -> actual.put("feature", name));
      refusal.candidate().ifPresent(index -> actual.put("candidate", index));
      assertEquals(
          Contract.object(expected.get("error")).toString(),
          actual.toString(),
          refusal.getMessage());
      return;
    }
    PackedSlate slate = reader.read(raw);
    assertEquals(expected.get("n").toString(), "" + slate.candidates());
    assertEquals(
        expected.get("k").toString(), slate.k().isPresent() ? "" + slate.k().getAsInt() : "null");
    assertEquals(expected.get("blocks").toString(), blocks(plan, slate).toString());
  }

  private static Map<String, Object> blocks(PackPlan plan, PackedSlate slate) {
    Map<String, Object> blocks = new LinkedHashMap<>();
    for (Block block : plan.packing().blocks()) {
      ByteBuffer values = slate.blocks().get(blocks.size()).duplicate().rewind();
      byte[] bytes = new byte[values.remaining()];
      values.get(bytes);
      int rows = block.placement() == Placement.CONTEXT ? 1 : slate.candidates();
      List<Long> shape = Arrays.stream(block.shape(rows)).boxed().toList();
      Map<String, Object> each = new LinkedHashMap<>();
      each.put("dtype", block.dtype().label());
      each.put("shape", shape);
      each.put("hex", HexFormat.of().formatHex(bytes));
      blocks.put(block.name(), each);
    }
    return blocks;
  }
}
