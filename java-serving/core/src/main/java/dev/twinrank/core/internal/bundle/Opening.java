package dev.twinrank.core.internal.bundle;

/**
 * A bundle that has just passed every phase.
 *
 * @param bundle what serves
 * @param rehearsal its warm-up, which holds the goldens in memory: to be done, and to be let go
 */
public record Opening(OpenedBundle bundle, Rehearsal rehearsal) {}
