package org.acme;

import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.translate.NoopTranslator;
import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import dev.twinrank.core.BundleException;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import java.io.File;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Lives beside another user of ONNX Runtime in one process, and says how that went, a line a step.
 * Every scenario is a process.
 */
public final class Neighbours {
  private final Path bundle;
  private final String request;

  private Neighbours(Path bundle) throws Exception {
    this.bundle = bundle;
    this.request = Files.readAllLines(bundle.resolve("goldens/requests.jsonl")).get(0);
  }

  public static void main(String[] args) throws Exception {
    Neighbours here = new Neighbours(Path.of(args[1]));
    switch (args[0]) {
      case "alone" -> here.twinrank();
      case "djl-first" -> {
        here.djl();
        here.twinrank();
        here.djl();
      }
      case "djl-second" -> {
        here.twinrank();
        here.djl();
        here.twinrank();
      }
      case "their-pool-first" -> {
        here.pool();
        here.twinrank();
        here.session();
      }
      case "their-pool-second" -> {
        here.twinrank();
        here.pool();
        here.session();
      }
      case "their-close-first" -> {
        OrtEnvironment.getEnvironment().close();
        here.twinrank();
      }
      case "two-loaders" -> {
        here.inALoaderOfItsOwn(System.getProperty("java.class.path"));
        here.inALoaderOfItsOwn(System.getProperty("java.class.path"));
      }
      case "other-release-in-another-loader" -> {
        here.load(args[2]);
        here.twinrank();
      }
      default -> throw new IllegalArgumentException(args[0]);
    }
  }

  private void twinrank() {
    ModelOptions options =
        ModelOptions.builder().require(ModelOptions.Require.REFERENCE).build();
    try (Model model = Model.open(bundle, options)) {
      int ranked =
          model.rank(model.parse(request.getBytes(StandardCharsets.UTF_8))).entries().size();
      System.out.println("twinrank ranked " + ranked);
    } catch (BundleException e) {
      System.out.println("twinrank refused: " + e.code().code());
    } catch (IllegalStateException e) {
      System.out.println(
          "twinrank refused: "
              + (e.getMessage().contains("Another release of ONNX Runtime is in this process")
                  ? "another release is in this process"
                  : e.getMessage()));
    }
  }

  // DJL's engine, on the same graph; what it computes does not matter here.
  private void djl() throws Exception {
    Criteria<NDList, NDList> criteria =
        Criteria.builder()
            .setTypes(NDList.class, NDList.class)
            .optModelPath(bundle.resolve("model.onnx"))
            .optTranslator(new NoopTranslator())
            .optEngine("OnnxRuntime")
            .build();
    try (ZooModel<NDList, NDList> model = criteria.loadModel();
        Predictor<NDList, NDList> predictor = model.newPredictor();
        NDManager manager = NDManager.newBaseManager("OnnxRuntime")) {
      System.out.println("djl computed " + predictor.predict(zeros(manager)).size());
    } catch (ExceptionInInitializerError e) {
      // DJL insists on a thread pool of its own, which only the first user of the runtime can have.
      System.out.println(
          "djl refused: "
              + (e.getCause().getMessage().endsWith("but one already exists.")
                  ? "one already exists"
                  : e.getCause()));
    }
  }

  private NDList zeros(NDManager manager) throws Exception {
    NDList inputs = new NDList();
    try (OrtSession session =
        OrtEnvironment.getEnvironment().createSession(bundle.resolve("model.onnx").toString())) {
      for (NodeInfo input : session.getInputInfo().values()) {
        TensorInfo info = (TensorInfo) input.getInfo();
        long[] shape = info.getShape();
        for (int i = 0; i < shape.length; i++) {
          shape[i] = Math.abs(shape[i]);
        }
        DataType type =
            switch (info.type) {
              case FLOAT -> DataType.FLOAT32;
              case DOUBLE -> DataType.FLOAT64;
              default -> DataType.INT64;
            };
        Shape of = new Shape(shape);
        ByteBuffer bytes =
            manager.allocateDirect(Math.toIntExact(of.size() * type.getNumOfBytes()));
        NDArray array = manager.create(bytes, of, type);
        array.setName(input.getName());
        inputs.add(array);
      }
    }
    return inputs;
  }

  private void pool() throws Exception {
    try (OrtEnvironment.ThreadingOptions pool = new OrtEnvironment.ThreadingOptions()) {
      pool.setGlobalIntraOpNumThreads(2);
      OrtEnvironment.getEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR, "theirs", pool);
      System.out.println("their pool is there");
    } catch (IllegalStateException e) {
      System.out.println("their pool is refused");
    }
  }

  private void session() throws Exception {
    try (OrtSession session =
        OrtEnvironment.getEnvironment().createSession(bundle.resolve("model.onnx").toString())) {
      System.out.println("their session has inputs: " + (session.getNumInputs() > 0));
    }
  }

  private void inALoaderOfItsOwn(String classPath) throws Exception {
    URLClassLoader loader = loader(classPath);
    loader
        .loadClass(Neighbours.class.getName())
        .getMethod("main", String[].class)
        .invoke(null, (Object) new String[] {"alone", bundle.toString()});
  }

  private void load(String jar) throws Exception {
    Class<?> environment = loader(jar).loadClass("ai.onnxruntime.OrtEnvironment");
    Object theirs = environment.getMethod("getEnvironment").invoke(null);
    System.out.println("another loader has " + environment.getMethod("getVersion").invoke(theirs));
  }

  private static URLClassLoader loader(String classPath) throws Exception {
    List<URL> urls = new ArrayList<>();
    for (String entry : classPath.split(File.pathSeparator)) {
      urls.add(Path.of(entry).toUri().toURL());
    }
    return new URLClassLoader(urls.toArray(new URL[0]), ClassLoader.getPlatformClassLoader());
  }
}
