package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.ModelEngine;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.TreeEngine;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.life.Budget;
import dev.twinrank.core.internal.life.Budget.Account;
import dev.twinrank.core.internal.onnx.Engines;
import dev.twinrank.core.internal.onnx.GraphSession;
import dev.twinrank.core.internal.onnx.Output;
import dev.twinrank.core.internal.proto.Footprint;
import dev.twinrank.core.internal.trees.TreeGraph;
import dev.twinrank.core.internal.trees.TreeKernels;
import dev.twinrank.core.internal.trees.UnknownGraph;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What can score a bundle: a session of ONNX Runtime, this library's trees, or both until one is
 * chosen. Not thread-safe; whoever made it closes it, or the session that it chose.
 */
final class Contenders implements AutoCloseable {
  /** Says what scores trees where {@link ModelOptions#trees} leaves it open. */
  static final String PROPERTY = "twinrank.trees";

  private static final String JAVA = TreeEngine.JAVA.label();
  private static final String RUNTIME = TreeEngine.ONNX_RUNTIME.label();

  private final String reason;
  private TreeGraph graph;
  private GraphSession trees;
  private GraphSession runtime;

  private Contenders(String reason) {
    this.reason = reason;
  }

  /**
   * Makes what the options ask for.
   *
   * @throws dev.twinrank.core.BundleException if a session is refused, there is no memory for it,
   *     or this library is to score trees that it does not know
   */
  static Contenders of(
      Path root,
      Manifest manifest,
      BundleFiles files,
      Footprint footprint,
      Optional<Budget> memory,
      ModelOptions options) {
    requireRelease(root, manifest);
    boolean said = options.trees() != TreeEngine.AUTO;
    TreeEngine wanted = said ? options.trees() : named();
    String demanded =
        said
            ? "ModelOptions.trees demands it"
            : "the system property " + PROPERTY + " names " + wanted.label();
    Optional<TreeGraph> known = Optional.empty();
    String reason = demanded;
    try {
      byte[] model = files.content(Paths.MODEL);
      if (!TreeGraph.isOfTrees(model)) {
        reason = "the model has no trees";
      } else if (wanted != TreeEngine.ONNX_RUNTIME) {
        known = Optional.of(read(model, manifest));
      }
    } catch (UnknownGraph e) {
      reason = "this library does not know the graph: " + e.getMessage();
      if (wanted == TreeEngine.JAVA) {
        throw new Findings(root)
            .fatal(
                ErrorCode.SESSION_FAILED,
                Paths.MODEL,
                "is not scored by this library's trees, and "
                    + demanded
                    + ": "
                    + e.getMessage()
                    + ". Leave the choice to auto, and ONNX Runtime scores it",
                e);
      }
    }
    Contenders made = new Contenders(reason);
    if (known.isPresent()) {
      made.graph = known.get();
      made.trees =
          GraphSession.of(
              made.graph,
              manifest.plan().packing().blocks(),
              manifest.graphOutputs(),
              memory.map(budget -> budget.open(root.toString())));
    }
    if (known.isEmpty() || wanted == TreeEngine.AUTO) {
      boolean created = false;
      try {
        made.runtime = session(root, manifest, files, footprint, memory);
        created = true;
      } finally {
        if (!created) {
          made.close();
        }
      }
    }
    return made;
  }

  private static TreeGraph read(byte[] model, Manifest manifest) throws UnknownGraph {
    return TreeGraph.read(
        model,
        manifest.plan().packing().blocks(),
        manifest.graphOutputs().stream().map(Output::spec).toList(),
        TreeKernels::choose);
  }

  private static TreeEngine named() {
    String word = System.getProperty(PROPERTY, TreeEngine.AUTO.label());
    for (TreeEngine each : TreeEngine.values()) {
      if (each.label().equals(word)) {
        return each;
      }
    }
    throw new IllegalStateException(
        "the system property "
            + PROPERTY
            + " is '"
            + word
            + "'; it can be auto, java or onnxruntime");
  }

  /**
   * Chooses what serves, and closes the other.
   *
   * @param goldens what is run by both, if there are both
   */
  ModelEngine choose(List<Golden> goldens) {
    if (trees == null) {
      return new ModelEngine(RUNTIME, List.of(), reason);
    }
    if (runtime == null) {
      return new ModelEngine(JAVA, graph.kernels(), reason);
    }
    Contest contest = Contest.of(trees, runtime, goldens);
    if (contest.treesWin()) {
      runtime.close();
      runtime = null;
      return new ModelEngine(JAVA, graph.kernels(), contest.reason());
    }
    trees.close();
    trees = null;
    return new ModelEngine(RUNTIME, List.of(), contest.reason());
  }

  /** Returns the session that was chosen. */
  GraphSession chosen() {
    return trees == null ? runtime : trees;
  }

  @Override
  public void close() {
    if (trees != null) {
      trees.close();
    }
    if (runtime != null) {
      runtime.close();
    }
  }

  private static void requireRelease(Path root, Manifest manifest) {
    if (!manifest.release().equals(Engines.get().release())) {
      throw new Findings(root)
          .fatal(
              ErrorCode.RUNTIME_MISMATCH,
              Paths.MANIFEST + "#/runtime/release",
              "is "
                  + manifest.release()
                  + ", but this process runs "
                  + Engines.get().release()
                  + "; run that release, or export the model again",
              null);
    }
  }

  private static GraphSession session(
      Path root,
      Manifest manifest,
      BundleFiles files,
      Footprint footprint,
      Optional<Budget> memory) {
    Findings found = new Findings(root);
    Optional<Account> account = memory.map(budget -> charge(root, footprint, budget));
    boolean created = false;
    try {
      GraphSession session =
          GraphSession.create(
              files.content(Paths.MODEL),
              root,
              manifest.session(),
              manifest.plan().packing().blocks(),
              manifest.graphOutputs(),
              account);
      created = true;
      account.ifPresent(each -> each.give(footprint.loading()));
      if (files.externalDataChanged()) {
        session.close();
        throw found.fatal(
            ErrorCode.DIGEST_MISMATCH,
            Paths.MODEL_DATA,
            "changed while the bundle was opened; nothing in a bundle may change",
            null);
      }
      return session;
    } catch (GraphFailure e) {
      throw found.fatal(
          ErrorCode.SESSION_FAILED,
          Paths.MODEL,
          "was refused by the runtime: " + e.getMessage(),
          e);
    } finally {
      if (!created) {
        account.ifPresent(Account::close);
      }
    }
  }

  /** Charges what the session will take, and what creating it takes beside that. */
  private static Account charge(Path root, Footprint footprint, Budget budget) {
    Account account = budget.open(root.toString());
    long need = footprint.session() + footprint.loading();
    if (account.take(need)) {
      return account;
    }
    account.close();
    throw new Findings(root)
        .fatal(
            ErrorCode.MEMORY_BUDGET_EXCEEDED,
            Paths.MODEL,
            "needs about "
                + need
                + " bytes of native memory, "
                + footprint.session()
                + " of them for as long as it is open, and "
                + budget.describe()
                + "; unload a version, or declare a larger MemoryBudget",
            null);
  }
}
