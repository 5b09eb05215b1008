/**
 * What an engine is: the one thing that speaks to ONNX Runtime. The core ships one over the
 * official JNI binding; other artifacts bring others and are found by {@link
 * java.util.ServiceLoader}. Not an API: only artifacts of the same release may implement it.
 */
package dev.twinrank.core.internal.engine;
