package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.core.SignaturePolicy.Mode;
import dev.twinrank.core.Verification.SignatureState;
import dev.twinrank.core.internal.json.JsonTree;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class HostileBundlesTest {
  private static final String CASES = "hostile/cases.json";

  @TempDir Path folder;

  @TestFactory
  Stream<DynamicTest> bundleIsAnsweredAsTheContractSays() {
    String base = "hostile/" + Contract.text(Contract.json(CASES), "base");
    List<Map<String, Object>> cases = Contract.cases(CASES, "cases");
    Map<String, String> known = known(Contract.json("known-failing.json"));
    assertTrue(
        cases.stream()
            .map(each -> Contract.text(each, "name"))
            .toList()
            .containsAll(known.keySet()),
        "known-failing.json names a case that there is not");
    return cases.stream()
        .map(each -> test(Contract.text(each, "name"), () -> check(base, each), known));
  }

  /** The list is empty as often as not; what it does must not rot meanwhile. */
  @Test
  void aCaseThatIsKnownToFailIsRunAndMustFail() {
    Map<String, Object> listed =
        Map.of(
            "java",
            List.of(
                Map.of("suite", "hostile", "case", "broken", "why", "not built yet"),
                Map.of("suite", "packing", "case", "sound", "why", "of another suite")));
    Executable fails = () -> fail("no such answer");
    Map<String, String> known = known(listed);
    assertEquals(Map.of("broken", "not built yet"), known);
    assertDoesNotThrow(test("broken", fails, known).getExecutable());
    assertThrows(AssertionError.class, test("broken", () -> {}, known).getExecutable());
    assertThrows(AssertionError.class, test("sound", fails, known).getExecutable());
    assertDoesNotThrow(test("sound", () -> {}, known).getExecutable());
  }

  /** Returns the cases of this suite that this reader is known to fail, with the reason. */
  private static Map<String, String> known(Map<String, Object> document) {
    return ((List<?>) document.get("java"))
        .stream()
            .map(Contract::object)
            .filter(entry -> entry.get("suite").equals("hostile"))
            .collect(
                Collectors.toMap(
                    entry -> Contract.text(entry, "case"), entry -> Contract.text(entry, "why")));
  }

  private static DynamicTest test(String name, Executable check, Map<String, String> known) {
    return DynamicTest.dynamicTest(
        name,
        known.containsKey(name)
            ? () ->
                assertThrows(
                    Throwable.class,
                    check,
                    "passes, and known-failing.json lists it (" + known.get(name) + ")")
            : check);
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
        ModelOptions.builder()
            .require(require)
            .signature(signature(hostile))
            .warmUp(ModelOptions.WarmUp.NONE)
            .build();
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
