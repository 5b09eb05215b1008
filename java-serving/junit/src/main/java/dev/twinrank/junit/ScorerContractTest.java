package dev.twinrank.junit;

import static org.junit.jupiter.api.Assertions.fail;

import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.junit.Answer.Ranked;
import dev.twinrank.junit.Answer.Row;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestReporter;

/**
 * What a scorer must keep that a team embeds around a bundle. Subclass it, and say which bundle and
 * how to ask:
 *
 * <pre>{@code
 * class RankerContractTest extends ScorerContractTest {
 *   protected Path bundle() { return Path.of("models/shop/1"); }
 *   protected ContractScorer open(Path bundle) { return ContractScorer.of(new Ranker(bundle).model()); }
 * }
 * }</pre>
 *
 * <p>The bundle's own {@link Model} is opened beside the scorer: it replays every golden to the bit
 * first, so what it answers is what training gave. The scorer must give the same bits, the same
 * order and the same refusals: for the goldens, for other requests, for each candidate whatever its
 * neighbours are, in whatever order and from however many threads it is asked. A bundle that cannot
 * prove itself on this host fails the class before any test.
 *
 * <p>One instance serves all tests of a class.
 *
 * @since 0.1
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class ScorerContractTest {
  private static final int ALONE = 16;
  private static final int ROUNDS = 5;

  private Reference reference;
  private ContractScorer scorer;
  private List<byte[]> goldens = List.of();

  /** For subclasses. */
  protected ScorerContractTest() {}

  /** Returns the directory of the bundle that the scorer serves. */
  protected abstract Path bundle();

  /**
   * Opens the scorer under test, as production does. Whoever calls closes it; it may be called
   * again while an earlier scorer is open.
   *
   * @param bundle what {@link #bundle} returned
   * @throws Exception if it cannot be opened, which fails the tests
   */
  protected abstract ContractScorer open(Path bundle) throws Exception;

  /** Returns further files of requests, one JSON object a line; none unless overridden. */
  protected List<Path> requests() {
    return List.of();
  }

  /** Returns how the reference is opened; bits are demanded unless overridden. */
  protected ModelOptions options() {
    return ModelOptions.defaults();
  }

  /** Returns how many callers ask at once; 4 unless overridden. */
  protected int threads() {
    return 4;
  }

  /** Returns how many mutated requests are asked; 500 unless overridden. */
  protected int mutations() {
    return 500;
  }

  /**
   * Returns what mutations and shuffles are drawn from: the system property {@code twinrank.seed},
   * or 7. It is published with the results.
   */
  protected long seed() {
    return Long.getLong("twinrank.seed", 7);
  }

  /**
   * Opens the reference and the scorer.
   *
   * @throws Exception if one cannot be opened, or the bundle has no golden
   */
  @BeforeAll
  public final void openBundleAndScorer() throws Exception {
    reference = new Reference(Model.open(bundle(), options()));
    goldens = lines(bundle().resolve("goldens").resolve("requests.jsonl"));
    if (goldens.size() != reference.model().opening().goldens().size()) {
      fail("the bundle changed while it was opened; leave " + bundle() + " alone while tests run");
    }
    if (reference.ranked(goldens).isEmpty()) {
      fail(bundle() + " has no golden that is ranked: nothing could be proved; export it again");
    }
    scorer = open(bundle());
    if (scorer == null) {
      fail("open(bundle) returned null; return the scorer that production uses");
    }
  }

  /**
   * Closes both.
   *
   * @throws IOException if the scorer cannot be closed
   */
  @AfterAll
  public final void closeBundleAndScorer() throws IOException {
    try {
      if (scorer != null) {
        scorer.close();
      }
    } finally {
      if (reference != null) {
        reference.close();
      }
    }
  }

  /** Every golden gives its bits, its order, or its refusal. */
  @TestFactory
  public final Stream<DynamicTest> goldens() {
    return IntStream.range(0, goldens.size())
        .mapToObj(
            line -> {
              byte[] golden = goldens.get(line);
              String what = Difference.said(reference.answer(golden));
              return DynamicTest.dynamicTest(
                  "golden " + line + ": " + what, () -> same("golden " + line, golden));
            });
  }

  /**
   * Every request of {@link #requests} gives what the bundle's own model gives.
   *
   * @throws IOException if a file cannot be read
   */
  @TestFactory
  public final Stream<DynamicTest> requestFiles() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    for (Path file : requests()) {
      List<byte[]> lines = lines(file);
      tests.add(
          DynamicTest.dynamicTest(
              file.getFileName() + ": " + lines.size() + " requests",
              () -> {
                if (lines.isEmpty()) {
                  fail(file + " holds no request: a test over nothing proves nothing");
                }
                for (int line = 0; line < lines.size(); line++) {
                  same(file + ", line " + (line + 1), lines.get(line));
                }
              }));
    }
    return tests.stream();
  }

  /** A request gives the same answer each time, whatever was asked before it. */
  @Test
  public final void anAnswerDoesNotDependOnWhatWasAskedBefore() {
    List<Integer> backwards = new ArrayList<>(indices(goldens.size()));
    Collections.reverse(backwards);
    for (List<Integer> order : List.of(indices(goldens.size()), backwards)) {
      for (int line : order) {
        same("golden " + line + ", asked again", goldens.get(line));
        same("golden " + line + ", asked twice in a row", goldens.get(line));
      }
    }
  }

  /**
   * Callers of several threads get the answers that one caller gets.
   *
   * @throws Exception if the test is interrupted
   */
  @Test
  public final void callersAtOnceGetTheAnswersOfOneCaller() throws Exception {
    List<Answer> expected = goldens.stream().map(reference::answer).toList();
    ExecutorService callers = Executors.newFixedThreadPool(threads());
    try {
      List<Future<Optional<String>>> calls = new ArrayList<>();
      for (int caller = 0; caller < threads(); caller++) {
        Random random = new Random(seed() + caller);
        calls.add(callers.submit(() -> callShuffled(expected, random)));
      }
      for (Future<Optional<String>> call : calls) {
        call.get()
            .ifPresent(
                told ->
                    fail(
                        "with "
                            + threads()
                            + " callers at once, "
                            + told
                            + "\n  what one caller is told right, several are told wrong: share no buffer,"
                            + " slate or builder between threads"));
      }
    } catch (ExecutionException e) {
      throw new AssertionError("a caller's thread ended", e.getCause());
    } finally {
      callers.shutdownNow();
    }
  }

  private Optional<String> callShuffled(List<Answer> expected, Random random) {
    for (int round = 0; round < ROUNDS; round++) {
      List<Integer> order = new ArrayList<>(indices(goldens.size()));
      Collections.shuffle(order, random);
      for (int line : order) {
        Optional<String> difference =
            reference.difference(scorer, goldens.get(line), expected.get(line));
        if (difference.isPresent()) {
          return difference.map(told -> "golden " + line + ": " + told);
        }
      }
    }
    return Optional.empty();
  }

  /** A candidate that is alone has the bits that it has in its slate. */
  @Test
  public final void aCandidateAloneHasTheSameBits() {
    invariant(
        "alone",
        parts -> Mutations.everyCandidate(parts).stream().limit(ALONE).map(List::of).toList());
  }

  /** Candidates in reverse have the bits that they have in order. */
  @Test
  public final void candidatesInReverseHaveTheSameBits() {
    invariant(
        "in reverse",
        parts -> {
          List<Integer> reversed = Mutations.everyCandidate(parts);
          Collections.reverse(reversed);
          return List.of(reversed);
        });
  }

  /** A candidate has the same bits in a slate of another size, among copies of its neighbours. */
  @Test
  public final void candidatesInOtherCompanyHaveTheSameBits() {
    invariant(
        "in other company",
        parts -> {
          int most = reference.model().maxCandidates();
          List<Integer> company = new ArrayList<>();
          for (int copy = 0; copy < 3; copy++) {
            List<Integer> all = Mutations.everyCandidate(parts);
            Collections.rotate(all, copy);
            company.addAll(all);
          }
          return List.of(company.subList(0, Math.min(company.size(), most)));
        });
  }

  private interface Slates {
    List<List<Integer>> of(Requests parts);
  }

  private void invariant(String how, Slates slates) {
    for (Requests parts : reference.ranked(goldens)) {
      byte[] whole = parts.with(Mutations.everyCandidate(parts));
      Map<Integer, Row> rows = rows((Ranked) reference.answer(whole));
      for (List<Integer> slate : slates.of(parts)) {
        byte[] request = parts.with(slate);
        same("candidates " + how, request);
        if (!reference.variant()) {
          rowsStay(how, rows, slate, request);
        }
      }
    }
  }

  /** The whole answer was right; that its rows are those of the first slate is the invariance. */
  private void rowsStay(String how, Map<Integer, Row> rows, List<Integer> slate, byte[] request) {
    rows((Ranked) reference.answer(request))
        .forEach(
            (place, row) -> {
              Row before = rows.get(slate.get(place));
              reference
                  .difference()
                  .row(before, new Row(before.index(), row.score(), row.heads()))
                  .ifPresent(
                      told ->
                          fail(
                              "the bundle itself: candidates "
                                  + how
                                  + ": "
                                  + told
                                  + "\n  request: "
                                  + Requests.shown(request)));
            });
  }

  private static Map<Integer, Row> rows(Ranked answer) {
    Map<Integer, Row> rows = new HashMap<>();
    answer.ranking().forEach(row -> rows.put(row.index(), row));
    answer.dropped().forEach(row -> rows.put(row.index(), row));
    return rows;
  }

  /** {@code k} cuts the ranking, and neither the values nor what is dropped. */
  @Test
  public final void kCutsTheRankingAndNothingElse() {
    for (Requests parts : reference.ranked(goldens)) {
      List<Integer> all = Mutations.everyCandidate(parts);
      int n = all.size();
      for (String k : List.of("0", "1", "" + (n - 1), "" + n, "" + (n + 1), "null")) {
        same("k = " + k, parts.with(all, k));
      }
    }
  }

  /** A request without candidates is answered with an empty ranking. */
  @Test
  public final void aSlateOfNoCandidatesIsRankedToo() {
    for (Requests parts : reference.ranked(goldens)) {
      same("no candidates", parts.with(List.of()));
    }
  }

  /** The largest slate that the bundle allows is answered, and one candidate more is refused. */
  @Test
  public final void theLargestSlateIsRankedAndALargerOneRefused() {
    Requests parts = reference.ranked(goldens).get(0);
    int most = reference.model().maxCandidates();
    List<Integer> cycle =
        IntStream.rangeClosed(0, most).map(i -> i % parts.candidates.size()).boxed().toList();
    same(most + " candidates", parts.with(cycle.subList(0, most)));
    same((most + 1) + " candidates", parts.with(cycle));
  }

  /** Requests that nobody would write are decided as the bundle's own model decides. */
  @Test
  public final void mutatedRequestsAreDecidedAlike(TestReporter reporter) {
    reporter.publishEntry(Map.of("twinrank.seed", "" + seed(), "mutations", "" + mutations()));
    Mutations sequence = new Mutations(reference.ranked(goldens), seed());
    for (int number = 0; number < mutations(); number++) {
      same("mutation " + number + " of seed " + seed() + " (-Dtwinrank.seed)", sequence.next());
    }
  }

  /**
   * Closing one scorer, twice, leaves another as it was.
   *
   * @throws Exception if opening or closing fails
   */
  @Test
  public final void closingOneScorerLeavesTheOthers() throws Exception {
    for (int time = 0; time < 3; time++) {
      ContractScorer other = open(bundle());
      try {
        reference
            .difference(other, goldens.get(0))
            .ifPresent(told -> fail("a scorer opened beside the first one: golden 0: " + told));
      } finally {
        other.close();
        other.close();
      }
      same("golden 0, after another scorer was closed", goldens.get(0));
    }
  }

  private void same(String what, byte[] request) {
    reference.difference(scorer, request).ifPresent(told -> fail(what + ": " + told));
  }

  private static List<Integer> indices(int count) {
    return IntStream.range(0, count).boxed().toList();
  }

  /** Splits at LF alone: the bytes of a line are the request. */
  private static List<byte[]> lines(Path file) throws IOException {
    byte[] all = Files.readAllBytes(file);
    List<byte[]> lines = new ArrayList<>();
    int from = 0;
    for (int at = 0; at <= all.length; at++) {
      if (at == all.length ? from < at : all[at] == '\n') {
        lines.add(Arrays.copyOfRange(all, from, at));
        from = at + 1;
      }
    }
    return lines;
  }
}
