/** The engine over the official JNI binding: the only place that speaks to it. */
package dev.twinrank.core.internal.jni;
