package dev.twinrank.core.internal.proto;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.Contract;
import java.io.IOException;
import java.io.InputStream;
import org.junit.jupiter.api.Test;

class OperatorsTest {
  @Test
  void shipsTheContractsList() throws IOException {
    try (InputStream shipped = Operators.class.getResourceAsStream("operators.json")) {
      assertArrayEquals(Contract.bytes("vectors/operators.json"), shipped.readAllBytes());
    }
  }

  @Test
  void allowsAnOperatorOnlyUnderItsOpsets() {
    Operators operators = Operators.shipped();
    assertTrue(operators.allows("", "MatMul", 20));
    assertFalse(operators.allows("", "MatMul", 19));
    assertFalse(operators.allows("", "Attention", 20));
    assertTrue(operators.allows("", "Attention", 23));
    assertFalse(operators.allows("ai.onnx", "MatMul", 20));
    assertFalse(operators.allows("com.microsoft", "MatMul", 20));
    assertFalse(operators.allows("", "Loop", 20));
  }
}
