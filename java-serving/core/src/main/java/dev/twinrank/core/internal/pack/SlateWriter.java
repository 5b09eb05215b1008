package dev.twinrank.core.internal.pack;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.json.Quote;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.Consumer;

/**
 * Writes typed values into the inputs of a workspace, by the rules that {@link ObjectPacker} obeys.
 * Not thread-safe. The steady state allocates nothing.
 *
 * <p>A slot belongs to this writer's plan, a row is 0 in the context and a candidate's index below
 * {@link #candidates} otherwise, and the kind of a value fits the slot's feature: whoever calls
 * sees to that.
 */
public final class SlateWriter {
  private final PackPlan plan;
  private final Values values = new Values();
  private final Counts counts;
  private final Cells context;
  private final Cells candidates;

  // The list or vector that is being written.
  private Slot slot;
  private int row;
  private int count;
  private int first;
  private int kept;
  private boolean bad;

  private Consumer<ScoringException> refused;

  /** Makes a writer for one model. */
  public SlateWriter(PackPlan plan) {
    this.plan = plan;
    this.counts = new Counts(plan);
    this.context = new Cells(plan.context(), counts);
    this.candidates = new Cells(plan.candidate(), counts);
  }

  /** Returns what the policies of the slate have absorbed; not to be kept. */
  public Counts counts() {
    return counts;
  }

  /** Names who hears of a refused value before it is thrown. */
  public void onRefusal(Consumer<ScoringException> listener) {
    refused = listener;
  }

  /** Returns the plan. */
  public PackPlan plan() {
    return plan;
  }

  /**
   * Starts a slate in a workspace's memory, from nothing.
   *
   * @param workspace one whose size is the number of candidates, or 1 for none
   */
  public void begin(Workspace workspace, int rows) {
    counts.clear();
    counts.candidates(rows);
    int contextBlocks = plan.context().blocks().size();
    context.begin(workspace, 0, 1);
    candidates.begin(workspace, contextBlocks, rows);
  }

  /** Forgets what was written and counted. */
  public void clear() {
    counts.clear();
  }

  /** Forgets the memory. */
  public void end() {
    context.end();
    candidates.end();
  }

  /**
   * Ends a slate, unless it lacks something; may be called again.
   *
   * @throws dev.twinrank.core.ScoringException {@code missing_feature} or {@code length_mismatch};
   *     the context first, then candidate by candidate
   */
  public void finish() {
    counts.clearMissing();
    context.check();
    candidates.check();
  }

  /** Takes an integer. */
  public void integer(Slot target, int at, long value) {
    Cells cells = cells(target);
    cells.give(target, at);
    if (values.integer(target.feature(), value) == null) {
      accept(cells, target, at);
    }
  }

  /** Takes a float. */
  public void decimal(Slot target, int at, double value) {
    Cells cells = cells(target);
    cells.give(target, at);
    ErrorCode error = values.decimal(target.feature(), value);
    if (error == null) {
      accept(cells, target, at);
    } else {
      refuse(cells, target, at, error, value);
    }
  }

  /** Takes a boolean. */
  public void bool(Slot target, int at, boolean value) {
    Cells cells = cells(target);
    cells.give(target, at);
    cells.put(target, at, 0, value ? 1 : 0);
    cells.present(target, at);
  }

  /** Takes a string; null is missing. */
  public void string(Slot target, int at, String value) {
    Cells cells = cells(target);
    if (value == null) {
      cells.requireAbsent(target, at);
      return;
    }
    cells.give(target, at);
    ErrorCode error = values.string(target.feature(), value);
    if (error == null) {
      accept(cells, target, at);
    } else {
      refuse(cells, target, at, error, value);
    }
  }

  /** Takes the key of a string. */
  public void key(Slot target, int at, long key) {
    Cells cells = cells(target);
    cells.give(target, at);
    cells.put(target, at, 0, key);
    cells.present(target, at);
  }

  /** Takes integers or keys for a column of 64-bit integers. */
  public void column(Slot target, long[] column) {
    begin(target, column.length);
    candidates.giveAll(target);
    ByteBuffer out = candidates.values(target);
    int at = target.valueAt(0);
    for (long each : column) {
      out.putLong(at, each);
      at += target.rowBytes();
    }
  }

  /** Takes integers for a column of floats. */
  public void widenedColumn(Slot target, long[] column) {
    begin(target, column.length);
    candidates.giveAll(target);
    for (int i = 0; i < column.length; i++) {
      // The nearest float64 first, as for a literal; never straight to float32.
      decimalOf(target, i, (double) column[i]);
    }
  }

