/** Bounded reading of protocol buffers: ONNX tensors, and a walk over ONNX models. */
package dev.twinrank.core.internal.proto;
