package dev.twinrank.server.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The examples and rules of W3C Trace Context, sections 3.2 and 3.3. */
class TraceContextTest {
  private static final String TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
  private static final String PARENT = "00f067aa0ba902b7";
  private static final String VALID = "00-" + TRACE + "-" + PARENT + "-01";

  @Test
  void theTraceGoesOnUnderASpanOfItsOwn() {
    TraceContext trace = TraceContext.of(List.of(VALID), List.of("congo=t61rcWkgMzE"), 0);

    assertEquals(TRACE, trace.traceId());
    assertEquals(Optional.of(PARENT), trace.parentId());
    assertNotEquals(PARENT, trace.spanId());
    assertTrue(trace.sampled());
    assertEquals("00-" + TRACE + "-" + trace.spanId() + "-01", trace.header());
    assertEquals(Optional.of("congo=t61rcWkgMzE"), trace.state());
  }

  @Test
  void aLaterVersionMayBeLongerAndItsUnknownFlagsAreNotPassedOn() {
    TraceContext trace =
        TraceContext.of(
            List.of("cc-" + TRACE + "-" + PARENT + "-ff-what-the-future"), List.of(), 0);

    assertEquals(TRACE, trace.traceId());
    assertTrue(trace.header().endsWith("-01"), trace.header());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "00-" + TRACE + "-" + PARENT,
        "ff-" + TRACE + "-" + PARENT + "-01",
        "00-" + TRACE + "-" + PARENT + "-01-more",
        "cc-" + TRACE + "-" + PARENT + "-01.more",
        "00-00000000000000000000000000000000-" + PARENT + "-01",
        "00-" + TRACE + "-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" + PARENT + "-01",
        "00-" + TRACE + "-" + PARENT + "-0x"
      })
  void whatIsNotValidBeginsATraceWithoutAParentAndWithoutState(String header) {
    TraceContext trace = TraceContext.of(List.of(header), List.of("congo=t61rcWkgMzE"), 0);

    assertEquals(Optional.empty(), trace.parentId());
    assertNotEquals(TRACE, trace.traceId());
    assertEquals(32, trace.traceId().length());
    assertFalse(trace.sampled());
    assertEquals(Optional.empty(), trace.state());
  }

  @Test
  void twoParentsAreAsNone() {
    assertEquals(Optional.empty(), TraceContext.of(List.of(VALID, VALID), List.of(), 0).parentId());
  }

  @Test
  void statesOfSeveralHeadersAreJoinedInOrder() {
    assertEquals(
        Optional.of("rojo=1,tenant@congo=a b!"),
        TraceContext.of(List.of(VALID), List.of("rojo=1 , ", " tenant@congo=a b!"), 0).state());
  }

  @ParameterizedTest
  @ValueSource(strings = {"Rojo=1", "rojo", "rojo=1,rojo=2", "rojo=a=b", "rojo=\u00e9"})
  void aStateThatIsNotValidIsLeftOut(String state) {
    TraceContext trace = TraceContext.of(List.of(VALID), List.of(state), 0);

    assertEquals(TRACE, trace.traceId());
    assertEquals(Optional.empty(), trace.state());
  }

  @Test
  void aStateOfMoreThan32MembersIsLeftOut() {
    String members =
        IntStream.range(0, 33).mapToObj(i -> "k" + i + "=1").collect(Collectors.joining(","));

    assertEquals(Optional.empty(), TraceContext.of(List.of(VALID), List.of(members), 0).state());
  }
}
