package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.core.SignaturePolicy.Mode;
import dev.twinrank.core.Verification.SignatureState;
import dev.twinrank.core.internal.json.JsonTree;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

class HostileBundlesTest {
  private static final String CASES = "hostile/cases.json";

  @TempDir Path folder;

  @TestFactory
  Stream<DynamicTest> bundleIsAnsweredAsTheContractSays() {
    String base = "hostile/" + Contract.text(Contract.json(CASES), "base");
    return Contract.cases(CASES, "cases").stream()
        .map(each -> DynamicTest.dynamicTest(Contract.text(each, "name"), () -> check(base, each)));
  }

  private void check(String base, Map<String, Object> hostile) throws IOException {
    Mutator mutator = Mutator.copy(base, folder.resolve(Contract.text(hostile, "name")));
    if (hostile.get("rehost").equals(true)) {
      mutator.rehost();
    }
    for (Object op : (List<?>) hostile.get("ops")) {
      mutator.apply(Contract.object(op));
    }
    mutator.reseal((List<?>) hostile.get("reseal"));
    for (Object op : (List<?>) hostile.getOrDefault("after", List.of())) {
      mutator.apply(Contract.object(op));
    }
    Require require = Require.valueOf(Contract.text(hostile, "require").toUpperCase(Locale.ROOT));
    ModelOptions options =
        ModelOptions.builder().require(require).signature(signature(hostile)).build();
    if (hostile.get("expect") == JsonTree.NULL) {
      try (Model model = Model.open(mutator.bundle(), options)) {
        Verification verification = model.verification();
        assertEquals(hostile.get("state"), verification.state().label());
        assertEquals(
            hostile.getOrDefault("signature_state", "unchecked"),
            verification.signature().label(),
            verification.signatureDetail());
        assertEquals(
            verification.signature() == SignatureState.INVALID,
            !verification.signatureDetail().isBlank());
        assertEquals(hostile.getOrDefault("attested", false), verification.attested());
      }
      return;
    }
    BundleException refusal =
        assertThrows(BundleException.class, () -> Model.open(mutator.bundle(), options).close());
    assertEquals(hostile.get("expect"), refusal.code().code(), refusal.getMessage());
    for (Problem problem : refusal.problems()) {
      assertEquals(refusal.code().phase(), problem.code().phase(), refusal.getMessage());
      assertFalse(problem.detail().isBlank());
    }
  }

  private static SignaturePolicy signature(Map<String, Object> hostile) {
    if (!hostile.containsKey("signature")) {
      return SignaturePolicy.none();
    }
    Map<String, Object> signature = Contract.object(hostile.get("signature"));
    return SignaturePolicy.ofFiles(
        Mode.valueOf(Contract.text(signature, "policy").toUpperCase(Locale.ROOT)),
        ((List<?>) signature.get("keys"))
            .stream().map(key -> Contract.path("hostile/" + key)).toList());
  }
}
