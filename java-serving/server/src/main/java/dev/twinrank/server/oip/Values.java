package dev.twinrank.server.oip;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.Feature;
import dev.twinrank.core.Handle;
import dev.twinrank.core.Keys;
import dev.twinrank.core.Policy;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.Slate;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The values of one feature, on their way from its tensor to a slate. Not thread-safe.
 *
 * <p>Nothing is converted here but by widening: what a value means is the slate's to say.
 */
final class Values {
  /** A string of which the slate knows, as of the bytes, that it has no key. */
  private static final String INVALID = "\ud800";

  private final Feature feature;
  private final Tensor tensor;
  private final Datatype datatype;
  private final ByteBuffer data;
  // The data of BYTES, as an array.
  private final byte[] bytes;
  private final int offset;

  Values(Feature feature, Tensor tensor) {
    this.feature = feature;
    this.tensor = tensor;
    this.datatype = tensor.datatype();
    this.data = tensor.memory();
    if (datatype != Datatype.BYTES) {
      bytes = null;
      offset = 0;
    } else if (data.hasArray()) {
      bytes = data.array();
      offset = data.arrayOffset();
    } else {
      bytes = new byte[data.limit()];
      data.get(0, bytes);
      offset = 0;
    }
  }

  /** Sets a feature of the context. */
  void context(Slate slate, Handle handle) {
    int end = tensor.elements();
    if (handle instanceof Handle.OfLong h) {
      slate.set(h, integer(0));
    } else if (handle instanceof Handle.OfDouble h) {
      if (plainIntegers()) {
        slate.set(h, tensor.integer(0));
      } else {
        slate.set(h, decimal(0));
      }
    } else if (handle instanceof Handle.OfBool h) {
      slate.set(h, data.get(0) != 0);
    } else if (handle instanceof Handle.OfString h) {
      long[] key = new long[1];
      if (keys(0, 1, key, OptionalInt.empty())) {
        slate.setKey(h, key[0]);
      } else {
        slate.set(h, INVALID);
      }
    } else if (handle instanceof Handle.OfLongs h) {
      slate.set(h, integers(0, end));
    } else if (handle instanceof Handle.OfDoubles h) {
      if (plainIntegers()) {
        slate.set(h, integers(0, end));
      } else if (datatype == Datatype.FP32) {
        slate.set(h, floats(0, end));
      } else {
        slate.set(h, decimals(0, end));
      }
    } else if (handle instanceof Handle.OfBools h) {
      slate.set(h, booleans(0, end));
    } else if (handle instanceof Handle.OfStrings h) {
      long[] keys = new long[end];
      if (keys(0, end, keys, OptionalInt.empty())) {
        slate.setKeys(h, keys);
      } else {
        slate.set(h, new String[] {INVALID});
      }
    }
  }

  /**
   * Sets a single feature of every candidate.
   *
   * @param present which candidates have a value; null if all have
   */
  void column(Slate slate, Handle handle, boolean[] present) {
    if (handle instanceof Handle.OfString h) {
      strings(slate, h, present);
    } else if (present != null) {
      cells(slate, handle, present);
    } else if (handle instanceof Handle.OfLong h) {
      slate.column(h, integers(0, tensor.elements()));
    } else if (handle instanceof Handle.OfDouble h) {
      if (plainIntegers()) {
        slate.column(h, integers(0, tensor.elements()));
      } else if (datatype == Datatype.FP32) {
        slate.column(h, floats(0, tensor.elements()));
      } else {
        slate.column(h, decimals(0, tensor.elements()));
      }
    } else if (handle instanceof Handle.OfBool h) {
      slate.column(h, booleans(0, tensor.elements()));
    }
  }

  private void cells(Slate slate, Handle handle, boolean[] present) {
    for (int i = 0; i < present.length; i++) {
      if (!present[i]) {
        continue;
      }
      if (handle instanceof Handle.OfLong h) {
        slate.set(i, h, integer(i));
      } else if (handle instanceof Handle.OfDouble h) {
        if (plainIntegers()) {
          slate.set(i, h, tensor.integer(i));
        } else {
          slate.set(i, h, decimal(i));
        }
      } else if (handle instanceof Handle.OfBool h) {
        slate.set(i, h, data.get(i) != 0);
      }
    }
  }

  private void strings(Slate slate, Handle.OfString handle, boolean[] present) {
    int count = tensor.elements();
    long[] keys = new long[count];
    boolean[] valid = present;
    for (int i = 0; i < count; i++) {
      if (present != null && !present[i]) {
        continue;
      }
      if (!key(i, i, keys, OptionalInt.of(i))) {
        if (valid == present) {
          valid = all(present, count);
        }
        valid[i] = false;
        slate.set(i, handle, INVALID);
      }
    }
    if (valid == null) {
      slate.keys(handle, keys);
      return;
    }
    for (int i = 0; i < count; i++) {
      if (valid[i]) {
        slate.setKey(i, handle, keys[i]);
      }
    }
  }

  private static boolean[] all(boolean[] present, int count) {
    if (present != null) {
      return present.clone();
    }
    boolean[] all = new boolean[count];
    Arrays.fill(all, true);
    return all;
  }

  /**
   * Sets a list or vector of every candidate.
   *
   * @param starts where each candidate's elements begin, and where the last one's end
   * @param present which candidates have a value; null if all have
   */
  void rows(Slate slate, Handle handle, int[] starts, boolean[] present) {
    for (int i = 0; i + 1 < starts.length; i++) {
      int from = starts[i];
      int to = starts[i + 1];
      if (present != null && !present[i]) {
        if (feature.list().isPresent() && to > from && tensor.rank() == 1) {
          throw OipProblems.tensor(
              tensor.name(),
              "has %d values of candidate %d, which '%s' says has none"
                  .formatted(to - from, i, feature.name() + Signature.PRESENT));
        }
        continue;
      }
      row(slate, i, handle, from, to);
    }
  }

