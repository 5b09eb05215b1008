package dev.twinrank.embedder;

import dev.twinrank.core.Model;
import dev.twinrank.core.Slate;

/** What the examples of the documentation take for granted: a request of three things of a shop. */
@SuppressWarnings({"MutablePublicArray", "NonFinalStaticField"})
public class Surroundings {
  public static final String[] items = {"apple", "bread", "crème"};
  public static final long[] stocks = {3, 0, 12};
  public static final double[] prices = {1.5, 2.25, 0.5};
  public static final double[] qualities = {0.5, 0.25, 0.75};
  public static final double[] margins = {0.1, 0.2, 0.3};
  public static final byte[] json =
      ("{\"context\": {\"when\": 0, \"budget\": 0}, \"candidates\":"
              + " [{\"stock\": 1, \"quality\": 0.5, \"margin\": 2}]}")
          .getBytes(java.nio.charset.StandardCharsets.UTF_8);
  public static Model model;
  public static Slate slate;

  Surroundings() {}
}
