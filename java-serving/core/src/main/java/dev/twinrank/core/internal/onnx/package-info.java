/** Sessions: which engine runs them, who may use them, and what this host computes. */
package dev.twinrank.core.internal.onnx;
