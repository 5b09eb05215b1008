package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.DType;
import dev.twinrank.core.internal.json.JsonTree.Literal;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** The fields of an expectation, read strictly; section 8 of the contract. */
final class GoldenFields {
  private GoldenFields() {}

  /** Returns the values of every output, the score's last, from the members heads and score. */
  static List<ByteBuffer> outputs(Map<String, Object> fields, Manifest manifest, int n) {
    Set<String> names = new TreeSet<>();
    manifest.heads().forEach(head -> names.add(head.name()));
    if (!(fields.get("heads") instanceof Map<?, ?> heads) || !heads.keySet().equals(names)) {
      throw new Contradiction("has other heads than " + names);
    }
    List<ByteBuffer> outputs = new ArrayList<>();
    for (int i = 0; i < manifest.outputs().size(); i++) {
      String name = manifest.headName(i);
      Object hex = i < names.size() ? heads.get(name) : fields.get("score");
      outputs.add(values(hex, name, manifest.outputs().get(i).dtype(), n));
    }
    return outputs;
  }

  private static ByteBuffer values(Object value, String head, DType dtype, int n) {
    Pattern hex = Pattern.compile("[0-9a-f]{" + 2 * dtype.width() + "}");
    if (!(value instanceof List<?> list) || list.size() != n) {
      throw new Contradiction(head + " is no array of " + n + " values");
    }
    ByteBuffer values = ByteBuffer.allocate(n * dtype.width()).order(ByteOrder.LITTLE_ENDIAN);
    for (Object each : list) {
      if (!(each instanceof String text) || !hex.matcher(text).matches()) {
        throw new Contradiction(head + " holds " + Fields.show(each) + "; expected " + hex);
      }
      if (dtype == DType.FLOAT32) {
        values.putInt(Integer.parseUnsignedInt(text, 16));
      } else {
        values.putLong(Long.parseUnsignedLong(text, 16));
      }
    }
    return values.flip();
  }

  static List<Integer> indices(Object value, String what, int n) {
    if (!(value instanceof List<?> list) || list.size() > n) {
      throw new Contradiction(what + " is no array of at most " + n + " indices");
    }
    Set<Integer> indices = new LinkedHashSet<>();
    for (Object each : list) {
      // At reference level a candidate could stand in for another whose score is near.
      if (!indices.add(integer(each, what, n - 1))) {
        throw new Contradiction(what + " holds candidate " + each + " twice");
      }
    }
    return List.copyOf(indices);
  }

  static int integer(Object value, String what, int high) {
    Long number =
        value instanceof Literal literal && literal.integer() ? Fields.asLong(literal) : null;
    if (number == null || number < 0 || number > high) {
      throw new Contradiction(
          what + " is " + Fields.show(value) + "; expected an integer from 0 to " + high);
    }
    return number.intValue();
  }
}
