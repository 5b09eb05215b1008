package dev.twinrank.server.oip;

/**
 * A version that is in memory, and what was counted of it. Immutable and thread-safe.
 *
 * @param name the model's name
 * @param version the version
 * @param counts requests by this protocol
 */
public record ServedVersion(String name, long version, InferenceStatistics.Counts counts) {}
