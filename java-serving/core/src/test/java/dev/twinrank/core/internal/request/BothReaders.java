package dev.twinrank.core.internal.request;

import dev.twinrank.core.ScoringException;
import dev.twinrank.core.internal.pack.Counts;
import dev.twinrank.core.internal.pack.PackPlan;
import dev.twinrank.core.internal.pack.PackedSlate;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/** Gives a text to the fast reader and to the one that knows everything, and compares. */
public final class BothReaders {
  private final PackPlan plan;
  private final RequestReader reader;
  private int accepted;
  private int answered;

  /** Reads along a schema. */
  public BothReaders(PackPlan plan, int maxCandidates) {
    this.plan = plan;
    this.reader = new RequestReader(plan, maxCandidates);
  }

  /** Returns how many texts were good. */
  public int accepted() {
    return accepted;
  }

  /** Returns how many texts the fast reader answered. */
  public int answered() {
    return answered;
  }

  /** What a reader made of a text. */
  private record Read(String slate, List<Integer> counts) {}

  /** Returns what is wrong with what the fast reader makes of a text, or an empty string. */
  public String difference(byte[] text) {
    byte[] given = text.clone();
    Counts counts = new Counts(plan);
    PackedSlate slate = reader.readSwiftly(given, counts);
    if (slate == null && !(counts.isEmpty() && counts.candidates() == 0)) {
      return "gave up and left counts";
    }
    Read swift = slate == null ? null : read(slate, counts);
    answered += swift == null ? 0 : 1;
    Read thorough = null;
    try {
      Counts expected = new Counts(plan);
      thorough = read(reader.readThoroughly(given, expected), expected);
      accepted++;
    } catch (ScoringException e) {
      return swift == null ? "" : "took what is " + e.code() + ": " + e.getMessage();
    }
    if (!java.util.Arrays.equals(given, text)) {
      return "changed the text";
    }
    return swift == null || swift.equals(thorough) ? "" : swift + " is not " + thorough;
  }

  private Read read(PackedSlate slate, Counts counts) {
    StringBuilder text = new StringBuilder();
    text.append(slate.candidates()).append(' ').append(slate.k());
    for (ByteBuffer block : slate.blocks()) {
      byte[] bytes = new byte[block.limit()];
      block.get(0, bytes);
      text.append(' ').append(block.order()).append(' ').append(HexFormat.of().formatHex(bytes));
    }
    List<Integer> all = new ArrayList<>(List.of(counts.candidates()));
    for (int i = 0; i < plan.schema().features().size(); i++) {
      all.add(counts.missing(i));
      all.add(counts.invalid(i));
    }
    return new Read(text.toString(), all);
  }
}
