package dev.twinrank.core.internal.bundle;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * What scoring a golden must give.
 *
 * @param outputs the values of each output, the score's last, in every form in which they are
 *     stored
 * @param order the whole ranking
 * @param dropped the candidates whose score is NaN
 */
record Expectation(List<List<ByteBuffer>> outputs, List<Integer> order, List<Integer> dropped) {}
