/** Packing: from typed values to the few tensors that the graph takes. */
package dev.twinrank.core.internal.pack;
