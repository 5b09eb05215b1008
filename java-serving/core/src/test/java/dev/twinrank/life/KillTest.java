package dev.twinrank.life;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.Contract;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.InstallationPolicy;
import dev.twinrank.core.Mutator;
import dev.twinrank.core.Settled;
import dev.twinrank.core.Tiny;
import dev.twinrank.core.Verification.Installation;
import dev.twinrank.life.Victim.Ending;
import dev.twinrank.life.Victim.Hook;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * A process that is killed leaves nothing half-written and nothing that is in the next one's way.
 */
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "there is no SIGKILL")
class KillTest {
  private static final int KILLS = Size.of(4, 20, 100);
  private static final List<String> OPTIONS = List.of("-Xmx256m");

  @TempDir Path folder;

  @Test
  void killedProcessLeavesNoFileOfItsRunAndTheNextOneRemovesThoseOfItsStart() throws Exception {
    Path models = Bundles.make(folder);
    Random random = new Random(9);
    int duringStart = 0;
    for (int round = 0; round < KILLS; round++) {
      boolean start = round % 2 == 0;
      Path home = folder.resolve("kill-" + round);
      try (Child child = victim(home, models, start ? "start/1" : "swap/" + (2 + round % 9))) {
        child.await("now");
        Thread.sleep(random.nextInt(start ? 600 : 30));
        child.kill();
        assertEquals(Child.KILLED, child.end(), child::story);
        if (!start) {
          assertEquals(List.of(), child.leftovers(), child::story);
        }
        duringStart += child.leftovers().isEmpty() ? 0 : 1;
      }
      if (start) {
        try (Child next = victim(home, models, "call/20")) {
          next.await("now");
          assertEquals(List.of(), withoutTheBindings(next), next::story);
          next.kill();
          assertEquals(Child.KILLED, next.end(), next::story);
        }
      }
    }
    Size.report(
        "%d kills: 0 files left of a run, %d starts left files and the next start removed them",
        KILLS, duringStart);
  }

  /**
   * Returns what lies there but for empty folders of the binding: it makes one while its class is
   * initialised, and one that belongs to a process which was killed in that moment looks like one
   * of a process that is starting, so that nobody may remove it.
   */
  private static List<String> withoutTheBindings(Child child) throws IOException {
    return child.leftovers().stream()
        .filter(name -> !name.matches("onnxruntime-java[0-9]+"))
        .toList();
  }

  private static Child victim(Path home, Path models, String mark) throws IOException {
    return Child.start(
        home, OPTIONS, Victim.class, models, "store", mark, Ending.SIGNAL, Hook.NONE, false);
  }

  @Test
  void recordOfAnInstallationIsWholeOrNotThereAndTheNextOpeningIsRight() throws Exception {
    Path bundle = external();
    Settled.await(bundle.resolve("model.onnx.data"));
    Path record = bundle.resolveSibling("1.verified.json");
    Random random = new Random(10);
    int whole = 0;
    int unfinished = 0;
    for (int round = 0; round < KILLS; round++) {
      try (Child child =
          Child.start(folder.resolve("record-" + round), OPTIONS, Recorder.class, bundle)) {
        child.await("opened " + (3 + random.nextInt(20)));
        Thread.sleep(random.nextInt(5));
        child.kill();
        assertEquals(Child.KILLED, child.end(), child::story);
      }
      boolean there = Files.exists(record);
      String text = there ? Files.readString(record) : "";
      whole += there ? 1 : 0;
      // What is there is trusted, so it must be what an undisturbed opening writes.
      assertEquals(there ? Installation.RECORDED : Installation.DIGESTED, open(bundle));
      assertEquals(Installation.RECORDED, open(bundle));
      if (there) {
        assertEquals(text, Files.readString(record));
      }
      try (Stream<Path> files = Files.list(bundle.getParent())) {
        for (Path file : files.filter(f -> f.getFileName().toString().startsWith(".")).toList()) {
          assertTrue(file.getFileName().toString().startsWith(".tmp-1.verified.json-"));
          Files.delete(file);
          unfinished++;
        }
      }
      assertFalse(Files.isDirectory(record));
    }
    Size.report(
        "%d kills while records are written: %d whole, 0 half, %d unfinished under another name",
        KILLS, whole, unfinished);
  }

  private static Installation open(Path bundle) {
    ModelOptions options =
        ModelOptions.builder().installation(InstallationPolicy.TRUST_RECORD).build();
    try (Model model = Model.open(bundle, options)) {
      model.rank(model.parse(Tiny.request(3)));
      return model.verification().installation();
    }
  }

  /** Makes the contract's bundle with external weights, which are old enough to be recorded. */
  private Path external() throws IOException {
    Map<String, Object> external =
        Contract.cases("hostile/cases.json", "cases").stream()
            .filter(each -> each.get("name").equals("external-weights"))
            .findFirst()
            .orElseThrow();
    Mutator mutator = Mutator.copy(Tiny.BASE, folder).rehost();
    for (Object op : (List<?>) external.get("ops")) {
      mutator.apply(Contract.object(op));
    }
    mutator.reseal((List<?>) external.get("reseal"));
    return mutator.bundle();
  }
}
