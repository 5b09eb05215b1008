package dev.twinrank.ffm;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Calls of C functions, one Java method a shape; pointers and {@code size_t} are longs, as on every
 * platform that the runtime is built for. The handles are constants, so a compiled call is the call
 * and allocates nothing. Thread-safe.
 */
@SuppressWarnings("restricted") // this is the module that asks for native access
final class Calls {
  private static final MethodHandle L = handle();
  private static final MethodHandle L_I = handle(JAVA_INT);
  private static final MethodHandle L_L = handle(JAVA_LONG);
  private static final MethodHandle L_LI = handle(JAVA_LONG, JAVA_INT);
  private static final MethodHandle L_LL = handle(JAVA_LONG, JAVA_LONG);
  private static final MethodHandle L_IIL = handle(JAVA_INT, JAVA_INT, JAVA_LONG);
  private static final MethodHandle L_ILL = handle(JAVA_INT, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle L_LLL = handle(JAVA_LONG, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle L_LLLLL =
      handle(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle L_LLLLLIL =
      handle(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG);
  private static final MethodHandle L_LLLLLLLL =
      handle(
          JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle V_L =
      Linker.nativeLinker().downcallHandle(FunctionDescriptor.ofVoid(JAVA_LONG));

  private Calls() {}

  private static MethodHandle handle(MemoryLayout... arguments) {
    return Linker.nativeLinker().downcallHandle(FunctionDescriptor.of(JAVA_LONG, arguments));
  }

  static long call(MemorySegment f) {
    try {
      return (long) L.invokeExact(f);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  static long call(MemorySegment f, int a) {
    try {
      return (long) L_I.invokeExact(f, a);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  static long call(MemorySegment f, long a) {
    try {
      return (long) L_L.invokeExact(f, a);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  static long call(MemorySegment f, long a, int b) {
    try {
      return (long) L_LI.invokeExact(f, a, b);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  static long call(MemorySegment f, long a, long b) {
    try {
      return (long) L_LL.invokeExact(f, a, b);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  static long call(MemorySegment f, int a, int b, long c) {
    try {
      return (long) L_IIL.invokeExact(f, a, b, c);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  static long call(MemorySegment f, int a, long b, long c) {
    try {
      return (long) L_ILL.invokeExact(f, a, b, c);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  static long call(MemorySegment f, long a, long b, long c) {
    try {
      return (long) L_LLL.invokeExact(f, a, b, c);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  static long call(MemorySegment f, long a, long b, long c, long d, long e) {
    try {
      return (long) L_LLLLL.invokeExact(f, a, b, c, d, e);
    } catch (Throwable x) {
      throw unexpected(x);
    }
  }

  static long call(MemorySegment f, long a, long b, long c, long d, long e, int g, long h) {
    try {
      return (long) L_LLLLLIL.invokeExact(f, a, b, c, d, e, g, h);
    } catch (Throwable x) {
      throw unexpected(x);
    }
  }

  static long call(
      MemorySegment f, long a, long b, long c, long d, long e, long g, long h, long i) {
    try {
      return (long) L_LLLLLLLL.invokeExact(f, a, b, c, d, e, g, h, i);
    } catch (Throwable x) {
      throw unexpected(x);
    }
  }

  static void run(MemorySegment f, long a) {
    try {
      V_L.invokeExact(f, a);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** Returns the text that a pointer leads to. */
  static String text(long pointer) {
    return MemorySegment.ofAddress(pointer).reinterpret(Long.MAX_VALUE).getString(0);
  }

  /** Returns a table of function pointers. */
  static MemorySegment table(long pointer, int entries) {
    return MemorySegment.ofAddress(pointer).reinterpret(entries * ADDRESS.byteSize());
  }

  // A downcall throws nothing of its own.
  private static Error unexpected(Throwable e) {
    if (e instanceof Error error) {
      return error;
    }
    return new AssertionError("a call of the runtime could not be made", e);
  }
}
