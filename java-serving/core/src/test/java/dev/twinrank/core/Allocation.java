package dev.twinrank.core;

import java.lang.reflect.Method;

/**
 * What the current thread has allocated. By reflection, because the module under test does not read
 * {@code java.management}, and tests are compiled into it.
 */
final class Allocation {
  private Allocation() {}

  /** Returns the bytes on the heap that an action allocates in this thread. */
  static long of(Runnable action) throws ReflectiveOperationException {
    Object threads =
        Class.forName("java.lang.management.ManagementFactory")
            .getMethod("getThreadMXBean")
            .invoke(null);
    Method allocated =
        Class.forName("com.sun.management.ThreadMXBean")
            .getMethod("getThreadAllocatedBytes", long.class);
    Long id = Thread.currentThread().getId();
    allocated.invoke(threads, id);
    long before = (long) allocated.invoke(threads, id);
    action.run();
    return (long) allocated.invoke(threads, id) - before;
  }
}
