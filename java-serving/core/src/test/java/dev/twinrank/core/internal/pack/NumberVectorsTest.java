package dev.twinrank.core.internal.pack;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.twinrank.core.Contract;
import dev.twinrank.core.DType;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.Feature;
import dev.twinrank.core.Placement;
import dev.twinrank.core.Policy;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

class NumberVectorsTest {
  @TestFactory
  Stream<DynamicTest> literalGivesTheBits() {
    return Contract.cases("vectors/numbers.json", "cases").stream()
        .map(
            each ->
                DynamicTest.dynamicTest(
                    Contract.text(each, "name"),
                    () -> {
                      assertEquals(each.get("float64"), read(each, DType.FLOAT64));
                      assertEquals(each.get("float32"), read(each, DType.FLOAT32));
                      assertEquals(each.get("int64"), read(each, DType.INT64));
                      assertEquals(each.get("int64"), read(each, DType.TIMESTAMP));
                    }));
  }

  private static String read(Map<String, Object> vector, DType dtype) {
    char[] text = Contract.text(vector, "text").toCharArray();
    boolean integer = Contract.text(vector, "text").matches("-?[0-9]+");
    Feature feature =
        new Feature(
            "x",
            Placement.CONTEXT,
            dtype,
            Optional.empty(),
            Optional.empty(),
            false,
            Policy.ERROR,
            Policy.ERROR);
    Values values = new Values();
    ErrorCode error = values.literal(feature, integer, text, 0, text.length);
    if (error != null) {
      return error.code();
    }
    return switch (dtype) {
      case FLOAT32 -> String.format("%08x", (int) values.bits());
      case FLOAT64 -> String.format("%016x", values.bits());
      default -> "" + values.bits();
    };
  }
}
