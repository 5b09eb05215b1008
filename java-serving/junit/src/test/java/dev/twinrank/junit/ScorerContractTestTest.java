package dev.twinrank.junit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.testkit.engine.EngineExecutionResults;
import org.junit.platform.testkit.engine.EngineTestKit;
import org.junit.platform.testkit.engine.Event;

/**
 * A contract test is worth what it catches: a scorer that is right passes, and each wrong one fails
 * where it should.
 */
class ScorerContractTestTest {
  @TempDir static Path folder;

  @Test
  void aRightScorerPassesEveryTest() throws Exception {
    EngineExecutionResults results = run(Contracts.Honest.class);
    assertEquals(Map.of(), failures(results));
    long goldens =
        Files.readString(Contracts.TINY.resolve("goldens/requests.jsonl")).lines().count();
    // Ten tests, a dynamic one for each golden, and one for the file of requests.
    assertEquals(goldens + 11, results.testEvents().succeeded().count());
    assertEquals(
        List.of("{mutations=500, twinrank.seed=7}"),
        results.testEvents().reportingEntryPublished().stream()
            .map(
                event ->
                    new TreeMap<>(
                            event
                                .getRequiredPayload(
                                    org.junit.platform.engine.reporting.ReportEntry.class)
                                .getKeyValuePairs())
                        .toString())
            .toList());
  }

  @ParameterizedTest(name = "{0} fails {1}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          TiesReversed       | candidatesInOtherCompanyHaveTheSameBits | the order differs from place
          Rounded            | golden 16:                              | ULP apart
          NanForgotten       | golden 1:                               | list every candidate whose score is NaN
          LowerCased         | mutatedRequestsAreDecidedAlike          | of seed 7 (-Dtwinrank.seed)
          OneIsSpecial       | aCandidateAloneHasTheSameBits           | candidates alone: candidate 0, head
          Leaking            | anAnswerDoesNotDependOnWhatWasAskedBefore | 1 ULP apart
          Shared             | callersAtOnceGetTheAnswersOfOneCaller   | share no buffer
          WrongCode          | golden 5:                               | actual   invalid_request
          WrongCandidate     | mutatedRequestsAreDecidedAlike          | candidate 12345
          CutTooEarly        | kCutsTheRankingAndNothingElse           | k = 1: the order differs from place 0
          HeadsSwapped       | golden 0:                               | head 'watched'
          Throwing           | golden 5:                               | threw java.lang.IllegalArgumentException: planted
          Silent             | golden 0:                               | the scorer answered null
          OnlyTheFirstIsLeft | closingOneScorerLeavesTheOthers         | closed
          """)
  void aWrongScorerFailsWhereItIsWrong(String scorer, String test, String said) throws Exception {
    Map<String, String> failures =
        failures(run(Class.forName(Contracts.class.getName() + "$" + scorer)));
    List<String> messages =
        failures.entrySet().stream()
            .filter(failure -> failure.getKey().startsWith(test))
            .map(Map.Entry::getValue)
            .toList();
    assertTrue(
        messages.stream().anyMatch(message -> message.contains(said)),
        () -> "wanted '" + said + "' in " + test + ", but these failed: " + failures);
    assertTrue(
        messages.stream()
            .allMatch(message -> message.contains("request: ") || message.contains("closed")),
        messages::toString);
  }

  @Test
  void aScorerThatWritesIntoItsRequestIsAskedTheSameAllTheSame() {
    assertEquals(Map.of(), failures(run(Contracts.Scribbling.class)));
  }

  /** The bundle is set by the test below. */
  static class OfFolder extends Contracts.OfTiny {
    static Path bundle;
    static Path requests;

    @Override
    protected Path bundle() {
      return bundle;
    }

    @Override
    protected List<Path> requests() {
      return List.of(requests);
    }
  }

  @Test
  void anEmptyFileOfRequestsFails() throws IOException {
    OfFolder.bundle = Contracts.TINY;
    OfFolder.requests = Files.createFile(folder.resolve("empty.jsonl"));
    Map<String, String> failures = failures(run(OfFolder.class));
    assertEquals(List.of("empty.jsonl: 0 requests"), List.copyOf(failures.keySet()));
    assertTrue(failures.values().toString().contains("holds no request"), failures::toString);
  }

  @Test
  void aBundleThatCannotProveItselfFailsTheClassBeforeAnyTest() throws IOException {
    OfFolder.bundle = copy(Contracts.TINY, folder.resolve("broken/1"));
    OfFolder.requests = OfFolder.bundle.resolve("goldens/requests.jsonl");
    Files.writeString(OfFolder.requests, "");
    EngineExecutionResults results = run(OfFolder.class);
    assertEquals(0, results.testEvents().count());
    assertTrue(
        failures(results).toString().contains("size_mismatch"), () -> failures(results).toString());
  }

  private static Path copy(Path from, Path to) throws IOException {
    try (var files = Files.walk(from)) {
      for (Path file : files.toList()) {
        Path target = to.resolve(from.relativize(file).toString());
        Files.createDirectories(target.getParent());
        if (Files.isRegularFile(file)) {
          Files.copy(file, target);
        }
      }
    }
    return to;
  }

  static EngineExecutionResults run(Class<?> contract) {
    return EngineTestKit.engine("junit-jupiter").selectors(selectClass(contract)).execute();
  }

  static Map<String, String> failures(EngineExecutionResults results) {
    return results.allEvents().failed().stream()
        .collect(
            Collectors.toMap(
                event -> name(event),
                event ->
                    event
                        .getRequiredPayload(TestExecutionResult.class)
                        .getThrowable()
                        .map(Throwable::toString)
                        .orElse(""),
                (one, other) -> one + other,
                TreeMap::new));
  }

  private static String name(Event event) {
    return event.getTestDescriptor().getDisplayName().replaceFirst("\\(.*\\)$", "");
  }
}
