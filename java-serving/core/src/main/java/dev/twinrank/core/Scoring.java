package dev.twinrank.core;

import dev.twinrank.core.internal.bundle.OpenedBundle;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.onnx.GraphSession;
import dev.twinrank.core.internal.pack.PackedSlate;
import dev.twinrank.core.internal.pack.Refusals;
import dev.twinrank.core.internal.pack.SlateWriter;
import dev.twinrank.core.internal.pack.UnseenOutput;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ArrayBlockingQueue;

/**
 * How a model scores: from a slate or a request to a result, once each. Thread-safe.
 *
 * <p>Each call ends in the observation exactly once, answered or refused.
 */
final class Scoring {
  private final OpenedBundle bundle;
  private final Observation observation;
  private final Scores.Layout layout;
  private final Queue<SlateWriter> writers =
      new ArrayBlockingQueue<>(2 * Runtime.getRuntime().availableProcessors());

  Scoring(OpenedBundle bundle, Observation observation) {
    this.bundle = bundle;
    this.observation = observation;
    this.layout = new Scores.Layout(bundle.heads(), bundle.score());
  }

  int maxCandidates() {
    return bundle.maxCandidates();
  }

  Slate lease(int candidates) {
    bundle.session().requireOpen();
    SlateWriter writer = writers.poll();
    Slate slate =
        new Slate(
            this,
            bundle.session(),
            writer == null ? new SlateWriter(bundle.plan()) : writer,
            bundle.session().take(),
            observation);
    boolean leased = false;
    try {
      slate.reset(candidates);
      leased = true;
      return slate;
    } finally {
      if (!leased) {
        slate.close();
      }
    }
  }

  Scores scores(Slate slate, Cancellation cancellation) {
    Stages stages = begun(slate);
    Scores scores = run(slate, stages, cancellation);
    observation.answered(slate.counts(), slate.candidates(), stages);
    return scores;
  }

  Ranking rank(Slate slate, int k, Cancellation cancellation) {
    Stages stages = begun(slate);
    if (k < 0) {
      ScoringException refusal =
          Refusals.request(
              ErrorCode.INVALID_REQUEST,
              "k is " + k + "; send at least 0, or leave it out for all");
      slate.proceed();
      observation.refused(slate.counts(), slate.candidates(), refusal, stages);
      throw refusal;
    }
    Ranking ranking = order(run(slate, stages, cancellation), k, stages);
    observation.answered(slate.counts(), slate.candidates(), stages);
    return ranking;
  }

  /** Spends a slate until it is scored, and returns its clock. */
  private Stages begun(Slate slate) {
    if (slate.scoring() != this) {
      throw new IllegalArgumentException(
          "the slate was leased from another model; lease one from this");
    }
    slate.begin();
    slate.stages().again();
    return slate.stages();
  }

  private Scores run(Slate slate, Stages stages, Cancellation cancellation) {
    try {
      if (cancellation != null) {
        cancellation.check();
      }
      stages.begin();
      Workspace workspace = slate.finish();
      stages.pack();
      Scores scores = slate.candidates() == 0 ? none() : run(workspace, stages, cancellation);
      slate.proceed();
      return scores;
    } catch (ScoringException e) {
      throw slate.refused(e);
    }
  }

  Scores score(RankRequest request, Cancellation cancellation) {
    Stages stages = observation.stages();
    Scores scores = run(request, stages, cancellation);
    observation.answered(request.counts(), request.candidates(), stages);
    return scores;
  }

  Ranking rank(RankRequest request, Cancellation cancellation) {
    Stages stages = observation.stages();
    Scores scores = run(request, stages, cancellation);
    Ranking ranking = order(scores, request.k().orElse(Integer.MAX_VALUE), stages);
    observation.answered(request.counts(), request.candidates(), stages);
    return ranking;
  }

  private Scores run(RankRequest request, Stages stages, Cancellation cancellation) {
    if (request.plan() != bundle.plan()
        && !request.plan().schema().equals(bundle.plan().schema())) {
      throw new IllegalArgumentException(
          "the request was made for a model with another schema; make it with this one");
    }
    stages.packed(request.packNanos());
    try {
      if (request.candidates() > bundle.maxCandidates()) {
        throw Refusals.tooMany(bundle.maxCandidates());
      }
      if (cancellation != null) {
        cancellation.check();
      }
      return request.candidates() == 0 ? none() : run(request.slate(), stages, cancellation);
    } catch (ScoringException e) {
      observation.refused(request.counts(), request.candidates(), e, stages);
      throw e;
    }
  }

  private Scores run(PackedSlate slate, Stages stages, Cancellation cancellation) {
    GraphSession session = bundle.session();
    Workspace workspace = session.take();
    try {
      stages.begin();
      session.fill(workspace, slate);
      stages.pack();
      return run(workspace, stages, cancellation);
    } catch (GraphFailure e) {
      throw failed(slate.candidates(), e);
    } finally {
      session.give(workspace);
    }
  }

  private Scores none() {
    bundle.session().requireOpen();
    return layout.none();
  }

  /** Runs a workspace whose inputs are written, and copies the result out of it. */
  private Scores run(Workspace workspace, Stages stages, Cancellation cancellation) {
    Cancellation.Run run = cancellation == null ? null : cancellation.run();
    try {
      stages.begin();
      bundle.session().run(workspace, run);
    } catch (GraphFailure e) {
      ErrorCode reason = run == null ? null : run.reason();
      throw reason == null ? failed(workspace.candidates(), e) : Cancellation.refusal(reason, e);
    } finally {
      stages.run();
    }
    checkUnseen(workspace);
    for (int i = 0; i < layout.columns(); i++) {
      observation.values(i, workspace.output(i));
    }
    return layout.copy(workspace);
  }

  private void checkUnseen(Workspace workspace) {
    List<UnseenOutput> unseen = bundle.plan().unseen();
    try {
      for (int i = 0; i < unseen.size(); i++) {
        unseen.get(i).check(workspace.output(layout.columns() + i));
      }
    } catch (ScoringException e) {
      for (int i = 0; i < unseen.size(); i++) {
        observation.unseen(i, workspace.output(layout.columns() + i));
      }
      throw e;
    }
  }

  private static Ranking order(Scores scores, int limit, Stages stages) {
    stages.begin();
    Ranking ranking = new Ranking(scores, scores.order(limit));
    stages.order();
    return ranking;
  }

  /** Says that the runtime failed. */
  static ScoringException failed(int candidates, GraphFailure e) {
    return Refusals.request(
        ErrorCode.SCORING_FAILED,
        "the runtime failed on a valid request of " + candidates + " candidates: " + e.getMessage(),
        e);
  }

  /** Takes a writer back; one that finds no place is forgotten. */
  void give(SlateWriter writer) {
    writers.offer(writer);
  }
}
