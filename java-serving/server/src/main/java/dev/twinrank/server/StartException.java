package dev.twinrank.server;

import java.util.List;

/** The server cannot start; it carries everything that somebody has to mend. */
final class StartException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final transient List<String> problems;

  StartException(List<String> problems) {
    this(problems, null);
  }

  StartException(List<String> problems, Throwable cause) {
    super(String.join("\n", problems), cause);
    this.problems = List.copyOf(problems);
  }

  List<String> problems() {
    return problems;
  }
}
