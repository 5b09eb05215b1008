package dev.twinrank.core.internal.onnx;

import dev.twinrank.core.DType;

/**
 * One output of a graph, a value a candidate.
 *
 * @param name the output's name in the graph
 * @param dtype float32 or float64
 */
public record Output(String name, DType dtype) {}
