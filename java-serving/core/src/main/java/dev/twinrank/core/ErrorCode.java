package dev.twinrank.core;

import java.util.Optional;
import java.util.OptionalInt;

/**
 * Every stable error code of bundles and requests, the same in Python, Java and HTTP. Immutable and
 * thread-safe.
 *
 * <p>The order is the contract's: of several problems of a bundle, the one whose code stands first
 * here is the primary one.
 *
 * @since 0.1
 */
public enum ErrorCode {
  /** A file that the layout or the manifest requires does not exist. */
  FILE_MISSING(
      "file_missing", "layout", "a file that the layout or the manifest requires does not exist"),
  /** A symbolic link, or a file with more than one hard link. */
  LINK_REFUSED("link_refused", "layout", "a symbolic link, or a file with more than one hard link"),
  /** A socket, device, pipe, or a directory where a file is expected. */
  NOT_A_REGULAR_FILE(
      "not_a_regular_file",
      "layout",
      "a socket, device, pipe, or a directory where a file is expected"),
  /** A file or directory that the manifest does not list. */
  FILE_UNEXPECTED(
      "file_unexpected", "layout", "a file or directory that the manifest does not list"),
  /** Manifest.sha256 is malformed or is not the SHA-256 of manifest.json. */
  MANIFEST_DIGEST_MISMATCH(
      "manifest_digest_mismatch",
      "manifest",
      "manifest.sha256 is malformed or is not the SHA-256 of manifest.json"),
  /** Manifest.json is not the JSON that the contract allows. */
  MANIFEST_INVALID_JSON(
      "manifest_invalid_json",
      "manifest",
      "manifest.json is not the JSON that the contract allows"),
  /** The format's major version is not one that this reader knows. */
  FORMAT_UNSUPPORTED(
      "format_unsupported",
      "manifest",
      "the format's major version is not one that this reader knows"),
  /** A field is unknown, absent, of the wrong type, out of bounds, or contradicts another. */
  MANIFEST_INVALID(
      "manifest_invalid",
      "manifest",
      "a field is unknown, absent, of the wrong type, out of bounds, or contradicts another"),
  /** A file's size differs from the manifest. */
  SIZE_MISMATCH("size_mismatch", "digests", "a file's size differs from the manifest"),
  /** A file's SHA-256 differs from the manifest. */
  DIGEST_MISMATCH("digest_mismatch", "digests", "a file's SHA-256 differs from the manifest"),
  /** The caller requires a signature and the bundle has none. */
  SIGNATURE_MISSING(
      "signature_missing", "signature", "the caller requires a signature and the bundle has none"),
  /**
   * Model.sig does not verify under any of the caller's keys, or does not cover exactly the
   * bundle's files.
   */
  SIGNATURE_INVALID(
      "signature_invalid",
      "signature",
      "model.sig does not verify under any of the caller's keys, or does not cover exactly the bundle's files"),
  /**
   * Model.onnx is no ONNX model within the contract's limits, or its inputs and outputs differ from
   * the manifest.
   */
  GRAPH_INVALID(
      "graph_invalid",
      "graph",
      "model.onnx is no ONNX model within the contract's limits, or its inputs and outputs differ from the manifest"),
  /** An operator, domain, function, opset or external file that the contract does not allow. */
  GRAPH_FORBIDDEN(
      "graph_forbidden",
      "graph",
      "an operator, domain, function, opset or external file that the contract does not allow"),
  /** This process runs another release of the runtime than the manifest names. */
  RUNTIME_MISMATCH(
      "runtime_mismatch",
      "session",
      "this process runs another release of the runtime than the manifest names"),
  /**
   * The caller declared a budget of native memory, and this bundle does not fit into what is left
   * of it.
   */
  MEMORY_BUDGET_EXCEEDED(
      "memory_budget_exceeded",
      "session",
      "the caller declared a budget of native memory, and this bundle does not fit into what is left of it"),
  /** The runtime refused the graph. */
  SESSION_FAILED("session_failed", "session", "the runtime refused the graph"),
  /** The golden files contradict the contract or the manifest. */
  GOLDENS_INVALID(
      "goldens_invalid", "goldens", "the golden files contradict the contract or the manifest"),
  /**
   * The attestation of this host class contradicts the contract or the bundle, or its required
   * signature does not verify.
   */
  ATTESTATION_INVALID(
      "attestation_invalid",
      "goldens",
      "the attestation of this host class contradicts the contract or the bundle, or its required signature does not verify"),
  /** The evidence is from another host class and the caller requires bits. */
  HOST_CLASS_MISMATCH(
      "host_class_mismatch",
      "goldens",
      "the evidence is from another host class and the caller requires bits"),
  /** A golden gave other tensors, bits, order or another error code. */
  GOLDEN_MISMATCH(
      "golden_mismatch",
      "goldens",
      "a golden gave other tensors, bits, order or another error code"),
  /**
   * The version's required features, their types or its heads differ from those of the version that
   * it would replace.
   */
  INCOMPATIBLE_VERSION(
      "incompatible_version",
      "activation",
      "the version's required features, their types or its heads differ from those of the version that it would replace"),
  /** The body is not the JSON text that the contract allows. */
  INVALID_JSON("invalid_json", 400, "the body is not the JSON text that the contract allows"),
  /** The JSON has not the shape of a request. */
  INVALID_REQUEST("invalid_request", 400, "the JSON has not the shape of a request"),
  /** A field that is no feature of this placement. */
  UNKNOWN_FEATURE("unknown_feature", 400, "a field that is no feature of this placement"),
  /** A feature is absent or null and its policy is error. */
  MISSING_FEATURE("missing_feature", 400, "a feature is absent or null and its policy is error"),
  /** A value whose JSON type does not fit the feature's dtype. */
  WRONG_TYPE("wrong_type", 400, "a value whose JSON type does not fit the feature's dtype"),
  /** A number that the feature's dtype cannot hold. */
  OUT_OF_RANGE("out_of_range", 400, "a number that the feature's dtype cannot hold"),
  /** NaN or an infinity for a feature that does not declare them legal. */
  NON_FINITE(
      "non_finite", 400, "NaN or an infinity for a feature that does not declare them legal"),
  /** A string that holds a lone surrogate. */
  INVALID_STRING("invalid_string", 400, "a string that holds a lone surrogate"),
  /** Members of one aligned group differ in length. */
  LENGTH_MISMATCH("length_mismatch", 400, "members of one aligned group differ in length"),
  /** A vector that has not exactly its declared number of elements. */
  WRONG_LENGTH(
      "wrong_length", 400, "a vector that has not exactly its declared number of elements"),
  /** More candidates than max_candidates. */
  TOO_MANY_CANDIDATES("too_many_candidates", 400, "more candidates than max_candidates"),
  /** A value that the vocabulary does not hold, for a feature whose policy refuses such. */
  UNSEEN_VALUE(
      "unseen_value",
      400,
      "a value that the vocabulary does not hold, for a feature whose policy refuses such"),
  /** The caller's deadline passed before the scores were there. */
  DEADLINE_EXCEEDED(
      "deadline_exceeded", 504, "the caller's deadline passed before the scores were there"),
  /** The caller cancelled the request. */
  CANCELLED("cancelled", 499, "the caller cancelled the request"),
  /** Scoring this slate would exceed the declared budget of native memory. */
  MEMORY_EXHAUSTED(
      "memory_exhausted",
      503,
      "scoring this slate would exceed the declared budget of native memory"),
  /** The runtime failed on a valid request. */
  SCORING_FAILED("scoring_failed", 500, "the runtime failed on a valid request");

