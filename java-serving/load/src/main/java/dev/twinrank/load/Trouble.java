package dev.twinrank.load;

import java.util.Locale;

/** Why a request has no answer. */
enum Trouble {
  /** No connection could be made, so nothing was sent. */
  CONNECT,
  /** The connection ended, and the server had not read the request: nobody accepted it. */
  UNREAD,
  /** The server had read the request and ended the connection without an answer, or amid one. */
  LOST,
  /** Nothing came in time. */
  TIMEOUT,
  /** What came is not HTTP. */
  PROTOCOL;

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
