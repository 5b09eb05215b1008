package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.core.ModelOptions.WarmUp;
import dev.twinrank.core.VerificationReport.Phase;
import dev.twinrank.core.internal.bundle.Journal;
import dev.twinrank.core.internal.bundle.OpenedBundle;
import dev.twinrank.core.internal.bundle.Opening;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

class WarmUpTest {
  private static final Duration LONG = Duration.ofDays(400_000);

  private static Opening opening() {
    return OpenedBundle.open(
        Tiny.path(),
        Tiny.BY_REFERENCE,
        Optional.empty(),
        Optional.empty(),
        new Journal(Tiny.path()));
  }

  @Test
  void sendsEveryGoldenTheWayOfCallersAsOftenAsIsAskedAndSmallOnesFirst() {
    Map<String, Integer> sent = new HashMap<>();
    int[] largest = {0};
    Opening opening = opening();
    try (Model model = Tiny.open()) {
      opening
          .rehearsal()
          .run(
              new WarmUp(3, LONG),
              request -> {
                sent.merge(new String(request, StandardCharsets.ISO_8859_1), 1, Integer::sum);
                Scores scores = model.rank(model.parse(request)).scores();
                assertTrue(scores.candidates() >= largest[0]);
                largest[0] = scores.candidates();
                return scores;
              },
              request -> Optional.empty());
      assertEquals(16, largest[0]);
      // Two goldens may store the same request.
      assertEquals(3 * Tiny.requests().size(), sent.values().stream().mapToInt(n -> n).sum());
      assertTrue(sent.values().stream().allMatch(n -> n % 3 == 0));
    } finally {
      opening.bundle().session().close();
    }
  }

  @Test
  void sendsEverySoundGoldenThatASlateCanHoldAsASlateToo() {
    int[] sent = {0};
    int[] unfit = {0};
    List<ScoringListener.Event> heard = new ArrayList<>();
    ModelOptions options =
        ModelOptions.builder()
            .require(Require.REFERENCE)
            .warmUp(WarmUp.NONE)
            .listener(heard::add)
            .build();
    Opening opening = opening();
    try (Model model = Model.open(Tiny.path(), options)) {
      SlateRehearsal rehearsal = new SlateRehearsal(model);
      opening
          .rehearsal()
          .run(
              new WarmUp(3, LONG),
              request -> model.rank(model.parse(request)).scores(),
              request -> {
                Optional<Supplier<Scores>> way = rehearsal.of(request);
                unfit[0] += way.isEmpty() ? 1 : 0;
                return way.map(
                    supplier ->
                        () -> {
                          sent[0]++;
                          return supplier.get();
                        });
              });
    } finally {
      opening.bundle().session().close();
    }
    long sound = Tiny.rankings().stream().filter(golden -> !golden.containsKey("error")).count();
    // The first round of each golden is JSON alone; values of a wrong type fit no slate.
    assertEquals(2 * (sound - unfit[0]), sent[0]);
    assertTrue(sent[0] > 0 && unfit[0] < sound, sent[0] + " sent, " + unfit[0] + " unfit");
    assertTrue(heard.stream().anyMatch(event -> event.keysNanos() >= 0), "no column of strings");
  }

  @Test
  void anotherAnswerToASlateRefusesTheBundleToo() {
    byte[] other = Tiny.utf8(Tiny.requests().get(1).replace("0.1", "0.2"));
    Opening opening = opening();
    try (Model model = Tiny.open()) {
      BundleException refusal =
          assertThrows(
              BundleException.class,
              () ->
                  opening
                      .rehearsal()
                      .run(
                          new WarmUp(2, LONG),
                          request -> model.score(model.parse(request)),
                          request ->
                              model.parse(request).candidates() == 16
                                  ? Optional.of(() -> model.score(model.parse(other)))
                                  : Optional.empty()));
      assertEquals(ErrorCode.GOLDEN_MISMATCH, refusal.code());
      assertEquals("goldens/rankings.jsonl:2", refusal.problems().get(0).path());
    } finally {
      opening.bundle().session().close();
    }
  }

  @Test
  void aWarmUpOfNoTimeSendsNothing() {
    Opening opening = opening();
    opening
        .rehearsal()
        .run(
            new WarmUp(3, Duration.ZERO),
            request -> {
              throw new AssertionError("sent");
            },
            request -> Optional.empty());
    opening.bundle().session().close();
  }

  @Test
  void anotherAnswerThanTheGoldensIsNamedAndRefusesTheBundle() {
    byte[] other = Tiny.utf8(Tiny.requests().get(1).replace("0.1", "0.2"));
    Opening opening = opening();
    try (Model model = Tiny.open()) {
      BundleException refusal =
          assertThrows(
              BundleException.class,
              () ->
                  opening
                      .rehearsal()
                      .run(
                          new WarmUp(1, LONG),
                          request -> {
                            RankRequest sound = model.parse(request);
                            return model.score(
                                sound.candidates() == 16 ? model.parse(other) : sound);
                          },
                          request -> Optional.empty()));
      assertEquals(ErrorCode.GOLDEN_MISMATCH, refusal.code());
      assertEquals("goldens/rankings.jsonl:2", refusal.problems().get(0).path());
      BundleException accepted =
          assertThrows(
              BundleException.class,
              () ->
                  opening
                      .rehearsal()
                      .run(
                          new WarmUp(1, LONG),
                          request -> model.score(model.parse(Tiny.request(0))),
                          request -> Optional.empty()));
      String message = accepted.getMessage();
      assertTrue(message.contains("in the warm-up: it was accepted; expected "), message);
    } finally {
      opening.bundle().session().close();
    }
  }

  @Test
  void isAPhaseOfItsOwnUnlessThereIsNone() {
    ModelOptions.Builder options = ModelOptions.builder().require(Require.REFERENCE);
    try (Model cold = Model.open(Tiny.path(), options.warmUp(WarmUp.NONE).build());
        Model warm = Model.open(Tiny.path(), options.warmUp(WarmUp.DEFAULT).build())) {
      List<String> phases = warm.opening().phases().stream().map(Phase::name).toList();
      assertEquals("warm-up", phases.get(phases.size() - 1));
      assertEquals(
          phases.subList(0, phases.size() - 1),
          cold.opening().phases().stream().map(Phase::name).toList());
    }
  }

  @Test
  void refusesWhatMakesNoSense() {
    assertThrows(IllegalArgumentException.class, () -> new WarmUp(-1, Duration.ZERO));
    assertThrows(IllegalArgumentException.class, () -> new WarmUp(1, Duration.ofNanos(-1)));
  }
}