  private void row(Slate slate, int candidate, Handle handle, int from, int to) {
    if (handle instanceof Handle.OfLongs h) {
      slate.set(candidate, h, integers(from, to));
    } else if (handle instanceof Handle.OfDoubles h) {
      if (plainIntegers()) {
        slate.set(candidate, h, integers(from, to));
      } else if (datatype == Datatype.FP32) {
        slate.set(candidate, h, floats(from, to));
      } else {
        slate.set(candidate, h, decimals(from, to));
      }
    } else if (handle instanceof Handle.OfBools h) {
      slate.set(candidate, h, booleans(from, to));
    } else if (handle instanceof Handle.OfStrings h) {
      long[] keys = new long[to - from];
      if (keys(from, to, keys, OptionalInt.of(candidate))) {
        slate.setKeys(candidate, h, keys);
      } else {
        slate.set(candidate, h, new String[] {INVALID});
      }
    }
  }

  /** Returns whether the data are integers that are longs: all but those of UINT64. */
  private boolean plainIntegers() {
    return datatype.kind().integer() && datatype != Datatype.UINT64;
  }

  /** Returns a number for a float: a float, widened, or the nearest to an integer of UINT64. */
  private double decimal(int element) {
    if (datatype != Datatype.UINT64) {
      return tensor.decimal(element);
    }
    long bits = tensor.integer(element);
    // Halved with the lost bit kept, so that ties are told from what is just above them.
    return bits >= 0 ? (double) bits : 2.0 * (double) ((bits >>> 1) | (bits & 1));
  }

  private long integer(int element) {
    long value = tensor.integer(element);
    if (value < 0 && datatype == Datatype.UINT64) {
      throw OipProblems.of(
          ErrorCode.OUT_OF_RANGE,
          "input '%s' has %s at element %d; the feature is of %s, which ends at %d"
              .formatted(
                  tensor.name(),
                  Long.toUnsignedString(value),
                  element,
                  feature.dtype().label(),
                  Long.MAX_VALUE),
          Optional.of(feature.name()));
    }
    return value;
  }

  private long[] integers(int from, int to) {
    long[] values = new long[to - from];
    if (datatype == Datatype.INT64) {
      data.slice(from * Long.BYTES, values.length * Long.BYTES)
          .order(data.order())
          .asLongBuffer()
          .get(values);
    } else {
      for (int i = 0; i < values.length; i++) {
        values[i] = integer(from + i);
      }
    }
    return values;
  }

  private float[] floats(int from, int to) {
    float[] values = new float[to - from];
    data.slice(from * Float.BYTES, values.length * Float.BYTES)
        .order(data.order())
        .asFloatBuffer()
        .get(values);
    return values;
  }

  private double[] decimals(int from, int to) {
    double[] values = new double[to - from];
    if (datatype == Datatype.FP64) {
      data.slice(from * Double.BYTES, values.length * Double.BYTES)
          .order(data.order())
          .asDoubleBuffer()
          .get(values);
    } else {
      for (int i = 0; i < values.length; i++) {
        values[i] = decimal(from + i);
      }
    }
    return values;
  }

  private boolean[] booleans(int from, int to) {
    boolean[] values = new boolean[to - from];
    for (int i = 0; i < values.length; i++) {
      values[i] = data.get(from + i) != 0;
    }
    return values;
  }

  /** Makes the keys of some strings; returns false if one is invalid and the policy absorbs it. */
  private boolean keys(int from, int to, long[] keys, OptionalInt candidate) {
    for (int i = from; i < to; i++) {
      if (!key(i, i - from, keys, candidate)) {
        return false;
      }
    }
    return true;
  }

  private boolean key(int element, int place, long[] keys, OptionalInt candidate) {
    try {
      keys[place] = Keys.of(bytes, offset + tensor.start(element), offset + tensor.end(element));
      return true;
    } catch (ScoringException e) {
      if (feature.invalid() == Policy.ERROR) {
        throw OipProblems.of(
            e.code(),
            "input '%s' has an element %d that is not UTF-8; send strings as UTF-8"
                .formatted(tensor.name(), element),
            Optional.of(feature.name()),
            candidate);
      }
      return false;
    }
  }

  /** Writes values as the contract's JSON has them: an array for a list or vector. */
  void write(JsonGenerator json, int from, int to) throws IOException {
    if (feature.list().isEmpty() && feature.vector().isEmpty()) {
      write(json, from);
      return;
    }
    json.writeStartArray();
    for (int i = from; i < to; i++) {
      write(json, i);
    }
    json.writeEndArray();
  }

  private void write(JsonGenerator json, int element) throws IOException {
    switch (datatype.kind()) {
      case BOOL -> json.writeBoolean(data.get(element) != 0);
      case SIGNED -> json.writeNumber(tensor.integer(element));
      case UNSIGNED -> json.writeNumber(Long.toUnsignedString(tensor.integer(element)));
      case FLOAT -> {
        double value = tensor.decimal(element);
        if (Double.isFinite(value)) {
          json.writeNumber(value);
        } else {
          json.writeString(Double.toString(value));
        }
      }
      case BYTES -> {
        int start = offset + tensor.start(element);
        int end = offset + tensor.end(element);
        json.writeString(text(start, end));
      }
    }
  }

  private String text(int start, int end) {
    try {
      return StandardCharsets.UTF_8
          .newDecoder()
          .decode(ByteBuffer.wrap(bytes, start, end - start))
          .toString();
    } catch (CharacterCodingException e) {
      return INVALID;
    }
  }
}
