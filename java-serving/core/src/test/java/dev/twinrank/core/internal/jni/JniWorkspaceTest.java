package dev.twinrank.core.internal.jni;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import dev.twinrank.core.DType;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.TensorSpec;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class JniWorkspaceTest {
  /** Fails at the n-th tensor, and remembers those before it. */
  private static final class Failing extends JniWorkspace {
    private final List<OnnxTensor> made = new ArrayList<>();
    private final int failAt;

    Failing(int failAt) {
      super(
          OrtHost.get().environment(),
          null,
          List.of(
              new TensorSpec("user", DType.INT64, List.of(1L, 1L)),
              new TensorSpec("item", DType.FLOAT32, List.of(-1L, 1L))),
          List.of(
              new TensorSpec("a", DType.FLOAT32, List.of(-1L)),
              new TensorSpec("b", DType.FLOAT64, List.of(-1L))));
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
  void closesEveryTensorBeforeTheOneThatFails() {
    for (int failAt : new int[] {1, 3}) {
      Failing workspace = new Failing(failAt);
      assertThrows(GraphFailure.class, () -> workspace.resize(2));
      assertEquals(failAt, workspace.made.size());
      assertTrue(workspace.made.stream().allMatch(OnnxTensor::isClosed));
      assertEquals(0, workspace.candidates());
    }
  }
}
