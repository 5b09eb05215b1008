package dev.twinrank.core.internal.onnx;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.SessionOptions;
import dev.twinrank.core.internal.Sha256;
import dev.twinrank.core.internal.proto.Tensor;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Map;

/** The class of this host: what its kernels answer to the canary. Thread-safe. */
public final class HostClass {
  private HostClass() {}

  private static final class Holder {
    static final String INSTANCE = measure();
  }

  /**
   * Returns 64 lower-case hex digits; measured once a process.
   *
   * @throws IllegalStateException if the runtime cannot be loaded or the canary cannot be run
   */
  public static String get() {
    OrtHost.get();
    try {
      return Holder.INSTANCE;
    } catch (LinkageError e) {
      throw new IllegalStateException(
          "the canary could not be run in this process; the first failure says why", e);
    }
  }

  private static String measure() {
    Tensor input = Tensor.read(resource("canary_input_0.pb"));
    OrtEnvironment environment = OrtHost.get().environment();
    ByteBuffer memory =
        ByteBuffer.allocateDirect(input.data().remaining())
            .order(ByteOrder.nativeOrder())
            .put(input.data().duplicate())
            .flip();
    long[] shape = input.shape().stream().mapToLong(Long::longValue).toArray();
    try (SessionOptions options = SessionSettings.standard().toOptions();
        OrtSession session = environment.createSession(resource("canary.onnx"), options);
        OnnxTensor x = OnnxTensor.createTensor(environment, memory, shape, OnnxJavaType.FLOAT);
        OrtSession.Result result = session.run(Map.of(input.name(), x))) {
      MessageDigest digest = Sha256.start();
      for (Map.Entry<String, OnnxValue> output : result) {
        OnnxTensor tensor = (OnnxTensor) output.getValue();
        boolean wide = tensor.getInfo().type == OnnxJavaType.DOUBLE;
        add(digest, output.getKey(), wide, tensor.getByteBuffer());
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (OrtException e) {
      throw new IllegalStateException("the canary could not be run: " + e.getMessage(), e);
    }
  }

  /** Adds an output: its name, a zero byte, its values with every NaN made the quiet one. */
  static void add(MessageDigest digest, String name, boolean wide, ByteBuffer values) {
    digest.update(name.getBytes(StandardCharsets.UTF_8));
    digest.update((byte) 0);
    ByteBuffer in = values.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer canonical = ByteBuffer.allocate(in.remaining()).order(ByteOrder.LITTLE_ENDIAN);
    while (in.hasRemaining()) {
      if (wide) {
        canonical.putLong(Double.doubleToLongBits(in.getDouble()));
      } else {
        canonical.putInt(Float.floatToIntBits(in.getFloat()));
      }
    }
    digest.update(canonical.flip());
  }

  private static byte[] resource(String name) {
    try (InputStream in = HostClass.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IllegalStateException("the jar of twinrank-core lacks its resource " + name);
      }
      return in.readAllBytes();
    } catch (IOException e) {
      throw new IllegalStateException("the resource " + name + " cannot be read", e);
    }
  }
}
