/** The only place that speaks to ONNX Runtime. */
package dev.twinrank.core.internal.onnx;
