package dev.twinrank.core.internal.onnx;

import dev.twinrank.core.DType;
import dev.twinrank.core.internal.Sha256;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.NativeGraph;
import dev.twinrank.core.internal.engine.SessionSettings;
import dev.twinrank.core.internal.engine.TensorSpec;
import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.proto.ModelWalk;
import dev.twinrank.core.internal.proto.Tensor;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;

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
    Engines.get();
    try {
      return Holder.INSTANCE;
    } catch (LinkageError e) {
      throw new IllegalStateException(
          "the canary could not be run in this process; the first failure says why", e);
    }
  }

  private static String measure() {
    byte[] model = resource("canary.onnx");
    Tensor input = Tensor.read(resource("canary_input_0.pb"));
    List<TensorSpec> inputs = List.of(new TensorSpec(input.name(), input.dtype(), input.shape()));
    List<TensorSpec> outputs = ModelWalk.outputs(model);
    try (NativeGraph graph =
            Engines.get().load(model, Path.of(""), SessionSettings.standard(), inputs, outputs);
        Workspace workspace = graph.workspace()) {
      workspace.resize(1);
      workspace.input(0).put(0, input.data(), 0, input.data().limit());
      workspace.run(null);
      MessageDigest digest = Sha256.start();
      for (int i = 0; i < outputs.size(); i++) {
        boolean wide = outputs.get(i).dtype() == DType.FLOAT64;
        add(digest, outputs.get(i).name(), wide, workspace.output(i));
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (GraphFailure e) {
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
