package dev.twinrank.server;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The server in a process of its own. */
public final class Fork implements AutoCloseable {
  private final Path folder;
  private final Process process;

  public Fork(Path folder, String... options) throws IOException {
    this.folder = folder;
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:ErrorFile=" + folder.resolve("crash.log"),
                // Other digits than ours: what is told must not depend on where it runs.
                "-Duser.language=ar",
                "-Duser.country=EG",
                "-cp",
                System.getProperty("java.class.path"),
                ServerMain.class.getName()));
    command.addAll(Arrays.asList(options));
    ProcessBuilder builder = new ProcessBuilder(command);
    // What this project calls so is an option to the server, and a wrong one is told about.
    builder.environment().keySet().removeIf(name -> name.startsWith("TWINRANK_"));
    process =
        builder
            .redirectError(folder.resolve("err").toFile())
            .redirectOutput(folder.resolve("out").toFile())
            .start();
  }

  public Path portFile() {
    return folder.resolve("port");
  }

  /** Waits until the server says that it is ready. */
  public Http ready() throws IOException, InterruptedException {
    while (!Files.exists(portFile())) {
      assertTrue(process.isAlive(), () -> "the server ended: " + err());
      TimeUnit.MILLISECONDS.sleep(10);
    }
    return new Http(url());
  }

  public String url() throws IOException {
    return "http://127.0.0.1:" + Files.readString(portFile()).strip();
  }

  public boolean alive() {
    return process.isAlive();
  }

  public void terminate() {
    process.destroy();
  }

  public void interrupt() throws IOException, InterruptedException {
    signal("INT");
  }

  public void signal(String name) throws IOException, InterruptedException {
    new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start().waitFor();
  }

  public int exitStatus() throws InterruptedException {
    assertTrue(process.waitFor(60, TimeUnit.SECONDS), "the server does not end");
    return process.exitValue();
  }

  public String err() {
    return text("err");
  }

  public String out() {
    return text("out");
  }

  public boolean crashed() {
    return Files.exists(folder.resolve("crash.log"));
  }

  private String text(String file) {
    try {
      return Files.readString(folder.resolve(file));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
