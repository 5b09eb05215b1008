package dev.twinrank.server.oip;

import dev.twinrank.core.DType;
import dev.twinrank.core.Ranking;
import dev.twinrank.core.Scores;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.IntUnaryOperator;

/**
 * An output of a model. Immutable and thread-safe.
 *
 * @param kind what it is
 * @param head which head, for one
 */
record Output(Kind kind, int head) {
  enum Kind {
    HEAD,
    SCORE,
    RANKING,
    DROPPED
  }

  static Output head(int index) {
    return new Output(Kind.HEAD, index);
  }

  static Output score() {
    return new Output(Kind.SCORE, -1);
  }

  static Output ranking() {
    return new Output(Kind.RANKING, -1);
  }

  static Output dropped() {
    return new Output(Kind.DROPPED, -1);
  }

  /** Returns the name of what is made of the scores. */
  String label() {
    return kind == Kind.RANKING ? Signature.RANKING : Signature.DROPPED;
  }

  /**
   * Returns it as a tensor.
   *
   * @param dtype the type of the head or the score
   */
  Tensor tensor(String name, DType dtype, Ranking ranking) {
    Scores scores = ranking.scores();
    return switch (kind) {
      case HEAD -> column(name, dtype, scores.values(head), scores.candidates());
      case SCORE -> column(name, dtype, scores.scores(), scores.candidates());
      case RANKING -> indices(name, ranking.size(), ranking::index);
      case DROPPED ->
          indices(name, ranking.dropped().size(), place -> ranking.dropped().get(place).index());
    };
  }

  private static Tensor column(String name, DType dtype, ByteBuffer values, int candidates) {
    return Tensor.of(name, Datatype.of(dtype), new long[] {candidates}, values);
  }

  private static Tensor indices(String name, int count, IntUnaryOperator at) {
    ByteBuffer data = ByteBuffer.allocate(Integer.BYTES * count).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < count; i++) {
      data.putInt(Integer.BYTES * i, at.applyAsInt(i));
    }
    return Tensor.of(name, Datatype.INT32, new long[] {count}, data);
  }
}