  /** Takes floats. */
  public void column(Slot target, double[] column) {
    begin(target, column.length);
    candidates.giveAll(target);
    for (int i = 0; i < column.length; i++) {
      decimalOf(target, i, column[i]);
    }
  }

  /** Takes floats, widened exactly. */
  public void column(Slot target, float[] column) {
    begin(target, column.length);
    candidates.giveAll(target);
    boolean narrow = target.narrow();
    ByteBuffer out = candidates.values(target);
    int at = target.valueAt(0);
    for (int i = 0; i < column.length; i++) {
      float value = column[i];
      if (narrow && Float.isFinite(value)) {
        out.putInt(at, Float.floatToRawIntBits(value));
      } else {
        decimalOf(target, i, value);
      }
      at += target.rowBytes();
    }
  }

  /** Takes booleans. */
  public void column(Slot target, boolean[] column) {
    begin(target, column.length);
    candidates.giveAll(target);
    ByteBuffer out = candidates.values(target);
    int at = target.valueAt(0);
    for (boolean each : column) {
      out.putLong(at, each ? 1 : 0);
      at += target.rowBytes();
    }
  }

  /** Takes strings; null is missing. */
  public void column(Slot target, String[] column) {
    begin(target, column.length);
    ByteBuffer out = candidates.values(target);
    int rows = candidates.rows();
    for (int row = 0; row < rows; row++) {
      int end = values.keys().encode(column, row, rows, out, target.valueAt(0), target.rowBytes());
      candidates.giveRows(target, row, end);
      if (end < rows) {
        keyless(target, end, column[end]);
      }
      row = end;
    }
  }

  /** Takes strings; null is missing. */
  public void column(Slot target, List<String> column) {
    begin(target, column.size());
    ByteBuffer out = candidates.values(target);
    int rows = candidates.rows();
    for (int row = 0; row < rows; row++) {
      int end = values.keys().encode(column, row, rows, out, target.valueAt(0), target.rowBytes());
      candidates.giveRows(target, row, end);
      if (end < rows) {
        keyless(target, end, column.get(end));
      }
      row = end;
    }
  }

  /** Takes a string of which no key can be made: one that is missing, or invalid. */
  private void keyless(Slot target, int at, String value) {
    if (value != null) {
      candidates.give(target, at);
      refuse(candidates, target, at, ErrorCode.INVALID_STRING, value);
    }
  }

  private void begin(Slot target, int length) {
    if (length != candidates.rows()) {
      throw new IllegalArgumentException(
          "the column of feature '"
              + target.feature().name()
              + "' has "
              + length
              + " values, but the slate has "
              + candidates.rows()
              + " candidates; give one value a candidate");
    }
    candidates.requireAbsent(target);
  }

  /** Writes a float that is present, or says that it is not. */
  private void decimalOf(Slot target, int at, double value) {
    ByteBuffer out = candidates.values(target);
    float narrowed = (float) value;
    if (target.narrow() && Float.isFinite(narrowed)) {
      out.putInt(target.valueAt(at), Float.floatToRawIntBits(narrowed));
    } else if (!target.narrow() && Double.isFinite(value)) {
      out.putLong(target.valueAt(at), Double.doubleToRawLongBits(value));
    } else {
      ErrorCode error = values.decimal(target.feature(), value);
      if (error == null) {
        candidates.put(target, at, 0, values.bits());
      } else {
        refuse(candidates, target, at, error, value);
      }
    }
  }

  /** Takes integers; null is missing. */
  public void elements(Slot target, int at, long[] elements) {
    if (absent(target, at, elements)) {
      return;
    }
    begin(target, at, elements.length);
    for (int i = 0; i < count && !bad; i++) {
      take(i, values.integer(target.feature(), elements[i]), (double) elements[i]);
    }
    endElements();
  }

  /** Takes the keys of strings; null is missing. */
  public void keys(Slot target, int at, long[] elements) {
    if (absent(target, at, elements)) {
      return;
    }
    begin(target, at, elements.length);
    for (int i = 0; i < count; i++) {
      write(i, elements[i]);
    }
    endElements();
  }

  /** Takes floats; null is missing. */
  public void elements(Slot target, int at, double[] elements) {
    if (absent(target, at, elements)) {
      return;
    }
    begin(target, at, elements.length);
    for (int i = 0; i < count && !bad; i++) {
      take(i, values.decimal(target.feature(), elements[i]), elements[i]);
    }
    endElements();
  }

