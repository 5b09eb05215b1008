package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.internal.pack.Utf8;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

class KeysTest {
  private static final List<Map<String, Object>> CASES =
      Contract.cases("vectors/keys.json", "cases");

  private static String[] texts() {
    return CASES.stream().map(each -> Contract.text(each, "text")).toArray(String[]::new);
  }

  private static long[] keys() {
    return CASES.stream().mapToLong(each -> Long.parseLong(Contract.text(each, "key"))).toArray();
  }

  @Test
  void ofAStringIsTheKeyOfTheContract() {
    String[] texts = texts();
    long[] keys = keys();
    for (int i = 0; i < texts.length; i++) {
      assertEquals(keys[i], Keys.of(texts[i]));
    }
  }

  @Test
  void ofManyIsTheKeyOfEach() {
    long[] fromArray = new long[CASES.size()];
    Keys.of(texts(), fromArray);
    assertArrayEquals(keys(), fromArray);

    long[] fromList = new long[CASES.size()];
    Keys.of(List.of(texts()), fromList);
    assertArrayEquals(keys(), fromList);
  }

  @Test
  void ofBytesIsTheKeyOfTheString() {
    String[] texts = texts();
    long[] keys = keys();
    for (int i = 0; i < texts.length; i++) {
      byte[] among = ("<" + texts[i] + "é").getBytes(StandardCharsets.UTF_8);
      assertEquals(keys[i], Keys.of(among, 1, among.length - 2));
    }
    assertThrows(IndexOutOfBoundsException.class, () -> Keys.of(new byte[2], 1, 3));
  }

  @Test
  void bytesAreUtf8WhereJavasStrictDecoderTakesThem() {
    // Every lead byte with every second byte, cut off and with each number of plain followers.
    byte[] bytes = new byte[14];
    Arrays.fill(bytes, (byte) 'a');
    for (int lead = 0x80; lead < 0x100; lead++) {
      for (int second = 0; second < 0x100; second++) {
        for (int followers = 0; followers <= 3; followers++) {
          bytes[9] = (byte) lead;
          bytes[10] = (byte) second;
          Arrays.fill(bytes, 11, 14, (byte) 'a');
          Arrays.fill(bytes, 11, 11 + followers, (byte) 0xbf);
          for (int end = 10; end <= bytes.length; end++) {
            assertSameAsDecoder(bytes, end);
          }
        }
      }
    }
  }

  private static void assertSameAsDecoder(byte[] bytes, int end) {
    boolean taken;
    try {
      StandardCharsets.UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPORT)
          .decode(ByteBuffer.wrap(bytes, 0, end));
      taken = true;
    } catch (CharacterCodingException e) {
      taken = false;
    }
    assertEquals(taken, Utf8.isValid(bytes, 0, end), () -> HexFormat.of().formatHex(bytes, 0, end));
    if (!taken && end == 10) {
      assertEquals(
          ErrorCode.INVALID_STRING,
          assertThrows(ScoringException.class, () -> Keys.of(bytes, 0, end)).code());
    }
  }

  @Test
  void refusesALoneSurrogateAndNamesWhere() {
    ScoringException one = assertThrows(ScoringException.class, () -> Keys.of("a\ud800"));
    assertEquals(ErrorCode.INVALID_STRING, one.code());
    assertEquals(OptionalInt.empty(), one.candidate());
    assertTrue(one.getMessage().contains("'a\\ud800'"), one.getMessage());

    long[] keys = {1, 2, 3};
    String[] strings = {"comedy", "\udc00", "drama"};
    ScoringException among = assertThrows(ScoringException.class, () -> Keys.of(strings, keys));
    assertEquals(ErrorCode.INVALID_STRING, among.code());
    assertEquals(OptionalInt.of(1), among.candidate());
    assertTrue(
        among.getMessage().startsWith("string 1, '\\udc00', has no key"), among.getMessage());
    // "comedy" in keys.json; the rest is as it was.
    assertArrayEquals(new long[] {3887359057150657735L, 2, 3}, keys);
    assertEquals(
        OptionalInt.of(1),
        assertThrows(ScoringException.class, () -> Keys.of(List.of(strings), keys)).candidate());
  }

  @Test
  void refusesNullAndAnotherLength() {
    assertThrows(NullPointerException.class, () -> Keys.of((String) null));
    NullPointerException named =
        assertThrows(
            NullPointerException.class, () -> Keys.of(new String[] {"a", null}, new long[2]));
    assertTrue(named.getMessage().startsWith("string 1 is null"), named.getMessage());
    assertThrows(IllegalArgumentException.class, () -> Keys.of(new String[] {"a"}, new long[2]));
    assertThrows(IllegalArgumentException.class, () -> Keys.of(List.of("a", "b"), new long[1]));
  }

  @Test
  void threadsDoNotShareScratch() throws Exception {
    String[] texts = texts();
    long[] keys = keys();
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try {
      List<Future<?>> all = new ArrayList<>();
      for (int thread = 0; thread < 4; thread++) {
        int from = thread;
        all.add(
            threads.submit(
                () -> {
                  for (int i = 0; i < 20_000; i++) {
                    int at = (from + i) % texts.length;
                    assertEquals(keys[at], Keys.of(texts[at]));
                  }
                }));
      }
      for (Future<?> each : all) {
        each.get();
      }
    } finally {
      threads.shutdownNow();
    }
  }
}
