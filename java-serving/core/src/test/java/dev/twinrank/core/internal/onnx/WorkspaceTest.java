package dev.twinrank.core.internal.onnx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import dev.twinrank.core.DType;
import dev.twinrank.core.internal.bundle.Vectors;
import dev.twinrank.core.internal.pack.Packing;
import dev.twinrank.core.internal.pack.Slate;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class WorkspaceTest {
  private static final String ERRORS =
      ", \"missing\": {\"policy\": \"error\"}, \"invalid\": {\"policy\": \"error\"}}";
  private static final Packing PACKING =
      Packing.of(
          Vectors.schemaOf(
              "{\"name\": \"user\", \"placement\": \"context\", \"dtype\": \"int64\""
                  + ERRORS
                  + ", {\"name\": \"item\", \"placement\": \"candidate\", \"dtype\": \"float32\""
                  + ERRORS));
  private static final Slate SLATE =
      new Slate(2, OptionalInt.empty(), List.of(ByteBuffer.allocate(8), ByteBuffer.allocate(8)));

  /** Fails at the n-th tensor, and remembers those before it. */
  private static final class Failing extends Workspace {
    private final List<OnnxTensor> made = new ArrayList<>();
    private final int failAt;

    Failing(int failAt) {
      super(
          OrtHost.get().environment(),
          PACKING.blocks(),
          List.of(Output.values("a", DType.FLOAT32), Output.values("b", DType.FLOAT64)));
      this.failAt = failAt;
    }

    @Override
    OnnxTensor tensor(ByteBuffer memory, long[] shape, DType dtype) throws OrtException {
      if (made.size() == failAt) {
        throw new OrtException("injected");
      }
      made.add(super.tensor(memory, shape, dtype));
      return made.get(made.size() - 1);
    }
  }

  @Test
  void closesTheFirstTensorWhenTheSecondFails() {
    Failing inputs = new Failing(1);
    assertThrows(OrtException.class, () -> inputs.inputs(SLATE));
    assertEquals(1, inputs.made.size());
    assertTrue(inputs.made.get(0).isClosed());

    Failing outputs = new Failing(1);
    assertThrows(OrtException.class, () -> outputs.outputs(2));
    assertTrue(outputs.made.get(0).isClosed());
  }
}
