package dev.twinrank.probe;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.SessionOptions;
import dev.twinrank.core.internal.engine.SessionSettings;
import dev.twinrank.core.internal.jni.Sessions;
import dev.twinrank.probe.GraphException.Code;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/**
 * Refuses strings of the runtime that the binding changed on their way out: it ends them at a NUL
 * and reads them as modified UTF-8, without a sign.
 *
 * <p>The strings go back the way they came, and the runtime compares them with its own byte by
 * byte. Not thread-safe.
 */
final class StringCheck implements AutoCloseable {
  // ModelProto{ir_version 9, graph g{Equal(a, b) -> c; a, b strings, c bool, of any shape},
  // opset 19}, the first opset whose Equal takes strings.
  private static final byte[] EQUAL =
      HexFormat.of()
          .parseHex(
              "08093a36"
                  + "0a100a01610a01621201632205457175616c"
                  + "120167"
                  + "5a090a016112040a020808"
                  + "5a090a016212040a020808"
                  + "62090a016312040a020809"
                  + "42040a001013");

  private final SessionOptions options;
  private final OrtSession equal;

  StringCheck() throws OrtException {
    options = Sessions.options(SessionSettings.standard(), Path.of(""));
    try {
      equal = Sessions.environment().createSession(EQUAL, options);
    } catch (OrtException | RuntimeException | Error e) {
      options.close();
      throw e;
    }
  }

  /**
   * Checks one tensor.
   *
   * @param name what it is called in the message
   * @param tensor the runtime's strings, one at least
   * @param taken what the binding gave for them, row-major
   * @throws GraphException {@code unsupported_type} if one is another string than the runtime's
   */
  void check(String name, OnnxTensor tensor, List<String> taken) throws OrtException {
    String[] flat = taken.toArray(String[]::new);
    // What the binding writes as modified UTF-8 it would also read from there, so the runtime could
    // find it equal.
    boolean plain = taken.stream().noneMatch(Tensors::isChangedByTheBinding);
    if (!plain || !returnsAs(tensor, flat)) {
      throw new GraphException(
          Code.UNSUPPORTED_TYPE,
          "'%s' holds a string with NUL, a character beyond U+FFFF or bytes that are not UTF-8, which the Java binding of ONNX Runtime gives as another string"
              .formatted(name));
    }
  }

  private boolean returnsAs(OnnxTensor tensor, String[] flat) throws OrtException {
    try (OnnxTensor back =
            OnnxTensor.createTensor(Sessions.environment(), flat, tensor.getInfo().getShape());
        OrtSession.Result result = equal.run(Map.of("a", tensor, "b", back))) {
      ByteBuffer same = ((OnnxTensor) result.get(0)).getByteBuffer();
      while (same.hasRemaining()) {
        if (same.get() == 0) {
          return false;
        }
      }
      return true;
    }
  }

  @Override
  public void close() throws OrtException {
    try (options) {
      equal.close();
    }
  }
}
