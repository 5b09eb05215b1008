package dev.twinrank.probe;

import com.dynatrace.hash4j.hashing.Hashing;
import dev.twinrank.core.Model;
import dev.twinrank.core.PackedBlock;
import dev.twinrank.core.RankRequest;
import dev.twinrank.core.Ranking;
import dev.twinrank.core.Scores;
import dev.twinrank.core.ScoringException;
import dev.twinrank.probe.ProtocolException.Code;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/** The answers to several requests. Not thread-safe. */
final class Batch {
  /** The n of a request that was refused. */
  static final int REFUSED = -1;

  /**
   * A refused request.
   *
   * @param request its place in the batch, from 0
   * @param reason why
   */
  record Refusal(int request, ScoringException reason) {}

  private final Model model;
  private final List<Integer> candidates = new ArrayList<>();
  private final List<Ranking> rankings = new ArrayList<>(); // null where refused
  private final List<Long> digests = new ArrayList<>();
  private final List<Refusal> refusals = new ArrayList<>();
  private long bytes;
  private byte[] packed = new byte[1 << 12];

  private Batch(Model model) {
    this.model = model;
  }

  /**
   * Scores the requests of a body: of each its length (u32 little-endian) and its bytes.
   *
   * @throws ProtocolException {@code invalid_frame} if a length contradicts the bytes that follow,
   *     before anything is scored; {@code response_too_large} as soon as the answers exceed a frame
   */
  static Batch score(Model model, ByteBuffer body) {
    return score(model, body, Frame.MAX_PART_BYTES);
  }

  /** Scores under another limit of the answer's body, in bytes. */
  static Batch score(Model model, ByteBuffer body, long limit) {
    Batch batch = new Batch(model);
    for (ByteBuffer request : requests(body)) {
      batch.add(request);
      Answer.refuseOver(0, batch.bytes, limit);
    }
    return batch;
  }

  private static List<ByteBuffer> requests(ByteBuffer body) {
    ByteBuffer in = body.slice().order(ByteOrder.LITTLE_ENDIAN);
    List<ByteBuffer> requests = new ArrayList<>();
    while (in.hasRemaining()) {
      int at = in.position();
      if (in.remaining() < Integer.BYTES) {
        throw new ProtocolException(
            Code.INVALID_FRAME,
            "the batch ends at byte %d, inside the length of request %d"
                .formatted(in.limit(), requests.size()));
      }
      long length = Integer.toUnsignedLong(in.getInt());
      if (length > in.remaining()) {
        throw new ProtocolException(
            Code.INVALID_FRAME,
            "request %d at byte %d of the batch claims %d bytes; %d follow"
                .formatted(requests.size(), at, length, in.remaining()));
      }
      requests.add(in.slice(in.position(), (int) length));
      in.position(in.position() + (int) length);
    }
    return requests;
  }

  private void add(ByteBuffer raw) {
    byte[] json = new byte[raw.remaining()];
    raw.get(json);
    try {
      RankRequest request = model.parse(json);
      Ranking ranking = model.rank(request);
      candidates.add(request.candidates());
      rankings.add(ranking);
      digests.add(digest(request));
      bytes += size(ranking);
    } catch (ScoringException e) {
      refusals.add(new Refusal(candidates.size(), e));
      candidates.add(REFUSED);
      rankings.add(null);
      digests.add(0L);
    }
    bytes += Long.BYTES;
  }

  private static long size(Ranking ranking) {
    Scores scores = ranking.scores();
    long size = scores.scores().remaining();
    for (int head = 0; head < scores.heads().size(); head++) {
      size += scores.values(head).remaining();
    }
    return size + (long) Integer.BYTES * (ranking.size() + ranking.dropped().size());
  }

  /** XXH3-64 (seed 0) of the packed blocks' bytes, one block after another. */
  private long digest(RankRequest request) {
    int length = 0;
    for (PackedBlock block : request.blocks()) {
      ByteBuffer data = block.data();
      int end = Math.addExact(length, data.remaining());
      if (end > packed.length) {
        byte[] larger = new byte[Math.max(end, 2 * packed.length)];
        System.arraycopy(packed, 0, larger, 0, length);
        packed = larger;
      }
      data.get(packed, length, data.remaining());
      length = end;
    }
    return Hashing.xxh3_64().hashBytesToLong(packed, 0, length);
  }

  /** Returns the number of candidates of each request, {@link #REFUSED} where it was refused. */
  List<Integer> candidates() {
    return candidates;
  }

  /** Returns the number of ranked candidates of each request, 0 where it was refused. */
  List<Integer> ranked() {
    return rankings.stream().map(each -> each == null ? 0 : each.size()).toList();
  }

  /** Returns the number of dropped candidates of each request, 0 where it was refused. */
  List<Integer> dropped() {
    return rankings.stream().map(each -> each == null ? 0 : each.dropped().size()).toList();
  }

  List<Refusal> refusals() {
    return refusals;
  }

  /** Returns the body of the answer: columns, orders, dropped, digests. */
  List<ByteBuffer> body() {
    List<ByteBuffer> parts = new ArrayList<>();
    for (int head = 0; head < model.heads().size(); head++) {
      for (Ranking ranking : rankings) {
        if (ranking != null) {
          parts.add(ranking.scores().values(head));
        }
      }
    }
    int numbers = 0;
    for (Ranking ranking : rankings) {
      if (ranking != null) {
        parts.add(ranking.scores().scores());
        numbers += ranking.size() + ranking.dropped().size();
      }
    }
    ByteBuffer tail =
        ByteBuffer.allocate(numbers * Integer.BYTES + digests.size() * Long.BYTES)
            .order(ByteOrder.LITTLE_ENDIAN);
    for (Ranking ranking : rankings) {
      for (int place = 0; ranking != null && place < ranking.size(); place++) {
        tail.putInt(ranking.index(place));
      }
    }
    for (Ranking ranking : rankings) {
      if (ranking != null) {
        ranking.dropped().forEach(each -> tail.putInt(each.index()));
      }
    }
    digests.forEach(tail::putLong);
    parts.add(tail.flip());
    return parts;
  }
}
