package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.Verification.Allowed;
import dev.twinrank.core.Verification.Installation;
import dev.twinrank.core.Verification.SignatureState;
import dev.twinrank.core.Verification.State;
import dev.twinrank.core.internal.pack.PackPlan;
import dev.twinrank.core.internal.pack.PackedSlate;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.ReadOnlyBufferException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class ModelTest {
  @TempDir Path folder;

  @Test
  void takesAPathThatLeadsNowhereForAMissingFile() throws IOException {
    Path dangling = Files.createSymbolicLink(folder.resolve("dangling"), Path.of("nowhere"));
    Path loop = Files.createSymbolicLink(folder.resolve("loop"), Path.of("loop"));
    for (Path path : List.of(dangling, loop, folder.resolve("a".repeat(300)))) {
      BundleException refusal = assertThrows(BundleException.class, () -> Model.open(path));
      assertEquals(ErrorCode.FILE_MISSING, refusal.code());
    }
  }

  @Test
  void tellsWhatTheBundleIs() {
    try (Model model = Tiny.open()) {
      assertEquals("tiny", model.name());
      assertEquals(OptionalLong.of(1), model.version());
      String digest =
          new String(Contract.bytes(Tiny.BASE + "/manifest.sha256"), StandardCharsets.UTF_8);
      assertEquals("sha256:" + digest.trim(), model.digest());
      assertEquals(
          List.of(
              new Head("watched", DType.FLOAT32),
              new Head("risky", DType.FLOAT32),
              new Head("margin", DType.FLOAT64)),
          model.heads());
      assertEquals(new Head("score", DType.FLOAT32), model.score());
      assertEquals(20, model.maxCandidates());
      assertEquals(31, model.schema().features().size());
      assertEquals(
          DType.TIMESTAMP, model.schema().find(Placement.CONTEXT, "when").orElseThrow().dtype());
      assertTrue(model.schema().find(Placement.CANDIDATE, "when").isEmpty());
    }
  }

  @Test
  void tellsHowTheBundleProvedItself() throws IOException {
    try (Model model = Tiny.open()) {
      Verification expected =
          new Verification(
              State.VERIFIED_REFERENCE,
              Runtimes.hostClass(),
              "0".repeat(64),
              Tiny.requests().size(),
              Runtimes.runtime(),
              false,
              SignatureState.UNCHECKED,
              "",
              Installation.NO_EXTERNAL_DATA,
              List.of());
      assertEquals(expected, model.verification());
    }
    Mutator mutator = Mutator.copy(Tiny.BASE, folder).rehost().reseal(List.of("manifest"));
    try (Model model = Model.open(mutator.bundle())) {
      assertEquals(State.VERIFIED_BITS, model.verification().state());
      assertEquals(Runtimes.hostClass(), model.verification().bundleHostClass());
    }
  }

  @Test
  void hasNoVersionWhereTheDirectoryIsNone() throws IOException {
    Path folders = Mutator.copy(Tiny.BASE, folder).bundle();
    for (String name : List.of("01", "0", "v1", "1234567890123456789")) {
      Path renamed = folders.resolveSibling(name);
      Files.move(folders, renamed);
      try (Model model = Model.open(renamed, Tiny.BY_REFERENCE)) {
        assertEquals(OptionalLong.empty(), model.version(), name);
      }
      Files.move(renamed, folders);
    }
  }

  @Test
  void givesTheBitsAndTheOrderOfEveryGolden() {
    List<String> requests = Tiny.requests();
    List<Map<String, Object>> expected = Tiny.rankings();
    assertEquals(expected.size(), requests.size());
    int scored = 0;
    try (Model model = Tiny.open()) {
      for (int i = 0; i < requests.size(); i++) {
        byte[] raw = Tiny.utf8(requests.get(i));
        Map<String, Object> golden = expected.get(i);
        if (golden.containsKey("error")) {
          ScoringException refusal =
              assertThrows(ScoringException.class, () -> model.rank(model.parse(raw)));
          assertEquals(golden.get("error"), refusal.code().code());
        } else {
          RankRequest request = model.parse(raw);
          check(golden, request.k(), model.rank(request));
          scored++;
        }
      }
    }
    assertTrue(scored > 3);
  }

  private static void check(Map<String, Object> golden, OptionalInt k, Ranking ranking) {
    Scores scores = ranking.scores();
    assertEquals(golden.get("n").toString(), "" + scores.candidates());
    List<Object> order = new ArrayList<>();
    for (Ranking.Entry entry : ranking.entries()) {
      order.add(entry.index());
      assertEquals(scores.score(entry.index()), entry.score());
    }
    // A golden stores the whole ranking, whatever its request's k is.
    List<?> whole = (List<?>) golden.get("order");
    int cut = Math.min(whole.size(), k.orElse(whole.size()));
    assertEquals(whole.subList(0, cut).toString(), order.toString());
    List<Integer> dropped = new ArrayList<>();
    for (Ranking.Dropped each : ranking.dropped()) {
      dropped.add(each.index());
      assertEquals("nan_score", each.reason());
      assertTrue(Double.isNaN(scores.score(each.index())));
    }
    assertEquals(golden.get("dropped").toString(), dropped.toString());
    for (int i = 0; i < scores.candidates(); i++) {
      String hex = (String) ((List<?>) golden.get("score")).get(i);
      assertEquals(
          Float.intBitsToFloat(Integer.parseUnsignedInt(hex, 16)), (float) scores.score(i));
      for (int head = 0; head < scores.heads().size(); head++) {
        Head each = scores.heads().get(head);
        hex = (String) ((List<?>) Contract.object(golden.get("heads")).get(each.name())).get(i);
        if (!Double.isNaN(scores.value(head, i))) {
          assertEquals(Long.parseUnsignedLong(hex, 16), scores.bits(head, i));
        }
      }
    }
  }

  @Test
  void cutsTheRankingByKButNotWhatWasDropped() {
    try (Model model = Tiny.open()) {
      String raw = Tiny.requests().get(1);
      Ranking all = model.rank(model.parse(Tiny.utf8(raw)));
      Ranking cut =
          model.rank(model.parse(Tiny.utf8(raw.substring(0, raw.length() - 1) + ",\"k\":3}")));
      assertEquals(all.entries().subList(0, 3), cut.entries());
      assertEquals(all.dropped(), cut.dropped());
      assertEquals(16, cut.scores().candidates());
    }
  }

  @Test
  void ranksNoCandidatesWithoutTheGraph() {
    try (Model model = Tiny.open()) {
      Ranking ranking = model.rank(model.parse(Tiny.request(0)));
      assertEquals(List.of(), ranking.entries());
      assertEquals(List.of(), ranking.dropped());
      assertEquals(0, ranking.scores().scores().remaining());
    }
  }

  @Test
  void scoresOneCandidateAloneAsInAnySlate() {
    try (Model model = Tiny.open()) {
      long alone = model.score(model.parse(Tiny.request(1))).scoreBits(0);
      for (int n : new int[] {2, 3, 7, 20, 5, 1}) {
        Scores scores = model.score(model.parse(Tiny.request(n)));
        for (int i = 0; i < n; i++) {
          assertEquals(alone, scores.scoreBits(i));
        }
      }
    }
  }

  @Test
  void handsOutViewsThatNobodyCanChange() {
    try (Model model = Tiny.open()) {
      RankRequest request = model.parse(Tiny.request(2));
      PackedBlock block = request.blocks().get(0);
      block.shape()[0] = 7;
      assertEquals(1, block.shape()[0]);
      assertEquals(ByteOrder.LITTLE_ENDIAN, block.data().order());
      assertThrows(ReadOnlyBufferException.class, () -> block.data().put(0, (byte) 1));
      Scores scores = model.score(request);
      ByteBuffer view = scores.scores();
      assertEquals(ByteOrder.LITTLE_ENDIAN, view.order());
      assertThrows(ReadOnlyBufferException.class, () -> view.put(0, (byte) 1));
      assertEquals((float) scores.score(0), view.getFloat());
      assertThrows(IndexOutOfBoundsException.class, () -> scores.score(2));
      assertThrows(IndexOutOfBoundsException.class, () -> scores.value(3, 0));
    }
  }

  @Test
  void refusesARequestOfAnotherSchema() {
    try (Model model = Tiny.open();
        Model twin = Tiny.open()) {
      RankRequest request = twin.parse(Tiny.request(1));
      assertEquals(1, model.score(request).candidates());
      Schema other =
          Schema.of(
              model.schema().features().stream().filter(f -> !f.name().equals("seen")).toList());
      RankRequest foreign =
          new RankRequest(new PackPlan(other), request.slate(), request.counts(), -1);
      assertThrows(IllegalArgumentException.class, () -> model.score(foreign));
    }
  }

  @Test
  void namesAFailureOfTheRuntimeAndGoesOn() {
    try (Model model = Tiny.open()) {
      RankRequest sound = model.parse(Tiny.request(1));
      PackedSlate torn = new PackedSlate(3, OptionalInt.empty(), sound.slate().blocks());
      ScoringException failure =
          assertThrows(
              ScoringException.class,
              () -> model.score(new RankRequest(sound.plan(), torn, sound.counts(), -1)));
      assertEquals(ErrorCode.SCORING_FAILED, failure.code());
      assertEquals(1, model.score(sound).candidates());
    }
  }

  private static void assertUnseen(Model model, String text, String feature, int candidate) {
    RankRequest request = model.parse(Tiny.utf8(text));
    for (Executable call :
        List.<Executable>of(() -> model.score(request), () -> model.rank(request))) {
      ScoringException refusal = assertThrows(ScoringException.class, call);
      assertEquals(ErrorCode.UNSEEN_VALUE, refusal.code());
      assertEquals(Optional.of(feature), refusal.feature(), text);
      assertEquals(
          candidate < 0 ? OptionalInt.empty() : OptionalInt.of(candidate),
          refusal.candidate(),
          text);
    }
  }

  // West (as a region and as a label) and shelf 0 are what the tiny bundle's vocabularies do not
  // hold.
  @Test
  void refusesTheFirstUnseenValueContextFirstThenCandidatesThenFeatures() {
    String known = Tiny.CANDIDATE;
    String unknown = known.substring(0, known.length() - 1) + ", \"shelf\": 0}";
    try (Model model = Tiny.open()) {
      assertEquals(
          Policy.ERROR, model.schema().find(Placement.CANDIDATE, "shelf").orElseThrow().unseen());
      String context = "{\"context\": {\"when\": 0, \"budget\": 0";
      assertUnseen(
          model,
          context
              + ", \"labels\": [\"west\"], \"region\": \"west\"}, \"candidates\": ["
              + known
              + "]}",
          "region",
          -1);
      assertUnseen(
          model,
          context + ", \"labels\": [\"west\"]}, \"candidates\": [" + unknown + "]}",
          "labels",
          -1);
      assertUnseen(
          model,
          context
              + "}, \"candidates\": ["
              + String.join(", ", known, known, unknown, unknown)
              + "]}",
          "shelf",
          2);
    }
  }

  @Test
  void knowsOfNothingUnseenWithoutCandidates() {
    try (Model model = Tiny.open()) {
      String request =
          "{\"context\": {\"when\": 0, \"budget\": 0, \"region\": \"west\"}, \"candidates\": []}";
      assertEquals(0, model.rank(model.parse(Tiny.utf8(request))).scores().candidates());
    }
  }

  @Test
  void handsOutNoCountsOfUnseenValuesAsHeads() {
    try (Model model = Tiny.open()) {
      Scores scores = model.score(model.parse(Tiny.request(2)));
      assertEquals(model.heads(), scores.heads());
      assertThrows(IndexOutOfBoundsException.class, () -> scores.values(scores.heads().size()));
    }
  }

  @Test
  void showsWhatWasAllowedAtExport() throws IOException {
    Mutator mutator = Mutator.copy(Tiny.BASE, folder).rehost();
    Map<String, Object> allowed = new LinkedHashMap<>();
    allowed.put("finding", "batch_variant");
    allowed.put("detail", "node 7");
    allowed.put("reason", "known\nand harmless");
    mutator.apply(
        Map.of(
            "op", "set_json",
            "path", "manifest.json",
            "pointer", "/evidence/allowed",
            "value", List.of(allowed)));
    mutator.reseal(List.of("manifest"));
    try (Model model = Model.open(mutator.bundle())) {
      assertEquals(
          List.of(new Allowed("batch_variant", "node 7", "known\nand harmless")),
          model.verification().allowed());
    }
  }

  @Test
  void showsNothingOfANameThatATerminalWouldObey() throws IOException {
    Mutator mutator = Mutator.copy(Tiny.BASE, folder).rehost();
    mutator.reseal(List.of("manifest"));
    Files.createFile(mutator.bundle().resolve("\u001b[2Jfine\nbundle is sound\u009b"));
    BundleException refusal =
        assertThrows(BundleException.class, () -> Model.open(mutator.bundle()).close());
    assertEquals(ErrorCode.FILE_UNEXPECTED, refusal.code());
    assertEquals("\\u001b[2Jfine\\u000abundle is sound\\u009b", refusal.problems().get(0).path());
    assertEquals(2, refusal.getMessage().lines().count(), refusal.getMessage());
  }

  @Test
  void closesTwiceAndThenRefusesToScore() {
    Model model = Tiny.open();
    RankRequest request = model.parse(Tiny.request(1));
    RankRequest empty = model.parse(Tiny.request(0));
    model.close();
    model.close();
    assertThrows(IllegalStateException.class, () -> model.score(request));
    assertThrows(IllegalStateException.class, () -> model.rank(empty));
  }
}
