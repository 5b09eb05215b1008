package dev.twinrank.server.flow;

import com.linecorp.armeria.server.ServiceRequestContext;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http2.Http2ConnectionHandler;
import io.netty.util.AttributeKey;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * Closes a connection whose client sends a request, or takes an answer, so slowly that it only
 * holds the connection. It counts bytes and knows nothing of what they say; so a request that is
 * whole is told to it ({@link #arrived}). Used by its channel's event loop only.
 *
 * <p>A slow body is answered by the HTTP layer before that; this is for headers, for HTTP/1 clients
 * that ignore that answer, and for those that do not read.
 */
public final class SlowClients extends ChannelDuplexHandler {
  private static final AttributeKey<SlowClients> KEY =
      AttributeKey.valueOf(SlowClients.class, "SLOW_CLIENTS");
  private static final long TICK_MILLIS = 1_000;

  /** A client that asks and does not read is cut off here, however fast it asks. */
  private static final long MOST_UNREAD = 64L << 20;

  private static final long NONE = -1;

  private final long limit;
  private final long idle;
  private final LongSupplier clock;
  private Future<?> ticking;
  private long opened;
  private boolean silent = true;
  private long receivingSince = NONE;
  private long written;
  private long mark = NONE;
  private long markedAt;

  SlowClients(ConnectionSettings settings, LongSupplier clock) {
    // After the HTTP layer's own answer to a slow body.
    limit = settings.transfer().toNanos() + TimeUnit.MILLISECONDS.toNanos(TICK_MILLIS);
    idle = settings.idle().toNanos();
    this.clock = clock;
  }

  /** Watches a new connection. */
  public static void watch(ChannelPipeline pipeline, ConnectionSettings settings) {
    SlowClients handler = new SlowClients(settings, System::nanoTime);
    pipeline.channel().attr(KEY).set(handler);
    pipeline.addFirst(handler);
  }

  /** Says that a request is whole: how long its answer takes is not its client's fault. */
  public static void arrived(ServiceRequestContext ctx) {
    Channel channel = ctx.log().partial().channel();
    SlowClients handler = channel == null ? null : channel.attr(KEY).get();
    if (handler == null) {
      return;
    }
    if (channel.eventLoop().inEventLoop()) {
      handler.receivingSince = NONE;
    } else {
      channel.eventLoop().execute(() -> handler.receivingSince = NONE);
    }
  }

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    opened = now();
    ticking =
        ctx.executor()
            .scheduleAtFixedRate(() -> tick(ctx), TICK_MILLIS, TICK_MILLIS, TimeUnit.MILLISECONDS);
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext ctx) {
    ticking.cancel(false);
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) throws Exception {
    ticking.cancel(false);
    super.channelInactive(ctx);
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object message) throws Exception {
    silent = false;
    if (receivingSince == NONE) {
      receivingSince = now();
    }
    super.channelRead(ctx, message);
    if (unread(ctx.channel()) > MOST_UNREAD) {
      ChannelFuture unused = ctx.close();
    }
  }

  @Override
  public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise)
      throws Exception {
    if (message instanceof ByteBuf bytes) {
      written += bytes.readableBytes();
    }
    receivingSince = NONE;
    super.write(ctx, message, promise);
  }

  void tick(ChannelHandlerContext ctx) {
    long now = now();
    boolean multiplex = ctx.pipeline().get(Http2ConnectionHandler.class) != null;
    // On HTTP/2 bytes come for other reasons than requests; the HTTP layer knows each stream.
    boolean sendsSlowly = !multiplex && receivingSince != NONE && now - receivingSince > limit;
    if ((silent && now - opened > idle) || sendsSlowly || takesSlowly(ctx.channel(), now)) {
      ChannelFuture unused = ctx.close();
    }
  }

  /** Returns whether what was there to be taken at the mark is there still, and for too long. */
  private boolean takesSlowly(Channel channel, long now) {
    long pending = unread(channel);
    if (pending == 0) {
      mark = NONE;
      return false;
    }
    if (mark == NONE || written - pending >= mark) {
      mark = written;
      markedAt = now;
      return false;
    }
    return now - markedAt > limit;
  }

  private static long unread(Channel channel) {
    ChannelOutboundBuffer buffer = channel.unsafe().outboundBuffer();
    return buffer == null ? 0 : buffer.totalPendingWriteBytes();
  }

  // Never NONE.
  private long now() {
    return clock.getAsLong() & Long.MAX_VALUE;
  }
}
