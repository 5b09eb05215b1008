package dev.twinrank.benchmarks.trees;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.management.ThreadMXBean;
import dev.twinrank.core.internal.trees.Forest;
import dev.twinrank.core.internal.trees.TreeKernel;
import dev.twinrank.core.internal.trees.TreeKernels;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A process of the comparison of trees: it scores one block when the driver asks for it, and sleeps
 * between, so that the blocks of all contestants alternate in time.
 *
 * <p>Commands and answers are lines of JSON on standard input and output; end of input ends it.
 */
public final class TreeWorker {
  private static final JsonMapper JSON = new JsonMapper();
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
  private static final String CHOSEN = "chosen";

  private Forest forest;
  private double[][] columns;
  private double[][] scores;
  private List<TreeKernel> kernels = List.of();
  private TreeKernels.Choice choice;
  private double[][][] slices = new double[0][][];
  private double[] lines = new double[0];
  private int at;

  private TreeWorker() {}

  /** Serves the driver. */
  public static void main(String[] arguments) throws IOException {
    PrintStream answers = System.out;
    System.setOut(System.err); // whatever libraries print is no answer
    TreeWorker worker = new TreeWorker();
    BufferedReader commands =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      answers.println(JSON.writeValueAsString(worker.answer(JSON.readTree(line))));
      answers.flush();
    }
  }

  private JsonNode answer(JsonNode command) throws IOException {
    return switch (command.get("do").textValue()) {
      case "load" -> load(Path.of(command.get("folder").textValue()));
      case "scores" -> scores(command);
      case "block" -> block(command);
      default -> throw new IllegalArgumentException(command.toString());
    };
  }

  private ObjectNode load(Path folder) throws IOException {
    ByteBuffer bytes =
        ByteBuffer.wrap(Files.readAllBytes(folder.resolve("forest.bin")))
            .order(ByteOrder.LITTLE_ENDIAN);
    boolean floatSums = bytes.getInt() != 0;
    int width = bytes.getInt();
    int targets = bytes.getInt();
    int[] roots = ints(bytes);
    int[] treeTargets = ints(bytes);
    int[] splitColumns = ints(bytes);
    int[] modes = ints(bytes);
    double[] thresholds = doubles(bytes);
    int[] trues = ints(bytes);
    int[] falses = ints(bytes);
    int[] missing = ints(bytes);
    int[] starts = ints(bytes);
    double[] members = doubles(bytes);
    double[] leaves = doubles(bytes);
    byte[] small = new byte[modes.length];
    boolean[] missingTrue = new boolean[modes.length];
    for (int i = 0; i < modes.length; i++) {
      small[i] = (byte) modes[i];
      missingTrue[i] = missing[i] != 0;
    }
    forest =
        new Forest(
            floatSums,
            width,
            targets,
            roots,
            treeTargets,
            splitColumns,
            small,
            thresholds,
            trues,
            falses,
            missingTrue,
            starts,
            members,
            leaves);
    ByteBuffer values =
        ByteBuffer.wrap(Files.readAllBytes(folder.resolve("rows.bin")))
            .order(ByteOrder.LITTLE_ENDIAN);
    int rows = values.capacity() / Double.BYTES / width;
    columns = new double[width][rows];
    for (double[] column : columns) {
      values.asDoubleBuffer().get(column);
      values.position(values.position() + rows * Double.BYTES);
    }
    scores = new double[targets][rows];
    lines = new double[rows * width];
    for (int column = 0; column < width; column++) {
      for (int row = 0; row < rows; row++) {
        lines[row * width + column] = columns[column][row];
      }
    }
    kernels = TreeKernels.of(forest);
    long begin = System.nanoTime();
    choice = TreeKernels.choose(forest);
    long taken = System.nanoTime() - begin;
    slices = new double[0][][];
    ObjectNode answer = JSON.createObjectNode();
    kernels.forEach(kernel -> answer.withArray("kernels").add(kernel.name()));
    return answer
        .put("alone", choice.alone().name())
        .put("block", choice.block().name())
        .put("many", choice.many())
        .put("chosen_ms", taken / 1e6);
  }

  private static int[] ints(ByteBuffer bytes) {
    int[] values = new int[bytes.getInt()];
    bytes.asIntBuffer().get(values);
    bytes.position(bytes.position() + values.length * Integer.BYTES);
    return values;
  }

  private static double[] doubles(ByteBuffer bytes) {
    double[] values = new double[bytes.getInt()];
    bytes.asDoubleBuffer().get(values);
    bytes.position(bytes.position() + values.length * Double.BYTES);
    return values;
  }

  private TreeKernel kernel(JsonNode command) {
    String name = command.get("kernel").textValue();
    int n = command.get("n").intValue();
    if (name.equals(CHOSEN)) {
      return choice.of(n);
    }
    return kernels.stream().filter(each -> each.name().equals(name)).findFirst().orElseThrow();
  }

  /** Scores every row in slates of n, and writes the scores, target by target. */
  private ObjectNode scores(JsonNode command) throws IOException {
    int n = command.get("n").intValue();
    TreeKernel kernel = kernel(command);
    TreeKernel.Scratch scratch = kernel.scratch();
    int rows = scores[0].length;
    double[][] own = new double[scores.length][n];
    for (int from = 0; from < rows; from += n) {
      int size = Math.min(n, rows - from);
      kernel.score(slice(from, size), size, own, scratch);
      for (int target = 0; target < own.length; target++) {
        System.arraycopy(own[target], 0, scores[target], from, size);
      }
    }
    ByteBuffer bytes =
        ByteBuffer.allocate(scores.length * rows * Double.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (double[] each : scores) {
      bytes.asDoubleBuffer().put(each);
      bytes.position(bytes.position() + rows * Double.BYTES);
    }
    Files.write(Path.of(command.get("file").textValue()), bytes.array());
    return JSON.createObjectNode().put("rows", rows);
  }

  private double[][] slice(int from, int size) {
    double[][] slice = new double[columns.length][];
    for (int column = 0; column < slice.length; column++) {
      slice[column] = Arrays.copyOfRange(columns[column], from, from + size);
    }
    return slice;
  }

  /** Scores other rows each time for so many milliseconds of the thread's own time. */
  private ObjectNode block(JsonNode command) {
    int n = command.get("n").intValue();
    long most = command.get("ms").longValue() * 1_000_000;
    TreeKernel kernel = kernel(command);
    TreeKernel.Scratch scratch = kernel.scratch();
    if (n > 1 && (slices.length == 0 || slices[0][0].length != n)) {
      List<double[][]> made = new ArrayList<>();
      for (int from = 0; from + n <= scores[0].length && made.size() < 4096; from += n) {
        made.add(slice(from, n));
      }
      slices = made.toArray(double[][][]::new);
    }
    double[][] own = new double[forest.targets()][n];
    double[][] single = new double[columns.length][1];
    long begin = THREADS.getCurrentThreadCpuTime();
    long runs = 0;
    long taken;
    do {
      // The clock costs as much as a row or two, so it is not asked for each.
      for (int i = 0; i < 16; i++) {
        kernel.score(n == 1 ? next(single) : slices[next(slices.length)], n, own, scratch);
      }
      runs += 16;
      taken = THREADS.getCurrentThreadCpuTime() - begin;
    } while (taken < most);
    return JSON.createObjectNode().put("rows", runs * n).put("cpu", taken);
  }

  /** Lays the next row into columns, as whoever has a row must; the library reads it as it lies. */
  private double[][] next(double[][] single) {
    int from = next(lines.length / single.length) * single.length;
    for (int column = 0; column < single.length; column++) {
      single[column][0] = lines[from + column];
    }
    return single;
  }

  private int next(int count) {
    at = at + 1 < count ? at + 1 : 0;
    return at;
  }
}
