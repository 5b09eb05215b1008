package dev.twinrank.server.life;

import java.util.List;

/** The server cannot start; it carries everything that somebody has to mend. */
public final class StartException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final transient List<String> problems;

  public StartException(List<String> problems) {
    this(problems, null);
  }

  public StartException(List<String> problems, Throwable cause) {
    super(String.join("\n", problems), cause);
    this.problems = List.copyOf(problems);
  }

  public List<String> problems() {
    return problems;
  }
}
