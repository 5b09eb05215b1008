package dev.twinrank.probe;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Locale;
import java.util.Optional;

/**
 * Answers frames from stdin on stdout until {@code bye} or the end of the input, then exits with 0.
 *
 * <p>Input that is no frame at all (a length over the limit, an end inside a frame) is answered
 * once and ends the process with {@value #LOST_SYNC}: nothing after it can be read as a frame.
 *
 * @since 0.1
 */
public final class ProbeMain {
  static final int LOST_SYNC = 2;

  private ProbeMain() {}

  /**
   * Runs the probe.
   *
   * @param args none are taken
   * @throws IOException if stdin or stdout fails
   */
  public static void main(String[] args) throws IOException {
    // Digits and words in logs and messages are the same wherever this runs.
    Locale.setDefault(Locale.ROOT);
    if (args.length > 0) {
      System.err.println(
          "twinrank-probe takes no arguments: it answers frames from stdin on stdout");
      System.exit(LOST_SYNC);
    }
    OutputStream frames = new BufferedOutputStream(new FileOutputStream(FileDescriptor.out));
    // Whatever any library prints must not land between two frames.
    System.setOut(System.err);
    int status = run(new BufferedInputStream(new FileInputStream(FileDescriptor.in)), frames);
    if (status != 0) {
      System.exit(status);
    }
  }

  /**
   * Answers frames until {@code bye}, the end of the input, or input that is no frame; returns the
   * exit status.
   */
  static int run(InputStream in, OutputStream out) throws IOException {
    try (Testee testee = new Testee()) {
      while (!testee.finished()) {
        Optional<byte[]> frame;
        try {
          frame = Frame.readFrom(in);
        } catch (ProtocolException e) {
          write(out, Replies.failure(e).encode());
          return LOST_SYNC;
        }
        if (frame.isEmpty()) {
          break;
        }
        write(out, testee.handle(frame.get()));
      }
      return 0;
    }
  }

  private static void write(OutputStream out, byte[] frame) throws IOException {
    out.write(frame);
    out.flush();
  }
}
