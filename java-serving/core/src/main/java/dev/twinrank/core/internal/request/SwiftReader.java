package dev.twinrank.core.internal.request;

import dev.twinrank.core.internal.json.JsonBytes;
import dev.twinrank.core.internal.json.NamePattern;
import dev.twinrank.core.internal.pack.Counts;
import dev.twinrank.core.internal.pack.PackPlan;
import dev.twinrank.core.internal.pack.PackedSlate;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/**
 * Reads requests as they usually are, fast: along the schema, from bytes straight into packed rows.
 * Not thread-safe; made once, used for many requests.
 *
 * <p>It gives up on whatever is unusual, wrong or absorbed by a policy for invalid values, and has
 * then changed nothing: {@link RequestReader} reads the request again, and says what it is. So a
 * request that this reads has the blocks and counts that the other reader would give it, and every
 * refusal is the other reader's.
 */
final class SwiftReader {
  private static final NamePattern CONTEXT = new NamePattern("context");
  private static final NamePattern CANDIDATES = new NamePattern("candidates");
  private static final NamePattern K = new NamePattern("k");
  // Longer texts are rare enough to be read slowly, and are not worth memory of their size.
  private static final int LONGEST_TEXT = 1 << 26;

  private final int maxCandidates;
  private final JsonBytes json = new JsonBytes();
  private final Sheet context;
  private final Sheet candidates;
  private OptionalInt k = OptionalInt.empty();

  SwiftReader(PackPlan plan, int maxCandidates) {
    this.maxCandidates = maxCandidates;
    this.context = new Sheet(plan.context());
    this.candidates = new Sheet(plan.candidate());
  }

  /** Returns how many bytes it holds on to. */
  long held() {
    return json.held() + context.held() + candidates.held();
  }

  /**
   * Reads and packs a request; returns null if it gives up.
   *
   * @param counts what the policies absorb is counted here, unless it gives up
   */
  PackedSlate read(byte[] text, Counts counts) {
    if (text.length > LONGEST_TEXT) {
      return null;
    }
    json.begin(text);
    k = OptionalInt.empty();
    try {
      return takeRequest() && context.complete() && candidates.complete() ? give(counts) : null;
    } finally {
      context.clear();
      candidates.clear();
    }
  }

  private PackedSlate give(Counts counts) {
    int n = candidates.rows();
    counts.candidates(n);
    List<ByteBuffer> blocks = new ArrayList<>();
    context.give(blocks, counts);
    candidates.give(blocks, counts);
    return new PackedSlate(
        n, k.isPresent() ? OptionalInt.of(Math.min(k.getAsInt(), n)) : k, blocks);
  }

  private boolean takeRequest() {
    if (!json.take('{')) {
      return false;
    }
    boolean hasContext = false;
    boolean hasCandidates = false;
    boolean hasK = false;
    do {
      json.space();
      boolean taken;
      if (!hasContext && json.takeName(CONTEXT)) {
        hasContext = true;
        taken = takeColon() && context.addRow() && takeObject(context, 0);
      } else if (!hasCandidates && json.takeName(CANDIDATES)) {
        hasCandidates = true;
        taken = takeColon() && (json.takeNext('[') ? takeRows() : takeColumns());
      } else {
        taken = !hasK && json.takeName(K) && takeColon() && takeK();
        hasK = true;
      }
      if (!taken) {
        return false;
      }
    } while (json.take(','));
    return json.takeNext('}') && hasContext && hasCandidates && json.atEnd();
  }

  private boolean takeColon() {
    if (!json.take(':')) {
      return false;
    }
    json.space();
    return true;
  }

  private boolean takeK() {
    if (json.takeNull()) {
      return true;
    }
    if (!json.takeInteger() || json.bits() < 0) {
      return false;
    }
    // More than any int means all, as every k above the number of candidates does.
    k = OptionalInt.of((int) Math.min(Integer.MAX_VALUE, json.bits()));
    return true;
  }

  private boolean takeRows() {
    if (json.take(']')) {
      return true;
    }
    do {
      json.space();
      if (!addCandidate() || !takeObject(candidates, candidates.rows() - 1)) {
        return false;
      }
    } while (json.take(','));
    return json.takeNext(']');
  }

  private boolean addCandidate() {
    return candidates.rows() < maxCandidates && candidates.addRow();
  }

  private boolean takeObject(Sheet sheet, int row) {
    if (!json.takeNext('{')) {
      return false;
    }
    if (json.take('}')) {
      return true;
    }
    sheet.beginNames();
    do {
      json.space();
      Lane lane = sheet.takeName(json);
      if (lane == null || !takeColon() || !sheet.takeValue(json, lane, row)) {
        return false;
      }
    } while (json.take(','));
    return json.takeNext('}');
  }

  private boolean takeColumns() {
    if (!json.takeNext('{')) {
      return false;
    }
    if (json.take('}')) {
      return true;
    }
    candidates.beginNames();
    boolean first = true;
    do {
      json.space();
      Lane lane = candidates.takeName(json);
      if (lane == null || !takeColon() || !takeColumn(lane, first)) {
        return false;
      }
      first = false;
    } while (json.take(','));
    return json.takeNext('}');
  }

  private boolean takeColumn(Lane lane, boolean first) {
    if (!json.takeNext('[')) {
      return false;
    }
    int row = 0;
    if (!json.take(']')) {
      do {
        json.space();
        boolean there = first ? addCandidate() : row < candidates.rows();
        if (!there || !candidates.takeValue(json, lane, row)) {
          return false;
        }
        row++;
      } while (json.take(','));
      if (!json.takeNext(']')) {
        return false;
      }
    }
    return row == candidates.rows();
  }
}
