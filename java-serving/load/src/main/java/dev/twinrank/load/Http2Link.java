package dev.twinrank.load;

import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.CodecException;
import io.netty.handler.codec.http2.DefaultHttp2DataFrame;
import io.netty.handler.codec.http2.DefaultHttp2HeadersFrame;
import io.netty.handler.codec.http2.DefaultHttp2ResetFrame;
import io.netty.handler.codec.http2.DefaultHttp2WindowUpdateFrame;
import io.netty.handler.codec.http2.Http2ChannelDuplexHandler;
import io.netty.handler.codec.http2.Http2DataFrame;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2FrameCodec;
import io.netty.handler.codec.http2.Http2FrameCodecBuilder;
import io.netty.handler.codec.http2.Http2FrameStream;
import io.netty.handler.codec.http2.Http2FrameStreamException;
import io.netty.handler.codec.http2.Http2GoAwayFrame;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2HeadersFrame;
import io.netty.handler.codec.http2.Http2ResetFrame;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2SettingsFrame;
import io.netty.util.ReferenceCountUtil;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/** A connection of HTTP/2 without TLS, by prior knowledge, with many requests at a time. */
final class Http2Link extends Http2ChannelDuplexHandler implements Link {
  private static final int WINDOW = 1 << 20;

  private final Owner owner;
  private final Http2FrameCodec codec =
      Http2FrameCodecBuilder.forClient()
          .initialSettings(
              Http2Settings.defaultSettings().pushEnabled(false).initialWindowSize(WINDOW))
          .build();
  private final IdentityHashMap<Http2FrameStream, Exchange> active = new IdentityHashMap<>();
  private ChannelHandlerContext ctx;
  private int most;
  private boolean closed;
  private boolean listed;

  /**
   * Makes a connection.
   *
   * @param owner who hears of it
   * @param most how many requests may be under way at once; the server's limit may be lower
   */
  Http2Link(Owner owner, int most) {
    this.owner = owner;
    this.most = most;
  }

  @Override
  public ChannelHandler[] handlers() {
    return new ChannelHandler[] {codec, this};
  }

  @Override
  public void channelActive(ChannelHandlerContext context) {
    ctx = context;
    owner.opened(this);
  }

  @Override
  public boolean room() {
    return ctx != null && !closed && active.size() < most;
  }

  @Override
  public void send(Exchange exchange) {
    Http2FrameStream stream = newStream();
    active.put(stream, exchange);
    boolean bare = !exchange.shot.body().isReadable();
    Link.unwatched(
        ctx.write(new DefaultHttp2HeadersFrame(exchange.shot.http2(), bare).stream(stream))
            .addListener(
                written -> {
                  if (!written.isSuccess()) {
                    fail(stream, Trouble.UNREAD); // never sent: the server said that it goes
                  }
                }));
    if (!bare) {
      Link.unwatched(
          ctx.write(
              new DefaultHttp2DataFrame(exchange.shot.body().retainedDuplicate(), true)
                  .stream(stream)));
    }
    ctx.flush();
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    try {
      if (message instanceof Http2HeadersFrame frame) {
        headers(frame);
      } else if (message instanceof Http2DataFrame frame) {
        data(frame);
      } else if (message instanceof Http2ResetFrame frame) {
        boolean refused = frame.errorCode() == Http2Error.REFUSED_STREAM.code();
        fail(frame.stream(), refused ? Trouble.UNREAD : Trouble.LOST);
      } else if (message instanceof Http2GoAwayFrame frame) {
        goAway(frame.lastStreamId());
      } else if (message instanceof Http2SettingsFrame frame) {
        Long limit = frame.settings().maxConcurrentStreams();
        if (limit != null) {
          most = (int) Math.min(most, limit);
        }
      }
    } finally {
      ReferenceCountUtil.release(message);
    }
  }

  private void headers(Http2HeadersFrame frame) {
    Exchange exchange = active.get(frame.stream());
    if (exchange == null) {
      return;
    }
    Http2Headers fields = frame.headers();
    if (fields.status() != null) {
      exchange.status = Integer.parseInt(fields.status().toString());
    }
    CharSequence grpc = fields.get("grpc-status");
    if (grpc != null) {
      exchange.grpcStatus = grpc.toString();
    }
    if (frame.isEndStream()) {
      answer(frame.stream());
    }
  }

  private void data(Http2DataFrame frame) {
    Exchange exchange = active.get(frame.stream());
    if (exchange != null) {
      exchange.take(frame.content());
    }
    int consumed = frame.initialFlowControlledBytes();
    if (consumed > 0) {
      Link.unwatched(ctx.write(new DefaultHttp2WindowUpdateFrame(consumed).stream(frame.stream())));
    }
    if (frame.isEndStream()) {
      answer(frame.stream());
    }
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext context) {
    context.flush();
  }

  private void answer(Http2FrameStream stream) {
    Exchange exchange = active.remove(stream);
    if (exchange != null) {
      owner.answered(this, exchange);
      closeIfEmpty();
    }
  }

  private void goAway(int last) {
    closed = true;
    for (Http2FrameStream stream : List.copyOf(active.keySet())) {
      if (stream.id() > last) {
        fail(stream, Trouble.UNREAD);
      }
    }
    closeIfEmpty();
  }

  private void closeIfEmpty() {
    if (closed && active.isEmpty()) {
      Link.unwatched(ctx.close());
    }
  }

  private void fail(Http2FrameStream stream, Trouble trouble) {
    Exchange exchange = active.remove(stream);
    if (exchange != null) {
      owner.failed(this, exchange, trouble);
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    close();
    for (Http2FrameStream stream : List.copyOf(active.keySet())) {
      fail(stream, Trouble.LOST);
    }
    owner.closed(this);
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    if (cause instanceof Http2FrameStreamException stream) {
      fail(stream.stream(), Trouble.PROTOCOL);
    } else {
      if (cause instanceof RuntimeException fault && !(cause instanceof CodecException)) {
        owner.broken(fault);
      }
      Link.unwatched(context.close());
    }
  }

  @Override
  public void abandon(Exchange given) {
    active.entrySet().stream()
        .filter(each -> each.getValue() == given)
        .map(Map.Entry::getKey)
        .findFirst()
        .ifPresent(
            stream -> {
              active.remove(stream);
              Link.unwatched(
                  ctx.writeAndFlush(new DefaultHttp2ResetFrame(Http2Error.CANCEL).stream(stream)));
            });
  }

  @Override
  public void close() {
    closed = true;
    Link.unwatched(ctx.close());
  }

  @Override
  public boolean listed() {
    return listed;
  }

  @Override
  public void listed(boolean is) {
    listed = is;
  }
}
