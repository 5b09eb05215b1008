package dev.twinrank.life;

import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.InstallationPolicy;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A process that opens a bundle with external weights and writes their record every time. */
final class Recorder {
  private Recorder() {}

  public static void main(String[] args) throws IOException {
    Path bundle = Path.of(args[0]);
    Child.endWithTheParent(() -> {});
    ModelOptions options =
        ModelOptions.builder().installation(InstallationPolicy.TRUST_RECORD).build();
    for (int i = 1; true; i++) {
      Files.deleteIfExists(bundle.resolveSibling("1.verified.json"));
      Model.open(bundle, options).close();
      System.out.println("opened " + i);
    }
  }
}
