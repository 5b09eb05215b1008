package dev.twinrank.core.internal.pack;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.OptionalInt;

/**
 * One packed request. Immutable.
 *
 * @param candidates the number of candidates
 * @param k how many ranked candidates are wanted, at most all; empty means all
 * @param blocks little-endian values in packing order; not to be changed
 */
public record PackedSlate(int candidates, OptionalInt k, List<ByteBuffer> blocks) {}
