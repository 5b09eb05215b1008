package dev.twinrank.server.oip;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.Refusal;
import dev.twinrank.server.problem.ServiceCode;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** Makes the refusals of this protocol. */
public final class OipProblems {
  private static final int BAD_REQUEST = 400;

  private OipProblems() {}

  /** Refuses an input that is no tensor of this model: it {@code is} so, instead. */
  public static Refusal tensor(String name, String is) {
    return new Refusal(Problem.of(ServiceCode.INVALID_TENSOR, "input " + quoted(name) + " " + is));
  }

  /** Refuses a request of the wrong form. */
  public static Refusal request(String detail) {
    return of(ErrorCode.INVALID_REQUEST, detail, Optional.empty());
  }

  /** Refuses a request with a code of scoring. */
  static Refusal of(ErrorCode code, String detail, Optional<String> feature) {
    return of(code, detail, feature, OptionalInt.empty());
  }

  /** Refuses a request with a code of scoring. */
  static Refusal of(
      ErrorCode code, String detail, Optional<String> feature, OptionalInt candidate) {
    return new Refusal(
        new Problem(
            code.code(),
            code.httpStatus().orElse(BAD_REQUEST),
            code.meaning(),
            detail,
            feature,
            candidate,
            Map.of(),
            OptionalInt.empty()));
  }

  /** Returns a name that a client sent, bounded, for a message; whoever writes it escapes it. */
  static String quoted(String name) {
    int most = 100;
    return "'" + (name.length() <= most ? name : name.substring(0, most) + "…") + "'";
  }
}
