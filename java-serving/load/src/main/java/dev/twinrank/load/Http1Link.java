package dev.twinrank.load;

import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.handler.codec.CodecException;
import io.netty.handler.codec.DecoderResult;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseDecoder;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.ReferenceCountUtil;
import java.util.concurrent.TimeUnit;

/** A connection of HTTP/1.1 with one request at a time. */
final class Http1Link extends ChannelInboundHandlerAdapter implements Link {
  /**
   * How long a reset may take that answers a request which came after the server's end of stream.
   */
  private static final long CROSSING_MILLIS = 50;

  private static final int TCP_CLOSE_WAIT = 8;

  private final Owner owner;
  private ChannelHandlerContext ctx;
  private Exchange exchange;
  private boolean keep = true;
  private boolean ended;
  private boolean closed;
  private boolean listed;

  Http1Link(Owner owner) {
    this.owner = owner;
  }

  @Override
  public ChannelHandler[] handlers() {
    return new ChannelHandler[] {new HttpResponseDecoder(), this};
  }

  @Override
  public void channelActive(ChannelHandlerContext context) {
    ctx = context;
    owner.opened(this);
  }

  @Override
  public boolean room() {
    return ctx != null && exchange == null && keep && !ended && !closed;
  }

  @Override
  public void send(Exchange next) {
    exchange = next;
    Link.unwatched(ctx.writeAndFlush(next.shot.http1().retainedDuplicate(), ctx.voidPromise()));
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    try {
      if (message instanceof HttpResponse response) {
        if (exchange == null || !sound(response.decoderResult())) {
          fail(Trouble.PROTOCOL);
          return;
        }
        exchange.status = response.status().code();
        keep &= HttpUtil.isKeepAlive(response);
      }
      if (message instanceof HttpContent content && exchange != null) {
        if (!sound(content.decoderResult())) {
          fail(Trouble.PROTOCOL);
          return;
        }
        exchange.take(content.content());
        if (message instanceof LastHttpContent && exchange.status >= 200) {
          Exchange whole = exchange;
          exchange = null;
          if (!keep || ended) {
            close();
          }
          owner.answered(this, whole);
        }
      }
    } finally {
      ReferenceCountUtil.release(message);
    }
  }

  private static boolean sound(DecoderResult result) {
    return !result.isFailure();
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext context, Object event) {
    if (event == ChannelInputShutdownEvent.INSTANCE) {
      ended = true;
      if (exchange == null || exchange.status != 0) {
        fail(Trouble.LOST); // amid an answer, or with nothing under way
        return;
      }
      // Was the request read, or did it cross the server's end of stream? A request that arrives at
      // a closed socket is answered by a reset, which ends the channel; one that was read is not.
      Link.unwatched(
          context
              .executor()
              .schedule(
                  () -> fail(readByTheServer() ? Trouble.LOST : Trouble.UNREAD),
                  CROSSING_MILLIS,
                  TimeUnit.MILLISECONDS));
    }
  }

  private boolean readByTheServer() {
    return !(ctx.channel() instanceof EpollSocketChannel epoll)
        || !epoll.isOpen()
        || epoll.tcpInfo().state() == TCP_CLOSE_WAIT;
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    // A reset: the server's socket held bytes that nobody had read when it was closed.
    fail(exchange != null && exchange.status != 0 ? Trouble.LOST : Trouble.UNREAD);
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    if (cause instanceof RuntimeException fault && !(cause instanceof CodecException)) {
      owner.broken(fault);
    }
    Link.unwatched(context.close()); // channelInactive says what becomes of the request
  }

  private void fail(Trouble trouble) {
    Exchange lost = exchange;
    exchange = null;
    close();
    if (lost != null) {
      owner.failed(this, lost, trouble);
    }
  }

  @Override
  public void abandon(Exchange given) {
    exchange = null;
    close();
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      Link.unwatched(ctx.close());
      owner.closed(this);
    }
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