  /**
   * The two families, by blast radius. Immutable and thread-safe.
   *
   * @since 0.1
   */
  public enum Family {
    /** The model is unusable. */
    BUNDLE,
    /** The request is bad; the model goes on. */
    SCORING
  }

  private final String code;
  private final Family family;
  private final String phase;
  private final int httpStatus;
  private final String meaning;

  ErrorCode(String code, String phase, String meaning) {
    this.code = code;
    this.family = Family.BUNDLE;
    this.phase = phase;
    this.httpStatus = 0;
    this.meaning = meaning;
  }

  ErrorCode(String code, int httpStatus, String meaning) {
    this.code = code;
    this.family = Family.SCORING;
    this.phase = null;
    this.httpStatus = httpStatus;
    this.meaning = meaning;
  }

  /** Returns the stable text, for example {@code missing_feature}. */
  public String code() {
    return code;
  }

  /** Returns whether the model or the request is at fault. */
  public Family family() {
    return family;
  }

  /** Returns the phase of reading a bundle in which this can happen; empty for requests. */
  public Optional<String> phase() {
    return Optional.ofNullable(phase);
  }

  /** Returns the HTTP status that carries it; empty for bundles, which HTTP does not open. */
  public OptionalInt httpStatus() {
    return family == Family.SCORING ? OptionalInt.of(httpStatus) : OptionalInt.empty();
  }

  /** Returns one short sentence, without a capital and a full stop. */
  public String meaning() {
    return meaning;
  }
}
