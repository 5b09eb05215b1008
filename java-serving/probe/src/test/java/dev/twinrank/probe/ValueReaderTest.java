package dev.twinrank.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.internal.proto.InvalidProto;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Files written by hand from onnx.proto: a tag is (field << 3 | wire type). */
class ValueReaderTest {
  private static final int MUTATIONS = 5_000;

  // dims 2, type FLOAT, name "x", float_data packed 1.0f -0.0f
  private static final String FLOATS =
      "0802" + "1001" + "420178" + "2208" + "0000803f" + "00000080";
  // dims 2, type INT8, int32_data packed -1 127
  private static final String BYTES = "0802" + "1003" + "2a0b" + "ffffffffffffffffff01" + "7f";
  // dims 1, type STRING, string_data "é"
  private static final String STRINGS = "0801" + "1008" + "3202c3a9";
  // dims 3, type INT4, int32_data packed 0x21 0x03
  private static final String NIBBLES = "0803" + "1016" + "2a02" + "2103";

  private static Value read(String hex, String type) {
    return ValueReader.read(ByteBuffer.wrap(HexFormat.of().parseHex(hex)), type);
  }

  private static void assertTensor(String data, List<Long> shape, ElementType type, String hex) {
    Value.Tensor tensor = (Value.Tensor) read(hex, "tensor(%s)".formatted(type.label()));
    byte[] bytes = new byte[tensor.data().remaining()];
    tensor.data().duplicate().get(bytes);
    assertEquals(data, HexFormat.of().formatHex(bytes));
    assertEquals(shape, tensor.shape());
    assertEquals(type, tensor.type());
  }

  private static String message(String field, String hex) {
    return field + "%02x".formatted(hex.length() / 2) + hex;
  }

  @Test
  void valuesMayStandWhereverOnnxPutsThem() {
    assertTensor("0000803f00000080", List.of(2L), ElementType.FLOAT32, FLOATS);
    assertTensor("0000803f", List.of(), ElementType.FLOAT32, "1001" + "250000803f");
    assertTensor("0000803f", List.of(), ElementType.FLOAT32, "1001" + "4a040000803f");
    assertTensor("ff7f", List.of(2L), ElementType.INT8, BYTES);
    assertTensor("02000000c3a9", List.of(1L), ElementType.STRING, STRINGS);
    assertTensor("2103", List.of(3L), ElementType.INT4, NIBBLES);
    assertTensor("", List.of(0L, 5L), ElementType.INT64, "0a020005" + "1007");
  }

  @Test
  void sequencesAndOptionalsHoldTheirKind() {
    // SequenceProto: elem_type TENSOR, tensor_values
    String sequence = "1001" + message("1a", FLOATS) + message("1a", "1001250000803f");
    assertEquals(2, ((Value.Sequence) read(sequence, "sequence(tensor(float32))")).values().size());
    // OptionalProto: elem_type SEQUENCE, sequence_value
    String optional = "1003" + message("2a", sequence);
    Value.Maybe some = (Value.Maybe) read(optional, "optional(sequence(tensor(float32)))");
    assertTrue(some.value().orElseThrow() instanceof Value.Sequence);
    assertEquals(Optional.empty(), ((Value.Maybe) read("", "optional(tensor(float32))")).value());

    assertThrows(InvalidProto.class, () -> read(optional, "optional(tensor(float32))"));
    assertThrows(InvalidProto.class, () -> read(sequence, "sequence(sequence(tensor(float32)))"));
    assertEquals(
        GraphException.Code.UNSUPPORTED_TYPE,
        assertThrows(GraphException.class, () -> read("", "map(int64,tensor(float32))")).code());
  }

