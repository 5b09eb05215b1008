package dev.twinrank.benchmarks.ours;

import dev.twinrank.benchmarks.Caller;
import dev.twinrank.core.Ranking;

/** A caller that keeps the last ranking. */
abstract class RankingCaller implements Caller {
  private Ranking last;

  abstract Ranking rank(int request);

  @Override
  public void call(int request) {
    last = rank(request);
  }

  @Override
  public float[] scores() {
    float[] scores = new float[last.scores().candidates()];
    last.scores().scores().asFloatBuffer().get(scores);
    return scores;
  }

  @Override
  public int[] best() {
    return last.entries().stream().mapToInt(Ranking.Entry::index).toArray();
  }
}
