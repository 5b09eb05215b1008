package dev.twinrank.life;

import dev.twinrank.core.BundleException;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.Model;
import dev.twinrank.core.Scores;
import dev.twinrank.core.Tiny;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;

/**
 * A process like a service at its worst moment: callers rank with a model that is swapped all the
 * time, other models are opened and closed, bad bundles fail, and then somebody ends it.
 *
 * <p>Arguments: models folder, what serves, the mark at which to say {@code now}, ending, hook, and
 * whether native calls are under way that outlast the JVM's patience at its end.
 */
final class Victim {
  static final int FAILED = 3;
  static final int EXITED = 7;
  static final int HALTED = 8;

  /** What ends the process: a signal, or what it does on a line from its parent. */
  enum Ending {
    SIGNAL(Child.TERMINATED),
    EXIT(EXITED),
    EXIT_OF_A_CALLER(EXITED),
    HALT(HALTED);

    final int code;

    Ending(int code) {
      this.code = code;
    }
  }

  /** What its shutdown hook does. */
  enum Hook {
    /** There is none: everything runs on until the process is gone. */
    NONE,
    /** Everything is done once more, then all is let end and counted. */
    DRAIN,
    /** What serves is closed under its callers, by two threads. */
    CLOSE
  }

  private static final List<Worker> WORKERS = new CopyOnWriteArrayList<>();
  private static volatile boolean closing;
  private static volatile boolean callersExit;

  private Victim() {}

  public static void main(String[] args) {
    Path models = Path.of(args[0]);
    Serving serving = Serving.of(args[1], models);
    Mark.set(args[2]);
    Ending ending = Ending.valueOf(args[3]);
    Hook hook = Hook.valueOf(args[4]);
    boolean slow = Boolean.parseBoolean(args[5]);
    Child.endWithTheParent(() -> end(ending));
    if (hook != Hook.NONE) {
      Runnable action = hook == Hook.DRAIN ? Victim::drain : () -> close(serving);
      Runtime.getRuntime().addShutdownHook(new Thread(action, "hook"));
    }
    try {
      Mark.pass("start");
      serving.swap(1);
    } catch (IllegalStateException e) {
      // A JVM that has begun to end starts no runtime; it says so, and nothing was promised yet.
      if (!isTooLate(e)) {
        fail("first load", e);
      }
      return;
    }
    work("call", () -> call(serving));
    if (slow) {
      work("slow load", () -> load(serving));
      Model model = Model.open(Bundles.path(models, Bundles.SLOW_TO_RUN), Tiny.BY_REFERENCE);
      work("slow run", () -> model.rank(model.parse(Bundles.request())));
      return;
    }
    work("call", () -> call(serving));
    int[] version = {1};
    work("swap", () -> swap(serving, version[0]++ % Bundles.SERVING + 1));
    work("open", () -> open(models));
    work("refuse", () -> refuse(models, Bundles.UNRUNNABLE, ErrorCode.SESSION_FAILED));
    work("damage", () -> refuse(models, Bundles.DAMAGED, ErrorCode.DIGEST_MISMATCH));
  }

  private static void load(Serving serving) {
    if (!serving.load(Bundles.SLOW_TO_LOAD) && !closing) {
      throw new IllegalStateException("there was no load, and nobody closed");
    }
  }

  private static void work(String what, Worker.Step step) {
    WORKERS.add(
        Worker.start(
            what,
            () -> {
              Mark.pass(what);
              step.run();
            }));
  }

  private static void call(Serving serving) {
    if (callersExit) {
      System.exit(EXITED);
    }
    Serving.Answer answer = serving.answer(Bundles.request());
    if (answer == null && !closing) {
      throw new IllegalStateException("there was no answer, and nobody closed");
    }
    if (answer != null) {
      check(answer.ranking().scores());
    }
  }

  private static void check(Scores scores) {
    if (Bundles.versionOf(Bundles.bits(scores)) == 0) {
      throw new IllegalStateException("the scores are no version's");
    }
  }

  private static void swap(Serving serving, int version) {
    if (!serving.swap(version) && !closing) {
      throw new IllegalStateException("there was no swap, and nobody closed");
    }
  }

  private static void open(Path models) {
    try (Model model = Model.open(Bundles.path(models, 1), Tiny.BY_REFERENCE)) {
      check(model.rank(model.parse(Bundles.request())).scores());
    }
  }

  private static void refuse(Path models, int version, ErrorCode expected) {
    try {
      Model.open(Bundles.path(models, version), Tiny.BY_REFERENCE).close();
      throw new IllegalStateException("a bad bundle was opened");
    } catch (BundleException e) {
      if (e.code() != expected) {
        throw e;
      }
    }
  }

  private static void end(Ending ending) {
    switch (ending) {
      case EXIT -> System.exit(EXITED);
      case EXIT_OF_A_CALLER -> callersExit = true;
      case HALT -> Runtime.getRuntime().halt(HALTED);
      case SIGNAL -> throw new IllegalStateException("a signal needs no word");
    }
  }

  private static void drain() {
    try {
      WORKERS.forEach(Worker::look);
      for (Worker worker : WORKERS) {
        worker.awaitAnother();
      }
      WORKERS.forEach(Worker::stop);
      for (Worker worker : WORKERS) {
        worker.join();
      }
      System.out.println(
          WORKERS.stream().map(Worker::count).collect(Collectors.joining(";", "drained ", "")));
    } catch (InterruptedException e) {
      fail("drain", e);
    }
  }

  private static void close(Serving serving) {
    closing = true;
    Thread other = new Thread(serving::close, "other hook");
    other.start();
    serving.close();
    try {
      other.join();
    } catch (InterruptedException e) {
      fail("close", e);
    }
    System.out.println("closed");
  }

  /** Ends the process at once and says why. */
  static void fail(String what, Throwable e) {
    synchronized (Victim.class) {
      System.err.println(what + " failed");
      e.printStackTrace();
      Runtime.getRuntime().halt(FAILED);
    }
  }

  private static boolean isTooLate(Throwable e) {
    for (Throwable each = e; each != null; each = each.getCause()) {
      if (each instanceof IllegalStateException
          && String.valueOf(each.getMessage()).contains("Shutdown in progress")) {
        System.out.println("too late");
        return true;
      }
    }
    return false;
  }
}
