package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class StoppableRunTest {

  @Test
  void aRunThatNobodyStopsAnswersAsOneThatCannotBeStopped() {
    try (Model model = Tiny.open()) {
      RankRequest request = model.parse(Tiny.request(3));
      Scores expected = model.score(request);
      for (Cancellation cancellation :
          new Cancellation[] {Cancellation.create(), Cancellation.after(Duration.ofHours(1))}) {
        Scores found = model.score(request, cancellation);
        for (int candidate = 0; candidate < 3; candidate++) {
          assertEquals(expected.scoreBits(candidate), found.scoreBits(candidate));
        }
      }
    }
  }
}
