package dev.twinrank.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.management.ThreadMXBean;
import dev.twinrank.benchmarks.ours.BuiltRequest;
import dev.twinrank.benchmarks.ours.EngineRun;
import dev.twinrank.benchmarks.ours.Loading;
import dev.twinrank.benchmarks.ours.SlateRun;
import dev.twinrank.benchmarks.peer.Djl;
import dev.twinrank.benchmarks.peer.RawRun;
import dev.twinrank.benchmarks.peer.TensorPerFeature;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

/**
 * A process of the comparison: it does one thing at a time, when the driver asks for it, and sleeps
 * between, so that the blocks of all contestants alternate in time.
 *
 * <p>Commands and answers are lines of JSON on standard input and output; end of input ends it.
 */
public final class Worker {
  private static final JsonMapper JSON = new JsonMapper();
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  private final Path models;
  private final Map<String, Contestant> contestants = new HashMap<>();
  private final Map<String, Caller> callers = new HashMap<>();
  private final Map<String, Request[]> requests = new HashMap<>();

  private Worker(Path models) {
    this.models = models;
  }

  /**
   * Serves the driver.
   *
   * @param arguments the folder of the models
   */
  public static void main(String[] arguments) throws Exception {
    PrintStream answers = System.out;
    System.setOut(System.err); // whatever libraries print is no answer
    Worker worker = new Worker(Path.of(arguments[0]));
    BufferedReader commands =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      answers.println(JSON.writeValueAsString(worker.answer(JSON.readTree(line))));
      answers.flush();
    }
    worker.close();
  }

  private JsonNode answer(JsonNode command) throws Exception {
    return switch (command.get("do").textValue()) {
      case "facts" -> facts();
      case "scores" -> scores(command);
      case "block" -> block(command);
      case "load" -> load(Path.of(command.get("bundle").textValue()));
      case "drop" -> drop();
      default -> throw new IllegalArgumentException(command.toString());
    };
  }

  private static ObjectNode load(Path bundle) {
    long cpu = THREADS.getCurrentThreadCpuTime();
    long nanos = Loading.nanos(bundle);
    return JSON.createObjectNode()
        .put("ns", nanos)
        .put("cpu", THREADS.getCurrentThreadCpuTime() - cpu);
  }

  private static ObjectNode facts() {
    return JSON.createObjectNode()
        .put("java", Runtime.version().toString())
        .put("vm", System.getProperty("java.vm.name"));
  }

  /** All answers, for the driver to compare: the bits of scores, and the best. */
  private ArrayNode scores(JsonNode command) throws Exception {
    ArrayNode all = JSON.createArrayNode();
    try (Caller caller = newCaller(command)) {
      for (int i = 0; i < pool(command).length; i++) {
        caller.call(i);
        ObjectNode one = all.addObject();
        ArrayNode bits = one.putArray("bits");
        for (float score : caller.scores()) {
          bits.add(Float.floatToRawIntBits(score));
        }
        ArrayNode best = one.putArray("best");
        for (int index : caller.best()) {
          best.add(index);
        }
      }
    }
    return all;
  }

  /** Calls for about as long as is asked, and how many calls that were. */
  private ObjectNode block(JsonNode command) throws Exception {
    long nanos = command.get("nanos").longValue();
    int threads = command.path("threads").intValue();
    if (threads <= 1) {
      return result(block(caller(command, 0), pool(command).length, nanos));
    }
    List<Thread> running = new ArrayList<>();
    List<Block> blocks = new ArrayList<>();
    CountDownLatch start = new CountDownLatch(1);
    for (int i = 0; i < threads; i++) {
      Caller caller = caller(command, i);
      int size = pool(command).length;
      Thread thread =
          new Thread(
              () -> {
                try {
                  start.await();
                  Block block = block(caller, size, nanos);
                  synchronized (blocks) {
                    blocks.add(block);
                  }
                } catch (Exception e) {
                  throw new IllegalStateException(e);
                }
              });
      running.add(thread);
      thread.start();
    }
    start.countDown();
    for (Thread thread : running) {
      thread.join();
    }
    if (blocks.size() != threads) {
      throw new IllegalStateException("a thread failed; see above");
    }
    double rate = blocks.stream().mapToDouble(each -> (double) each.calls / each.nanos).sum();
    long calls = blocks.stream().mapToLong(Block::calls).sum();
    long cpu = blocks.stream().mapToLong(Block::cpu).sum();
    return result(new Block(calls, (long) (calls / rate), cpu / threads, 0));
  }

  /** Of one thread: what it did, how long that took, and what it cost. */
  private record Block(long calls, long nanos, long cpu, long bytes) {}

  private static Block block(Caller caller, int size, long nanos) throws Exception {
    long cpu = THREADS.getCurrentThreadCpuTime();
    long bytes = THREADS.getCurrentThreadAllocatedBytes();
    long begin = System.nanoTime();
    long calls = 0;
    long now = begin;
    do {
      caller.call((int) (calls % size));
      calls++;
      now = System.nanoTime();
    } while (now - begin < nanos);
    bytes = THREADS.getCurrentThreadAllocatedBytes() - bytes;
    return new Block(calls, now - begin, THREADS.getCurrentThreadCpuTime() - cpu, bytes);
  }

  private static ObjectNode result(Block block) {
    return JSON.createObjectNode()
        .put("calls", block.calls)
        .put("ns", (double) block.nanos / block.calls)
        .put("cpu", (double) block.cpu / block.calls)
        .put("bytes", (double) block.bytes / block.calls);
  }

  private Caller caller(JsonNode command, int thread) throws Exception {
    String key = key(command) + " " + command.get("n") + " " + thread;
    Caller caller = callers.get(key);
    if (caller == null) {
      caller = newCaller(command);
      callers.put(key, caller);
    }
    return caller;
  }

  private Caller newCaller(JsonNode command) throws Exception {
    Contestant contestant = contestants.get(key(command));
    if (contestant == null) {
      contestant = open(command);
      contestants.put(key(command), contestant);
    }
    return contestant.caller(pool(command));
  }

  private Request[] pool(JsonNode command) throws Exception {
    Path folder = folder(command);
    String key = folder + " " + command.get("n");
    Request[] pool = requests.get(key);
    if (pool == null) {
      pool = Request.read(folder, Request.Names.of(folder), command.get("n").intValue());
      requests.put(key, pool);
    }
    return pool;
  }

  private Contestant open(JsonNode command) throws Exception {
    Path folder = folder(command);
    Request.Names names = Request.Names.of(folder);
    return switch (command.get("contestant").textValue()) {
      case "raw" -> new RawRun(folder, names);
      case "engine" -> new EngineRun(folder, names);
      case "slate" -> SlateRun.ranking(folder, names);
      case "keys" -> SlateRun.rankingKeys(folder, names);
      case "fill" -> SlateRun.filling(folder, names);
      case "builder" -> new BuiltRequest(folder, names);
      case "djl" -> Djl.packed(folder, names);
      case "djl-flat" -> Djl.flat(folder, names);
      case "per-feature" -> new TensorPerFeature(folder, names);
      default -> throw new IllegalArgumentException(command.toString());
    };
  }

  private Path folder(JsonNode command) {
    return models.resolve(command.get("model").textValue());
  }

  private static String key(JsonNode command) {
    return command.get("contestant").textValue() + " " + command.get("model").textValue();
  }

  /** Forgets everything, so that a model that was measured takes no memory from the next. */
  private ObjectNode drop() {
    close();
    callers.clear();
    contestants.clear();
    requests.clear();
    return JSON.createObjectNode();
  }

  private void close() {
    for (Caller caller : callers.values()) {
      caller.close();
    }
    for (Contestant contestant : contestants.values()) {
      contestant.close();
    }
  }
}
