package dev.twinrank.core;

import dev.twinrank.core.ModelOptions.Require;
import java.nio.file.Path;

/** Opens a good and a bad bundle over and over, until somebody stops the process. */
final class ShutdownVictim {
  private ShutdownVictim() {}

  public static void main(String[] args) {
    ModelOptions options = ModelOptions.builder().require(Require.REFERENCE).build();
    for (String bundle : args) {
      Thread loader = new Thread(() -> load(Path.of(bundle), options));
      loader.setDaemon(true);
      loader.start();
    }
    load(Path.of(args[0]), options);
  }

  private static void load(Path bundle, ModelOptions options) {
    while (true) {
      try (Model model = Model.open(bundle, options)) {
        model.rank(model.parse(Tiny.request(1)));
      } catch (BundleException e) {
        // The bad bundle: refused by the runtime, which logs while it fails.
      }
      System.out.println("loaded");
    }
  }
}
