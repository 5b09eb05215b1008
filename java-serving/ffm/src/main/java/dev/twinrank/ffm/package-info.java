/** An engine over the C API of ONNX Runtime, called through java.lang.foreign. */
package dev.twinrank.ffm;
