package dev.twinrank.core;

import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * This request is bad; the model goes on. Immutable and thread-safe.
 *
 * @since 0.1
 */
public final class ScoringException extends RuntimeException {
  private static final long serialVersionUID = 1L;
  private static final int CONTEXT = -1;

  private final ErrorCode code;
  private final String feature;
  private final int candidate;

  /**
   * Makes an exception for a request.
   *
   * @param code a code of the scoring family
   * @param message what was given, what is allowed, where, and what to do
   * @param feature the feature (or the name given for one), if the problem is in one
   * @param candidate the candidate's index, empty for the context and for the request as a whole
   * @param cause what the runtime said, or null
   * @throws IllegalArgumentException if {@code code} is not of the scoring family
   */
  public ScoringException(
      ErrorCode code,
      String message,
      Optional<String> feature,
      OptionalInt candidate,
      Throwable cause) {
    super(Objects.requireNonNull(message, "message"), cause);
    if (code.family() != ErrorCode.Family.SCORING) {
      throw new IllegalArgumentException(code.code() + " is no code of a request");
    }
    this.code = code;
    this.feature = feature.orElse(null);
    this.candidate = candidate.orElse(CONTEXT);
  }

  /** Returns the stable code. */
  public ErrorCode code() {
    return code;
  }

  /** Returns the feature that the problem is in, or the unknown name that was given for one. */
  public Optional<String> feature() {
    return Optional.ofNullable(feature);
  }

  /** Returns the index of the candidate that the problem is in; empty for the context. */
  public OptionalInt candidate() {
    return candidate == CONTEXT ? OptionalInt.empty() : OptionalInt.of(candidate);
  }
}
