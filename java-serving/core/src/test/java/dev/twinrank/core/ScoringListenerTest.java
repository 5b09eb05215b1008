package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.core.ScoringListener.Event;
import java.lang.Thread.UncaughtExceptionHandler;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class ScoringListenerTest {
  private final List<Event> heard = new ArrayList<>();

  private static Model open(ScoringListener... listeners) {
    ModelOptions.Builder options = ModelOptions.builder().require(Require.REFERENCE);
    for (ScoringListener listener : listeners) {
      options.listener(listener);
    }
    return Model.open(Tiny.path(), options.build());
  }

  private Event last() {
    return heard.get(heard.size() - 1);
  }

  @Test
  void hearsOfOneEventForEveryRequestAndOfNoGolden() {
    try (Model model = open(heard::add)) {
      assertEquals(List.of(), heard);
      model.rank(model.parse(Tiny.request(3)));
      model.score(model.parse(Tiny.request(2)));
      model.verify();
      assertEquals(2, heard.size());
      Event ranked = heard.get(0);
      assertEquals("tiny", ranked.model());
      assertEquals(OptionalLong.of(1), ranked.version());
      assertEquals(model.digest(), ranked.digest());
      assertEquals(3, ranked.candidates());
      assertEquals("ok", ranked.outcome());
      // JSON is read, keyed and packed in one pass: the keys have no time of their own.
      assertEquals(-1, ranked.keysNanos());
      assertTrue(ranked.packNanos() >= 0 && ranked.runNanos() >= 0 && ranked.orderNanos() >= 0);
      assertEquals(-1, last().orderNanos());
    }
  }

  @Test
  void hearsOfRefusalsWithTheirCodesAndOfNoStageThatWasNotReached() {
    try (Model model = open(heard::add)) {
      for (int i = 0; i < Tiny.requests().size(); i++) {
        Object error = Tiny.rankings().get(i).get("error");
        byte[] request = Tiny.utf8(Tiny.requests().get(i));
        if (error == null) {
          model.rank(model.parse(request));
          assertEquals(Optional.empty(), last().refusal());
        } else {
          assertThrows(ScoringException.class, () -> model.rank(model.parse(request)));
          assertEquals(error, last().outcome());
          assertEquals(-1, last().orderNanos());
          assertEquals(
              last().refusal().equals(Optional.of(ErrorCode.UNSEEN_VALUE)), last().runNanos() >= 0);
        }
        assertEquals(i + 1, heard.size());
      }
    }
  }

  @Test
  void hearsOfNoRunOfASlateOfNoCandidates() {
    try (Model model = open(heard::add)) {
      model.rank(model.parse(Tiny.request(0)));
      assertEquals(0, last().candidates());
      assertEquals(-1, last().runNanos());
      assertTrue(last().orderNanos() >= 0);
    }
  }

  @Test
  void aListenerThatThrowsLosesNeitherAnAnswerNorARefusalNorTheNextListener() {
    List<Throwable> reported = new ArrayList<>();
    Thread here = Thread.currentThread();
    UncaughtExceptionHandler before = here.getUncaughtExceptionHandler();
    IllegalStateException broken = new IllegalStateException("broken");
    here.setUncaughtExceptionHandler(
        (thread, thrown) -> {
          reported.add(thrown);
          throw new IllegalStateException("and a handler that is no better");
        });
    try (Model model =
        open(
            event -> {
              throw broken;
            },
            event -> {
              throw new AssertionError("an error, even");
            },
            heard::add)) {
      assertEquals(2, model.rank(model.parse(Tiny.request(2))).entries().size());
      assertEquals(2, model.score(model.parse(Tiny.request(2))).candidates());
      ScoringException refusal =
          assertThrows(ScoringException.class, () -> model.parse(Tiny.utf8("{")));
      assertEquals(ErrorCode.INVALID_JSON, refusal.code());
      assertEquals(3, heard.size());
      assertEquals(6, model.statistics().listenerFailures());
      assertEquals(3, model.statistics().requests());
      assertEquals(2, reported.size(), "the first failure of each is reported, and no other");
      assertEquals(broken, reported.get(0));
    } finally {
      here.setUncaughtExceptionHandler(before);
    }
  }
}
