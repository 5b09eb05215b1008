package dev.twinrank.load;

import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;

/** One event loop and the connections on it. Thread-safe. */
final class Wire implements Driver.Connector, AutoCloseable {
  /** Which HTTP is spoken. */
  enum Protocol {
    /** One request at a time on a connection. */
    H1,
    /** By prior knowledge, without TLS. */
    H2
  }

  private static final int CONNECT_MILLIS = 5_000;

  private final InetSocketAddress address;
  private final Protocol protocol;
  private final int streams;
  private final EventLoopGroup group;
  private final Class<? extends Channel> type;

  /**
   * Makes the loop; nothing is connected yet.
   *
   * @param address the server's
   * @param protocol spoken on every connection
   * @param streams of HTTP/2: how many requests a connection has under way at most
   */
  Wire(InetSocketAddress address, Protocol protocol, int streams) {
    this.address = address;
    this.protocol = protocol;
    this.streams = streams;
    boolean epoll = Epoll.isAvailable();
    IoHandlerFactory io = epoll ? EpollIoHandler.newFactory() : NioIoHandler.newFactory();
    group = new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("load", true), io);
    type = epoll ? EpollSocketChannel.class : NioSocketChannel.class;
  }

  /** Returns the one thread of a run. */
  EventLoopGroup group() {
    return group;
  }

  @Override
  public void connect(Driver driver) {
    Link link = protocol == Protocol.H1 ? new Http1Link(driver) : new Http2Link(driver, streams);
    Link.unwatched(
        new Bootstrap()
            .group(group)
            .channel(type)
            .option(ChannelOption.TCP_NODELAY, true)
            .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, CONNECT_MILLIS)
            .option(ChannelOption.ALLOW_HALF_CLOSURE, protocol == Protocol.H1)
            .handler(
                new ChannelInitializer<Channel>() {
                  @Override
                  protected void initChannel(Channel channel) {
                    channel.pipeline().addLast(link.handlers());
                  }
                })
            .connect(address)
            .addListener(
                (ChannelFutureListener)
                    made -> {
                      if (!made.isSuccess()) {
                        driver.refused();
                      }
                    }));
  }

  @Override
  public void close() {
    // Its thread is a daemon and its connections are closed: nobody need wait for Netty's goodbye.
    Link.unwatched(group.shutdownGracefully(0, 1, TimeUnit.SECONDS));
  }
}
