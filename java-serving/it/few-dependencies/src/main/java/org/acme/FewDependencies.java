package org.acme;

import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Opens a bundle and ranks its first golden request. */
public final class FewDependencies {
  private FewDependencies() {}

  public static void main(String[] args) throws Exception {
    Path bundle = Path.of(args[0]);
    ModelOptions options = ModelOptions.builder().require(ModelOptions.Require.REFERENCE).build();
    try (Model model = Model.open(bundle, options)) {
      String request = Files.readAllLines(bundle.resolve("goldens/requests.jsonl")).get(0);
      int ranked =
          model.rank(model.parse(request.getBytes(StandardCharsets.UTF_8))).entries().size();
      System.out.println("twinrank ranked " + ranked);
    }
  }
}
