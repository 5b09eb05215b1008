package dev.twinrank.core.internal.proto;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.Contract;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MessageTest {
  private static Message read(String kind, String hex) {
    return Message.read(kind, ByteBuffer.wrap(HexFormat.of().parseHex(hex)));
  }

  @Test
  void shipsTheContractsTable() throws IOException {
    try (InputStream shipped = Message.class.getResourceAsStream("onnx-fields.json")) {
      assertArrayEquals(Contract.bytes("vectors/onnx-fields.json"), shipped.readAllBytes());
    }
  }

  @Test
  void readsNumbersTextsAndMessages() {
    Message model = read("ModelProto", "080a" + "12026f6b" + "4204" + "0a00" + "1014" + "42021004");
    assertEquals(10, model.number("ir_version", 0));
    assertEquals("ok", model.text("producer_name"));
    assertEquals(2, model.messages("opset_import").size());
    assertEquals(20, model.messages("opset_import").get(0).number("version", 0));
    assertFalse(model.has("graph"));
  }

  @Test
  void repeatedNumbersMayBePackedOrNot() {
    Message tensor = read("TensorProto", "0802" + "0a020304" + "22080000803f00000040" + "3a00");
    assertTrue(tensor.holds("dims"));
    assertTrue(tensor.holds("float_data"));
    assertTrue(tensor.has("int64_data"));
    assertFalse(tensor.holds("int64_data"));
    assertTrue(read("TensorProto", "250000803f").holds("float_data"));
  }

  @ParameterizedTest
  @CsvSource({
    "ModelProto, 080a080a", // a singular number twice
    "ModelProto, 3a003a00", // a singular message twice
    "ModelProto, d20100", // configuration, which came with IR version 11
    "ModelProto, 0a00", // a number as bytes
    "ModelProto, 8800 0a", // a tag that is longer than it needs to be
    "ModelProto, 088a00", // so is a number
    "ModelProto, 1201ff", // no UTF-8
    "ModelProto, 4203 080a ff", // corrupt, two levels down
    "ModelProto, 7203 0a05 61", // corrupt metadata
    "ModelProto, ca0102 0801", // corrupt within a local function
    "TensorProto, 7005", // no such data location
    "TensorProto, 70818080808001", // cut to 32 bits it is EXTERNAL
    "TensorProto, 108180808010", // a data type that parsers would cut
    "TensorProto, 2203000080", // no whole number of floats
    "TensorProto, 3a0180", // half a packed number
    "TensorProto, 22ff", // cut off
    "TypeProto, 0a002200", // both a tensor and a sequence
    "TypeProto, 0a000a00", // two tensors
    "TensorShapeProto.Dimension, 080112016e", // both a size and a name
  })
  void refusesWhatParsersWouldMergeSkipOrCut(String kind, String hex) {
    assertThrows(InvalidProto.class, () -> read(kind, hex.replace(" ", "")));
  }

  @Test
  void refusesMessagesThatNestTooDeep() {
    assertTrue(read("TypeProto", nested(31)).has("sequence_type"));
    assertThrows(InvalidProto.class, () -> read("TypeProto", nested(32)));
  }

  /** A sequence of a sequence of …, two messages a level. */
  private static String nested(int levels) {
    HexFormat hex = HexFormat.of();
    byte[] inner = {};
    for (int i = 0; i < levels; i++) {
      for (int tag : new int[] {0x0a, 0x22}) {
        ByteBuffer outer = ByteBuffer.allocate(inner.length + 3).put((byte) tag);
        if (inner.length > 127) {
          outer.put((byte) (inner.length | 0x80)).put((byte) (inner.length >> 7));
        } else {
          outer.put((byte) inner.length);
        }
        outer.put(inner).flip();
        inner = new byte[outer.remaining()];
        outer.get(inner);
      }
    }
    return hex.formatHex(inner);
  }
}
