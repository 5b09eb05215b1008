package dev.twinrank.core.internal.bundle;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** The files of a bundle, by relative path. */
final class Paths {
  static final String MANIFEST = "manifest.json";
  static final String MANIFEST_DIGEST = "manifest.sha256";
  static final String SIGNATURE = "model.sig";
  static final String MODEL = "model.onnx";
  static final String MODEL_DATA = "model.onnx.data";
  static final String REQUESTS = "goldens/requests.jsonl";
  static final String RANKINGS = "goldens/rankings.jsonl";

  /** Files that the manifest never lists. */
  static final Set<String> UNLISTED = Set.of(MANIFEST, MANIFEST_DIGEST, SIGNATURE);

  private Paths() {}

  static String input(int dataSet, int index) {
    return "goldens/test_data_set_" + dataSet + "/input_" + index + ".pb";
  }

  static String output(int dataSet, int index) {
    return "goldens/test_data_set_" + dataSet + "/output_" + index + ".pb";
  }

  /** Returns the paths of every golden tensor, in order. */
  static List<String> tensors(int dataSets, int inputs, int outputs) {
    List<String> paths = new ArrayList<>();
    for (int s = 0; s < dataSets; s++) {
      for (int j = 0; j < inputs; j++) {
        paths.add(input(s, j));
      }
      for (int j = 0; j < outputs; j++) {
        paths.add(output(s, j));
      }
    }
    return paths;
  }
}
