package dev.twinrank.core.internal.proto;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.DType;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ProtoReaderTest {
  private static ProtoReader reader(String hex) {
    return new ProtoReader("the message", ByteBuffer.wrap(HexFormat.of().parseHex(hex)));
  }

  @Test
  void readsTheExamplesOfTheFormatsDocumentation() {
    ProtoReader in = reader("089601" + "120774657374696e67" + "3d01000000");
    assertTrue(in.next());
    assertEquals(1, in.field());
    assertEquals(150, in.varint());
    assertTrue(in.next());
    assertEquals("testing", in.string());
    assertTrue(in.next()); // a fixed32, which is passed over
    assertFalse(in.next());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "00", // field 0
        "0b", // a group
        "0c",
        "0e", // wire type 6
        "08", // no varint
        "0880", // half a varint
        "08ffffffffffffffffff02", // 65 bits
        "08ffffffffffffffffffff01", // eleven bytes
        "0a05", // less than its length
        "0affffffffffffffffff01", // a negative length
        "0d000000", // half a fixed32
        "0900", // half a fixed64
        "808080808001" // a field number beyond 29 bits
      })
  void refusesWhatNoWriterWrites(String hex) {
    assertThrows(
        InvalidProto.class,
        () -> {
          ProtoReader in = reader(hex);
          while (in.next()) {
            // next() passes over values
          }
        });
  }

  @Test
  void refusesASecondValueAndAnotherWireType() {
    ProtoReader twice = reader("08010802");
    assertTrue(twice.next());
    assertEquals(1, twice.once().varint());
    assertTrue(twice.next());
    assertThrows(InvalidProto.class, twice::once);

    ProtoReader other = reader("0801");
    assertTrue(other.next());
    assertThrows(InvalidProto.class, other::bytes);

    ProtoReader text = reader("0a01ff");
    assertTrue(text.next());
    assertThrows(InvalidProto.class, text::string);
  }

  @Test
  void readsATensorOfRawValues() {
    Tensor tensor =
        Tensor.read(HexFormat.of().parseHex("08021001" + "420178" + "4a080000803f00000040"));
    assertEquals("x", tensor.name());
    assertEquals(DType.FLOAT32, tensor.dtype());
    assertEquals(List.of(2L), tensor.shape());
    assertEquals(1f, tensor.data().getFloat(0));
    assertEquals(2f, tensor.data().getFloat(4));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "08021001" + "4a0400000000", // fewer bytes than its shape needs
        "1001" + "4a0400000000" + "7001", // external
        "1001" + "22040000803f", // a typed list
        "1006" + "4a0400000000", // int32
        "08ffffffffffffffffff011001", // a negative dimension
        "08ffffffff0708ffffffff071001" // more than fits
      })
  void refusesATensorThatIsNotWhatGoldensHold(String hex) {
    assertThrows(InvalidProto.class, () -> Tensor.read(HexFormat.of().parseHex(hex)));
  }
}
