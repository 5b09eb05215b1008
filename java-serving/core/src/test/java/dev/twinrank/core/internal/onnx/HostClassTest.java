package dev.twinrank.core.internal.onnx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.Contract;
import dev.twinrank.core.internal.Sha256;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class HostClassTest {
  @Test
  void shipsTheContractsCanary() throws IOException {
    for (Map.Entry<String, String> each :
        Map.of("canary.onnx", "canary.onnx", "canary_input_0.pb", "input_0.pb").entrySet()) {
      try (InputStream shipped = HostClass.class.getResourceAsStream(each.getKey())) {
        assertArrayEquals(
            Contract.bytes("vectors/canary/" + each.getValue()), shipped.readAllBytes());
      }
    }
  }

  @Test
  void digestsOutputsAsTheVectorSays() {
    Map<String, Object> vector = Contract.json("vectors/canary/digest.json");
    MessageDigest digest = Sha256.start();
    for (Map<String, Object> output : Contract.cases("vectors/canary/digest.json", "outputs")) {
      boolean wide = output.get("dtype").equals("float64");
      List<?> bits = (List<?>) output.get("bits");
      ByteBuffer values = ByteBuffer.allocate(8 * bits.size()).order(ByteOrder.LITTLE_ENDIAN);
      for (Object each : bits) {
        long value = Long.parseUnsignedLong((String) each, 16);
        if (wide) {
          values.putLong(value);
        } else {
          values.putInt((int) value);
        }
      }
      HostClass.add(digest, Contract.text(output, "name"), wide, values.flip());
    }
    assertEquals(vector.get("digest"), HexFormat.of().formatHex(digest.digest()));
  }

  @Test
  void isSixtyFourHexDigits() {
    assertTrue(HostClass.get().matches("[0-9a-f]{64}"), HostClass.get());
  }
}
