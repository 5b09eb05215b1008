/** Shared by the internals; never yours. */
package dev.twinrank.core.internal;
