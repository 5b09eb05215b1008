package dev.twinrank.core.internal.pack;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.Contract;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class KeyVectorsTest {
  @TestFactory
  Stream<DynamicTest> stringGivesTheKey() {
    KeyEncoder shared = new KeyEncoder();
    return Contract.cases("vectors/keys.json", "cases").stream()
        .map(
            each ->
                DynamicTest.dynamicTest(
                    Contract.text(each, "name"),
                    () -> {
                      char[] text = Contract.text(each, "text").toCharArray();
                      assertTrue(shared.encode(text, 0, text.length));
                      assertEquals(Long.parseLong(Contract.text(each, "key")), shared.key());
                    }));
  }

  @Test
  void encodesFromTheMiddleOfABuffer() {
    KeyEncoder encoder = new KeyEncoder();
    assertTrue(encoder.encode("xxcomedyxx".toCharArray(), 2, 6));
    assertEquals(3887359057150657735L, encoder.key()); // "comedy" in keys.json
  }

  @Test
  void refusesEveryLoneSurrogate() {
    KeyEncoder encoder = new KeyEncoder();
    for (String text :
        new String[] {"\ud800", "a\udfff", "\ud83d", "\ude00\ud83d", "\ud83d\ud83d\ude00"}) {
      assertFalse(encoder.encode(text.toCharArray(), 0, text.length()), text);
    }
    // The partner stands beyond the end of the given range.
    assertFalse(encoder.encode("\ud83d\ude00".toCharArray(), 0, 1));
  }
}