  @Test
  void contradictionsAreRefused() {
    for (String hex :
        List.of(
            "0803" + FLOATS.substring(4), // three elements, two values
            "0802" + "1001", // two elements, none
            "0802" + "100b" + FLOATS.substring(14), // a double in float_data
            FLOATS + "4a08" + "0000000000000000", // and in raw_data too
            "0801" + "1003" + "2a028001", // 128 is no int8
            "0801" + "1002" + "2a0affffffffffffffffff01", // -1 is no uint8
            "0801" + "1009" + "2a0102", // 2 is no bool
            "0801" + "1008" + "4a0161", // a string in raw_data
            "1001" + "22030000ff", // a float of three bytes
            "1001" + "6a00", // external data
            "1001" + "1001")) { // the type twice
      assertThrows(InvalidProto.class, () -> read(hex, "tensor(float32)"), hex);
    }
    for (String hex :
        List.of("1063", "08ffffffffffffffffff01" + "1001", "0a0affffffff07ffffffff07" + "1001")) {
      assertEquals(
          GraphException.Code.INVALID_VALUE,
          assertThrows(GraphException.class, () -> read(hex, "tensor(float32)"), hex).code());
    }
  }

  @Test
  void everyCutAndEveryDamageIsAValueOrARefusal() {
    Random random = new Random(7);
    int refused = 0;
    for (String hex : List.of(FLOATS, BYTES, STRINGS, NIBBLES)) {
      byte[] whole = HexFormat.of().parseHex(hex);
      for (int length = 0; length < whole.length; length++) {
        refused += isRefused(Arrays.copyOf(whole, length)) ? 1 : 0;
      }
      for (int i = 0; i < MUTATIONS; i++) {
        byte[] damaged = whole.clone();
        for (int at = random.nextInt(3); at >= 0; at--) {
          damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
        }
        refused += isRefused(damaged) ? 1 : 0;
      }
    }
    assertTrue(refused > MUTATIONS, refused + " of " + 4 * MUTATIONS);
  }

  @Test
  void everyCutAndEveryDamageOfAHolderIsAValueOrARefusal() {
    String sequence = "1001" + message("1a", FLOATS) + message("1a", STRINGS);
    String nested = "1003" + message("2a", sequence) + message("2a", sequence);
    Map<String, String> holders =
        Map.of(
            "sequence(tensor(float32))",
            sequence,
            "sequence(sequence(tensor(float32)))",
            nested,
            "optional(tensor(float32))",
            "1001" + message("1a", FLOATS),
            "optional(sequence(tensor(float32)))",
            "1003" + message("2a", sequence));
    Random random = new Random(11);
    holders.forEach(
        (type, hex) -> {
          byte[] whole = HexFormat.of().parseHex(hex);
          assertFalse(isRefused(whole, type), type);
          int refused = 0;
          for (int length = 0; length < whole.length; length++) {
            refused += isRefused(Arrays.copyOf(whole, length), type) ? 1 : 0;
          }
          for (int i = 0; i < MUTATIONS; i++) {
            byte[] damaged = whole.clone();
            for (int at = random.nextInt(3); at >= 0; at--) {
              damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
            }
            refused += isRefused(damaged, type) ? 1 : 0;
          }
          assertTrue(refused > MUTATIONS / 4, type + ": " + refused + " of " + MUTATIONS);
        });
  }

  @Test
  void aTypeThatIsNestedDeeperThanAnyTestIsRefused() {
    int depth = 40;
    String hex = "";
    for (int i = 0; i < depth; i++) {
      hex = "1003" + "2a" + length(hex.length() / 2) + hex;
    }
    String bytes = hex;
    assertThrows(
        InvalidProto.class,
        () -> read(bytes, "sequence(".repeat(depth + 1) + "tensor(int8)" + ")".repeat(depth + 1)));
  }

  private static String length(int bytes) {
    return bytes < 0x80
        ? "%02x".formatted(bytes)
        : "%02x%02x".formatted((bytes & 0x7f) | 0x80, bytes >> 7);
  }

  private static boolean isRefused(byte[] bytes) {
    return isRefused(bytes, "tensor(float32)");
  }

  // Anything else that it throws fails the test.
  private static boolean isRefused(byte[] bytes, String type) {
    try {
      ValueReader.read(ByteBuffer.wrap(bytes), type);
      return false;
    } catch (InvalidProto | GraphException e) {
      return true;
    }
  }
}
