package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.ModelOptions.InstallationPolicy;
import dev.twinrank.core.Verification.Installation;
import dev.twinrank.core.internal.json.JsonCursor;
import dev.twinrank.core.internal.json.JsonTree;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InstallationTest {
  @TempDir Path folder;

  private Path bundle;
  private Path data;
  private Path record;

  /** Makes the contract's bundle with external weights. */
  @BeforeEach
  void copy() throws IOException {
    Map<String, Object> external =
        Contract.cases("hostile/cases.json", "cases").stream()
            .filter(each -> each.get("name").equals("external-weights"))
            .findFirst()
            .orElseThrow();
    assertEquals(JsonTree.NULL, external.get("expect"));
    Mutator mutator = Mutator.copy(Tiny.BASE, folder).rehost();
    for (Object op : (List<?>) external.get("ops")) {
      mutator.apply(Contract.object(op));
    }
    mutator.reseal((List<?>) external.get("reseal"));
    bundle = mutator.bundle();
    data = bundle.resolve("model.onnx.data");
    record = bundle.resolveSibling("1.verified.json");
  }

  /** Waits until a second change of the weights would show in their times. */
  private void settle() throws IOException, InterruptedException {
    Settled.await(data);
  }

  private Installation open(InstallationPolicy policy) {
    ModelOptions options = ModelOptions.builder().installation(policy).build();
    try (Model model = Model.open(bundle, options)) {
      return model.verification().installation();
    }
  }

  private Installation trusting() {
    return open(InstallationPolicy.TRUST_RECORD);
  }

  /** Returns the record as the contract shows it, with Python's layout. */
  private String expected() throws IOException {
    Map<String, Object> facts =
        Files.readAttributes(
            data, "unix:dev,ino,size,lastModifiedTime,ctime", LinkOption.NOFOLLOW_LINKS);
    return """
        {
          "bundle": "%s",
          "files": {
            "model.onnx.data": {
              "ctime_ns": %d,
              "device": %s,
              "inode": %s,
              "mtime_ns": %d,
              "size": %s
            }
          },
          "format": 1,
          "host_class": "%s",
          "runtime": "1.29.0"
        }
        """
        .formatted(
            "sha256:" + Files.readString(bundle.resolve("manifest.sha256")).strip(),
            ((FileTime) facts.get("ctime")).to(TimeUnit.NANOSECONDS),
            facts.get("dev"),
            facts.get("ino"),
            ((FileTime) facts.get("lastModifiedTime")).to(TimeUnit.NANOSECONDS),
            facts.get("size"),
            Runtimes.hostClass());
  }

  private static Object json(String text) {
    return JsonTree.read(Tiny.utf8(text), JsonCursor.factory(8));
  }

  @Test
  void withoutThePolicyNoRecordIsReadOrWritten() throws IOException {
    Files.writeString(record, expected());
    assertEquals(Installation.DIGESTED, open(InstallationPolicy.ALWAYS));
    Files.delete(record);
    assertEquals(Installation.DIGESTED, open(InstallationPolicy.ALWAYS));
    assertFalse(Files.exists(record));
  }

  @Test
  void theFirstOpeningDigestsAndRecordsAndTheSecondTrustsWhatIsNotDamaged()
      throws IOException, InterruptedException {
    settle();
    assertEquals(Installation.DIGESTED, trusting());
    assertEquals(json(expected()), json(Files.readString(record)));
    assertEquals("rw-r--r--", PosixFilePermissions.toString(Files.getPosixFilePermissions(record)));
    assertEquals(Installation.RECORDED, trusting());
    Files.writeString(record, "damaged");
    assertEquals(Installation.DIGESTED, trusting());
    assertEquals(Installation.RECORDED, trusting());
    try (var left = Files.list(record.getParent())) {
      assertEquals(
          List.of("1", "1.verified.json"),
          left.map(f -> f.getFileName().toString()).sorted().toList());
    }
  }

  @Test
  void weightsThatChangedJustNowAreNotRecorded() {
    assertEquals(Installation.DIGESTED, trusting());
    assertFalse(Files.exists(record));
  }

  @Test
  void aRecordThatAnotherReaderWroteIsAccepted() throws IOException {
    Files.writeString(record, expected());
    assertEquals(Installation.RECORDED, trusting());
  }

  @Test
  void anythingElseInTheRecordMeansThatTheFileIsDigested() throws IOException {
    String right = expected();
    for (String wrong :
        List.of(
            right.replaceFirst("sha256:.", "sha256:x"),
            right.replaceFirst("\"device\": (\\d+)", "\"device\": 1$1"),
            right.replaceFirst("\"inode\": (\\d+)", "\"inode\": 1$1"),
            right.replaceFirst("\"size\": (\\d+)", "\"size\": 1$1"),
            right.replaceFirst("\"mtime_ns\": (\\d+)", "\"mtime_ns\": 1$1"),
            right.replaceFirst("\"ctime_ns\": (\\d+)", "\"ctime_ns\": 1$1"),
            right.replace("1.29.0", "1.28.0"),
            right.replace(Runtimes.hostClass(), "0".repeat(64)),
            right.replace("\"format\": 1", "\"format\": 2"),
            right.replace("\"format\": 1", "\"format\": 1, \"x-more\": 1"),
            right.replace("model.onnx.data", "model.onnx"),
            right.substring(0, right.length() - 3),
            right + " ".repeat(1 << 16),
            "")) {
      Files.writeString(record, wrong);
      assertEquals(Installation.DIGESTED, trusting(), wrong);
    }
    Files.delete(record);
    Files.createDirectory(record);
    assertEquals(Installation.DIGESTED, trusting());
  }

  @Test
  void otherWeightsAreDigestedAndFoundOut() throws IOException {
    Files.writeString(record, expected());
    assertEquals(Installation.RECORDED, trusting());
    byte[] bytes = Files.readAllBytes(data);
    bytes[0] ^= 1;
    FileTime before = Files.getLastModifiedTime(data);
    Files.write(data, bytes);
    Files.setLastModifiedTime(data, before); // the time of change cannot be set
    BundleException refusal = assertThrows(BundleException.class, this::trusting);
    assertEquals(ErrorCode.DIGEST_MISMATCH, refusal.code());
    assertTrue(refusal.problems().get(0).path().equals("model.onnx.data"));
  }

  @Test
  void aFolderThatCannotBeWrittenIsNoError() throws IOException, InterruptedException {
    settle();
    Path parent = record.getParent();
    Files.createDirectory(record); // what stands in the way even of a user who may write anywhere
    Files.writeString(record.resolve("x"), "x");
    assertEquals(Installation.DIGESTED, trusting());
    try (var left = Files.list(parent)) {
      assertEquals(2, left.count());
    }
  }

  @Test
  void aBundleWithoutExternalWeightsNeedsNoRecord() throws IOException {
    bundle =
        Mutator.copy(Tiny.BASE, folder.resolve("plain"))
            .rehost()
            .reseal(List.of("manifest"))
            .bundle();
    assertEquals(Installation.NO_EXTERNAL_DATA, trusting());
    assertFalse(Files.exists(bundle.resolveSibling("1.verified.json")));
  }
}
