package dev.twinrank.server.flow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.embedded.EmbeddedChannel;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class SlowClientsTest {
  private static final ConnectionSettings SETTINGS =
      new ConnectionSettings(10, Duration.ofSeconds(60), Duration.ofSeconds(15), 1_024, 10);

  private final AtomicLong clock = new AtomicLong();
  private final SlowClients handler = new SlowClients(SETTINGS, clock::get);
  private final EmbeddedChannel channel = new EmbeddedChannel(handler);

  private void pass(long seconds) {
    for (long i = 0; i < seconds; i++) {
      clock.addAndGet(TimeUnit.SECONDS.toNanos(1));
      handler.tick(channel.pipeline().firstContext());
    }
    channel.runPendingTasks();
  }

  private void comes(int bytes) {
    channel.writeInbound(Unpooled.buffer(bytes).writeZero(bytes));
  }

  private void answers(int bytes) {
    ChannelFuture unused = channel.write(Unpooled.buffer(bytes).writeZero(bytes));
  }

  @Test
  void headersThatTrickleAreCutOff() {
    for (int i = 0; i < 16; i++) {
      comes(1);
      pass(1);
      assertTrue(channel.isOpen(), "after " + i);
    }
    pass(1);
    assertFalse(channel.isOpen());
  }

  @Test
  void oneThatNeverSaysAnythingIsIdle() {
    pass(60);
    assertTrue(channel.isOpen());
    pass(1);
    assertFalse(channel.isOpen());
  }

  @Test
  void anAnswerEndsTheRequestSoThatTheNextHasItsOwnTime() {
    comes(100);
    pass(14);
    channel.writeOutbound(Unpooled.buffer(10).writeZero(10));
    pass(40);
    assertTrue(channel.isOpen(), "idle is not slow");
    comes(1);
    pass(16);
    assertTrue(channel.isOpen());
    pass(1);
    assertFalse(channel.isOpen());
  }

  @Test
  void anAnswerThatNobodyTakesIsCutOff() {
    comes(100);
    answers(1_000);
    pass(17);
    assertTrue(channel.isOpen());
    pass(1);
    assertFalse(channel.isOpen());
  }

  @Test
  void whoKeepsTakingIsNotSlow() {
    comes(1);
    for (int i = 0; i < 100; i++) {
      answers(1_000);
      pass(1);
      channel.flush();
    }
    assertTrue(channel.isOpen());
    assertEquals(100, channel.outboundMessages().size());
  }

  @Test
  void whoAsksWithoutReadingIsCutOffAtOnce() {
    answers(65 << 20);
    comes(1);
    channel.runPendingTasks();
    assertFalse(channel.isOpen());
  }
}
