package dev.twinrank.server.flow;

import dev.twinrank.server.ops.Exchange;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A request for scores as the desk sees it. Immutable and thread-safe.
 *
 * @param exchange the request
 * @param model the model's name as the client gave it
 * @param version the version as the client gave it; empty for the active one
 * @param bytes the length of the body
 * @param rows how many candidates there are, where the protocol says so before it is read
 * @param budget how long the client waits, from {@link Exchange#arrived}; empty if it did not say
 */
public record Call(
    Exchange exchange,
    String model,
    Optional<String> version,
    long bytes,
    OptionalInt rows,
    Optional<Duration> budget) {}
