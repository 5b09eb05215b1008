package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
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
