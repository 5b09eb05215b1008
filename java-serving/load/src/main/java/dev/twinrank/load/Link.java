package dev.twinrank.load;

import io.netty.channel.ChannelHandler;
import io.netty.util.concurrent.Future;

/** A connection. Confined to the event loop. */
interface Link {
  /** Whom a connection tells what becomes of it and of its requests. */
  interface Owner {
    /** The connection can be used. */
    void opened(Link link);

    /** The whole answer is there. */
    void answered(Link link, Exchange exchange);

    /** There will be no answer. */
    void failed(Link link, Exchange exchange, Trouble trouble);

    /** The driver itself has a fault, so the run is worth nothing. */
    void broken(RuntimeException cause);

    /** The connection takes no more requests. */
    void closed(Link link);
  }

  /** Lets a future be: what fails ends the channel, and that is heard of. */
  static void unwatched(Future<?> future) {}

  /** Returns what belongs at the end of the channel's pipeline, behind the codec. */
  ChannelHandler[] handlers();

  /** Returns whether a request can be sent now. */
  boolean room();

  /** Sends a request; there is room. */
  void send(Exchange exchange);

  /** Gives a request up; whatever its answer was is nobody's. */
  void abandon(Exchange exchange);

  /** Ends the connection. */
  void close();

  /** Returns whether the driver has this connection among those with room. */
  boolean listed();

  /** Notes that. */
  void listed(boolean is);
}