  /** Takes floats, widened exactly; null is missing. */
  public void elements(Slot target, int at, float[] elements) {
    if (absent(target, at, elements)) {
      return;
    }
    begin(target, at, elements.length);
    for (int i = 0; i < count && !bad; i++) {
      take(i, values.decimal(target.feature(), elements[i]), elements[i]);
    }
    endElements();
  }

  /** Takes booleans; null is missing. */
  public void elements(Slot target, int at, boolean[] elements) {
    if (absent(target, at, elements)) {
      return;
    }
    begin(target, at, elements.length);
    for (int i = 0; i < count; i++) {
      write(i, elements[i] ? 1 : 0);
    }
    endElements();
  }

  /** Takes strings; null is missing, but a null among them is of the wrong type. */
  public void elements(Slot target, int at, String[] elements) {
    if (absent(target, at, elements)) {
      return;
    }
    begin(target, at, elements.length);
    for (int i = 0; i < count && !bad; i++) {
      take(i, elements[i]);
    }
    endElements();
  }

  /** Takes strings; null is missing, but a null among them is of the wrong type. */
  public void elements(Slot target, int at, List<String> elements) {
    if (absent(target, at, elements)) {
      return;
    }
    begin(target, at, elements.size());
    for (int i = 0; i < count && !bad; i++) {
      take(i, elements.get(i));
    }
    endElements();
  }

  private boolean absent(Slot target, int at, Object elements) {
    if (elements != null) {
      return false;
    }
    cells(target).requireAbsent(target, at);
    return true;
  }

  private void begin(Slot target, int at, int length) {
    cells(target).give(target, at);
    slot = target;
    row = at;
    count = length;
    // A vector of another length is invalid, but what its elements are is looked at first.
    boolean fits = target.exactLength() < 0 || target.exactLength() == length;
    kept = fits ? Math.min(length, target.maxLength()) : 0;
    first = target.keepsLast() ? length - kept : 0;
    bad = false;
  }

  private void take(int element, ErrorCode error, double given) {
    if (error == null) {
      write(element, values.bits());
    } else {
      bad = true;
      refuse(cells(slot), slot, row, error, given);
    }
  }

  private void take(int element, String given) {
    ErrorCode error = given == null ? ErrorCode.WRONG_TYPE : values.string(slot.feature(), given);
    if (error == null) {
      write(element, values.bits());
    } else {
      bad = true;
      refuse(cells(slot), slot, row, error, given);
    }
  }

  private void write(int element, long bits) {
    int place = element - first;
    if (place >= 0 && place < kept) {
      cells(slot).put(slot, row, place, bits);
    }
  }

  private void endElements() {
    Cells cells = cells(slot);
    if (bad) {
      cells.erase(slot, row, kept);
    } else if (slot.exactLength() >= 0 && slot.exactLength() != count) {
      refuseLength(cells);
    } else {
      cells.present(slot, row, count, kept);
    }
  }

  private Cells cells(Slot target) {
    return target.perCandidate() ? candidates : context;
  }

  private void accept(Cells cells, Slot target, int at) {
    cells.put(target, at, 0, values.bits());
    cells.present(target, at);
  }

  // What was given is put into words only where it refuses the request: a policy that absorbs
  // invalid values must not cost garbage.

  private void refuse(Cells cells, Slot target, int at, ErrorCode error, double given) {
    if (target.refusesInvalid()) {
      throw refusal(cells, error, target, at, "the float " + given);
    }
    cells.invalid(target, at);
  }

  private void refuse(Cells cells, Slot target, int at, ErrorCode error, String given) {
    if (target.refusesInvalid()) {
      String what = given == null ? "null" : "the string " + Quote.of(given);
      throw refusal(cells, error, target, at, what);
    }
    cells.invalid(target, at);
  }

  private void refuseLength(Cells cells) {
    if (slot.refusesInvalid()) {
      throw refusal(cells, ErrorCode.WRONG_LENGTH, slot, row, "an array of " + count);
    }
    cells.invalid(slot, row);
  }

  private ScoringException refusal(Cells cells, ErrorCode error, Slot target, int at, String what) {
    ScoringException refusal = Refusals.invalid(error, target.feature(), cells.candidate(at), what);
    refused.accept(refusal);
    return refusal;
  }
}
