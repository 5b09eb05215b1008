package dev.twinrank.core;

import java.time.Duration;
import java.util.OptionalLong;

/**
 * Is told what happens in a {@link ModelStore}. Every method does nothing unless it is overridden.
 *
 * <p>Events come one at a time and in the order in which things happened, on a thread that called
 * the store or released a lease, and never while the store holds a lock: a listener may call the
 * store, and hears of the outcome after it has returned. When the calls come from one thread, all
 * its events have been told when the call returns, but for {@link #unloaded} of a version that was
 * leased meanwhile, which the thread that frees it tells; when they come from several, one of these
 * tells the events of all, so a slow listener delays events but nobody else's calls. What a
 * listener throws goes to the uncaught-exception handler of that thread and changes nothing.
 *
 * @since 0.1
 */
public interface StoreListener {

  /**
   * A version is going to be read. Followed by {@link #loaded} or {@link #failed}, or by neither if
   * another call loaded it in the meantime.
   */
  default void loading(String name, long version) {}

  /**
   * A version has proved itself and can be acquired.
   *
   * @param entry what it is, with its verification
   * @param took from the beginning of reading to the end of the warm-up
   */
  default void loaded(ModelStore.Entry entry, Duration took) {}

  /**
   * A version is the current one.
   *
   * @param from the one that it replaced; empty if there was none
   */
  default void activated(String name, OptionalLong from, long to) {}

  /** The version that was active before is the current one again. */
  default void rolledBack(String name, long from, long to) {}

  /** A version is no more: its last lease was released, its native memory is given back. */
  default void unloaded(String name, long version) {}

  /**
   * A version was not loaded or not activated; what was there before goes on.
   *
   * @param problem a {@link BundleException}; or an {@link IllegalStateException} if the runtime
   *     cannot be used in this process or the store was closed meanwhile
   */
  default void failed(String name, long version, RuntimeException problem) {}
}
