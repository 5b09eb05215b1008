package dev.twinrank.life;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A JVM that a test starts, listens to line by line, and ends. It has a folder of its own, which is
 * also its java.io.tmpdir, and a process group of its own; it ends itself when its parent is gone.
 * What a test has put into {@code classes} in that folder comes first on its class path.
 *
 * <p>Three system properties make the same tests run elsewhere: {@code twinrank.life.java} is
 * another JVM's executable, {@code twinrank.life.classpath} goes before the class path, and {@code
 * twinrank.life.engine} is the engine of the child; the parent, which makes the bundles, has its
 * own.
 */
final class Child implements AutoCloseable {
  static final int TERMINATED = 128 + 15;
  static final int KILLED = 128 + 9;

  /** A child that has not ended by then hangs. */
  private static final long LIMIT_SECONDS = Size.of(120, 600, 3600);

  static final String ENGINE = System.getProperty("twinrank.life.engine", "");
  private static final String END = "\u0000end of output";

  private final Process process;
  private final Path folder;
  private final Path temporary;
  private final LinkedBlockingQueue<String> arrived = new LinkedBlockingQueue<>();
  private final List<String> lines = new ArrayList<>();
  private final Thread reader;

  private Child(Process process, Path folder, Path temporary) {
    this.process = process;
    this.folder = folder;
    this.temporary = temporary;
    this.reader = new Thread(this::read, "lines of child " + process.pid());
    reader.setDaemon(true);
    reader.start();
  }

  /** Starts a main class of the tests in a new folder. */
  static Child start(Path folder, List<String> options, Class<?> main, Object... arguments)
      throws IOException {
    Files.createDirectories(folder);
    Path temporary = Files.createDirectories(folder.resolve("tmp"));
    List<String> command = new ArrayList<>();
    if (Files.isExecutable(Path.of("/usr/bin/setsid"))) {
      command.add("/usr/bin/setsid"); // becomes the JVM, in the same process
    }
    command.add(
        System.getProperty(
            "twinrank.life.java",
            Path.of(System.getProperty("java.home"), "bin", "java").toString()));
    command.addAll(
        List.of(
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-XX:-CreateCoredumpOnCrash",
            "-XX:ErrorFile=" + folder.resolve("hs_err_%p.log"),
            "-Djava.io.tmpdir=" + temporary,
            "-Dbasedir=" + System.getProperty("basedir", "")));
    if (!ENGINE.isEmpty()) {
      command.add("-Dtwinrank.engine=" + ENGINE);
      command.add("--enable-native-access=ALL-UNNAMED");
    }
    command.addAll(options);
    String more = System.getProperty("twinrank.life.classpath", "");
    command.addAll(
        List.of(
            "-cp",
            folder.resolve("classes")
                + File.pathSeparator
                + (more.isEmpty() ? "" : more + File.pathSeparator)
                + System.getProperty("java.class.path"),
            main.getName()));
    for (Object argument : arguments) {
      command.add(argument.toString());
    }
    ProcessBuilder builder = new ProcessBuilder(command).directory(folder.toFile());
    builder.redirectError(folder.resolve("stderr.txt").toFile());
    // Without it glibc keeps an arena a thread, and what they hold free looks like a leak.
    builder.environment().put("MALLOC_ARENA_MAX", "1");
    return new Child(builder.start(), folder, temporary);
  }

  /** Called first by every child's main: ends the JVM at once when the parent's pipe is closed. */
  static void endWithTheParent(Runnable onLine) {
    Thread thread =
        new Thread(
            () -> {
              try {
                while (true) {
                  int next = System.in.read();
                  if (next == '\n') {
                    onLine.run();
                  } else if (next < 0) {
                    Runtime.getRuntime().halt(KILLED);
                  }
                }
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            },
            "parent");
    thread.setDaemon(true);
    thread.start();
  }

  private void read() {
    try (BufferedReader in = process.inputReader(StandardCharsets.UTF_8)) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        arrived.add(line);
      }
    } catch (IOException e) {
      arrived.add("the pipe of the child broke: " + e);
    } finally {
      arrived.add(END);
    }
  }

  /** Waits for a line that starts so. */
  String await(String start) throws InterruptedException {
    while (true) {
      String line = arrived.poll(LIMIT_SECONDS, TimeUnit.SECONDS);
      if (line == null) {
        throw new AssertionError("the child says no '" + start + "', " + story());
      }
      if (line.equals(END)) {
        arrived.add(END);
        throw new AssertionError("the child ended by itself before '" + start + "', " + story());
      }
      lines.add(line);
      if (line.startsWith(start)) {
        return line;
      }
    }
  }

  /** Sends SIGTERM. */
  void terminate() {
    process.toHandle().destroy(); // Process.destroy would close the pipes too
  }

  /** Sends SIGKILL. */
  void kill() {
    process.toHandle().destroyForcibly();
  }

  /** Makes the child do what it is to do on a line from its parent. */
  void speak() throws IOException {
    process.getOutputStream().write('\n');
    process.getOutputStream().flush();
  }

  /** Waits for the end, and returns the exit code. */
  int end() throws IOException, InterruptedException {
    if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
      // A JVM prints its threads on this signal: into the lines of the story.
      new ProcessBuilder("kill", "-QUIT", Long.toString(process.pid())).start().waitFor();
      process.waitFor(2, TimeUnit.SECONDS);
      process.destroyForcibly();
      collect();
      throw new AssertionError("the child hung for " + LIMIT_SECONDS + " s, " + story());
    }
    collect();
    return process.exitValue();
  }

  private void collect() throws InterruptedException {
    reader.join(TimeUnit.SECONDS.toMillis(LIMIT_SECONDS));
    arrived.drainTo(lines);
    lines.remove(END);
  }

  /** Returns every line so far, all of them after {@link #end}. */
  List<String> lines() {
    return lines;
  }

  /** Returns whether the JVM has left a report of a crash. */
  boolean crashed() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.anyMatch(file -> file.getFileName().toString().startsWith("hs_err"));
    }
  }

  /** Returns what lies in its java.io.tmpdir. */
  List<String> leftovers() throws IOException {
    try (Stream<Path> files = Files.walk(temporary)) {
      return files
          .filter(file -> !file.equals(temporary))
          .map(file -> temporary.relativize(file).toString())
          .sorted()
          .toList();
    }
  }

  long pid() {
    return process.pid();
  }

  /** Returns what a person needs to see when it went wrong. */
  String story() {
    StringBuilder story = new StringBuilder("the child's last lines:\n");
    lines.stream().skip(Math.max(0, lines.size() - 40)).forEach(l -> story.append(l).append('\n'));
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
        String name = file.getFileName().toString();
        if (name.startsWith("hs_err") || name.equals("stderr.txt")) {
          String text = Files.readString(file);
          story.append("--- ").append(name).append('\n');
          story.append(text, 0, Math.min(text.length(), 6000)).append('\n');
        }
      }
    } catch (IOException e) {
      story.append("and no log: ").append(e);
    }
    return story.toString();
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
