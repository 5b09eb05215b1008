package dev.twinrank.server.problem;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import dev.twinrank.server.Tiny;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

class JsonTest {
  private static JsonNode written(double value) {
    return Tiny.json(Json.object(json -> Json.writeNumber(json, "x", value))).get("x");
  }

  private static String text(double value) {
    return new String(
        Json.object(json -> Json.writeNumber(json, "x", value)), StandardCharsets.UTF_8);
  }

  @Test
  void whatIsWrittenReadsBackAsTheSameBits() {
    Random random = new Random(7);
    for (int i = 0; i < 200_000; i++) {
      double value =
          i % 2 == 0
              ? Double.longBitsToDouble(random.nextLong())
              : Float.intBitsToFloat(random.nextInt());
      if (Double.isFinite(value)) {
        assertSameBits(value);
      }
    }
    for (double value :
        new double[] {
          0.0,
          -0.0,
          Double.MIN_VALUE,
          Double.MIN_NORMAL,
          Double.MAX_VALUE,
          Double.parseDouble("1e23"),
          2e-3,
          Float.MIN_VALUE,
          1 / 3f
        }) {
      assertSameBits(value);
      assertSameBits(-value);
    }
  }

  private static void assertSameBits(double value) {
    String digits = text(value).replaceAll("[{}\"x:]", "");
    assertEquals(
        Double.doubleToRawLongBits(value),
        Double.doubleToRawLongBits(Double.parseDouble(digits)),
        digits);
  }

  @Test
  void whatIsNoNumberIsOneOfThreeStrings() {
    assertEquals("NaN", written(Double.NaN).textValue());
    assertEquals("Infinity", written(Double.POSITIVE_INFINITY).textValue());
    assertEquals("-Infinity", written(Double.NEGATIVE_INFINITY).textValue());
  }

  @Test
  void aLoneSurrogateIsEscapedAndDoesNotBreakTheText() {
    byte[] text = Json.object(json -> json.writeStringField("x", "\ud800é"));
    assertEquals("{\"x\":\"\\uD800\\u00E9\"}", new String(text, StandardCharsets.UTF_8));
  }
}
