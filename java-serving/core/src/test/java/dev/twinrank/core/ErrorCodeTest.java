package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ErrorCodeTest {
  @Test
  void isTheContractsListInTheContractsOrder() {
    List<String> expected = new ArrayList<>();
    for (Map<String, Object> entry : Contract.cases("codes.json", "bundle")) {
      expected.add(
          entry.get("code") + " BUNDLE " + entry.get("phase") + " " + entry.get("meaning"));
    }
    for (Map<String, Object> entry : Contract.cases("codes.json", "scoring")) {
      expected.add(
          entry.get("code") + " SCORING " + entry.get("http") + " " + entry.get("meaning"));
    }
    List<String> actual =
        Arrays.stream(ErrorCode.values())
            .map(
                code ->
                    code.code()
                        + " "
                        + code.family()
                        + " "
                        + code.phase().orElseGet(() -> "" + code.httpStatus().orElseThrow())
                        + " "
                        + code.meaning())
            .toList();
    assertEquals(expected, actual);
  }

  @Test
  void constantsAreNamedAfterTheirCodes() {
    for (ErrorCode code : ErrorCode.values()) {
      assertEquals(code.name().toLowerCase(Locale.ROOT), code.code());
    }
  }
}
