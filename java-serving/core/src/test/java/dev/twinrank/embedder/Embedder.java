package dev.twinrank.embedder;

import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.Require;
import java.lang.module.ModuleDescriptor.Exports;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.TreeSet;

/** An application that knows only what the module exports. */
final class Embedder {
  private Embedder() {}

  public static void main(String[] args) throws ReflectiveOperationException {
    Module module = Model.class.getModule();
    System.out.println("module " + module.getName());
    System.out.println(
        "exports "
            + module.getDescriptor().exports().stream().map(Embedder::shown).sorted().toList());
    System.out.println(
        "internals "
            + (module.isExported("dev.twinrank.core.internal.pack", Embedder.class.getModule())
                ? "exported"
                : "closed"));
    ModelOptions options = ModelOptions.builder().require(Require.REFERENCE).build();
    try (Model model = Model.open(Path.of(args[0]), options)) {
      byte[] request = args[1].getBytes(StandardCharsets.UTF_8);
      System.out.println("ranked " + model.rank(model.parse(request)).entries().size());
    }
  }

  /** The targets of an export are a set whose order is another in each process. */
  private static String shown(Exports exported) {
    return exported.isQualified()
        ? exported.source() + " to " + new TreeSet<>(exported.targets())
        : exported.source();
  }
}
