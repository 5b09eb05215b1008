package dev.twinrank.server.flow;

import dev.twinrank.server.ops.Exchange.Protocol;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;

/**
 * What requests cost, learned from those that ran: nanoseconds and candidates a byte, for each
 * model, protocol and size of body (by powers of two, because neither is proportional to it). Not
 * thread-safe.
 */
final class Costs {
  /**
   * Whose costs are alike.
   *
   * @param model a label, of which there are as many as models
   */
  record Key(Protocol protocol, String model) {}

  // Guesses for the first request of all; it corrects them.
  private static final double FIRST_NANOS_A_BYTE = 10;
  private static final double FIRST_BYTES_A_ROW = 100;

  /** How much the last request counts: the mean of about the last ten. */
  private static final double WEIGHT = 0.1;

  private static final int CLASSES = 32;

  private final Map<Key, double[][]> learned = new HashMap<>();

  /** Returns how long a scoring thread will be busy with such a request, in nanoseconds. */
  long nanos(Key key, long bytes) {
    return Math.max(1, (long) (nearest(key, 0, bytes, FIRST_NANOS_A_BYTE) * atLeastOne(bytes)));
  }

  /** Returns how many candidates such a request has. */
  int rows(Key key, long bytes) {
    return (int)
        Math.max(
            1,
            Math.min(
                Integer.MAX_VALUE,
                nearest(key, 1, bytes, 1 / FIRST_BYTES_A_ROW) * atLeastOne(bytes)));
  }

  /** Learns from a request that ran. */
  void learn(Key key, long bytes, long nanos, OptionalInt rows) {
    double[][] each = learned.computeIfAbsent(key, absent -> new double[2][CLASSES]);
    learn(each[0], bytes, (double) nanos);
    if (rows.isPresent()) {
      learn(each[1], bytes, rows.getAsInt());
    }
  }

  private static void learn(double[] each, long bytes, double value) {
    int size = size(bytes);
    double perByte = value / atLeastOne(bytes);
    each[size] = each[size] == 0 ? perByte : each[size] + WEIGHT * (perByte - each[size]);
  }

  /** Returns what is known of the nearest size. */
  private double nearest(Key key, int what, long bytes, double first) {
    double[][] known = learned.get(key);
    if (known == null) {
      return first;
    }
    int size = size(bytes);
    for (int distance = 0; distance < CLASSES; distance++) {
      for (int near : new int[] {size - distance, size + distance}) {
        if (near >= 0 && near < CLASSES && known[what][near] != 0) {
          return known[what][near];
        }
      }
    }
    return first;
  }

  private static int size(long bytes) {
    return Math.min(CLASSES - 1, Long.SIZE - Long.numberOfLeadingZeros(atLeastOne(bytes)) - 1);
  }

  private static long atLeastOne(long bytes) {
    return Math.max(1, bytes);
  }
}
