package dev.twinrank.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.probe.Client.Reply;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.TimeZone;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Expected bits and codes are the fixture bundle's goldens, which Python wrote. */
class TesteeTest {
  private final Testee testee = new Testee();
  private final Client client = new Client(testee::handle);

  @AfterEach
  void close() {
    testee.close();
  }

  @Test
  void helloTellsWhoAnswersAndWithWhat() {
    Reply hello = client.ask("{\"op\": \"hello\"}");

    assertTrue(hello.ok());
    assertEquals(1, hello.header().get("protocol").intValue());
    assertEquals("twinrank-java/0.1.0", hello.header().get("implementation").textValue());
    assertEquals("onnxruntime 1.29.0", hello.header().get("runtime").textValue());
    assertTrue(hello.header().get("host_class").textValue().matches("[0-9a-f]{64}"));
    assertEquals(
        List.of(
            "hello", "load", "score", "score_batch", "pack", "open_onnx", "run", "replay", "bye"),
        Tiny.JSON.convertValue(hello.header().get("ops"), new Strings()));
  }

  @Test
  void helloTellsWhatMayMakeThisProcessAnswerOtherwise() throws Exception {
    JsonNode facts = client.ask("{\"op\": \"hello\"}").header().get("facts");

    Path jar =
        Path.of(
            ai.onnxruntime.OrtEnvironment.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .toURI());
    assertEquals(jar.getFileName().toString(), facts.get("runtime_jar").textValue());
    assertEquals(
        hex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(jar))),
        facts.get("runtime_jar_sha256").textValue());
    // The library within the jar, as the binding's build lays it there.
    String library = facts.get("native_library").textValue();
    assertTrue(library.contains("onnxruntime"), library);
    try (ZipFile zip = new ZipFile(jar.toFile())) {
      List<String> digests = new ArrayList<>();
      for (ZipEntry entry : Collections.list(zip.entries())) {
        if (entry.getName().endsWith("/" + library)) {
          byte[] bytes = zip.getInputStream(entry).readAllBytes();
          digests.add(hex(MessageDigest.getInstance("SHA-256").digest(bytes)));
        }
      }
      assertTrue(digests.contains(facts.get("native_library_sha256").textValue()), library);
    }
    assertEquals(Charset.defaultCharset().name(), facts.get("charset").textValue());
    assertEquals(Locale.getDefault().toLanguageTag(), facts.get("locale").textValue());
    assertEquals(TimeZone.getDefault().getID(), facts.get("time_zone").textValue());
    assertEquals(Runtime.version().toString(), facts.get("java").textValue());
    assertFalse(facts.get("cpu").textValue().isBlank());
    assertFalse(facts.toString().contains(jar.getParent().toString()), facts.toString());
  }

  @Test
  void whatOnlyTheOfficialBindingRunsIsListedForItsEngineAlone() {
    assertEquals(
        List.of("hello", "load", "score", "score_batch", "pack", "bye"), Testee.operations("ffm"));
    assertTrue(Testee.operations("jni").containsAll(List.of("open_onnx", "run", "replay")));
  }

  @Test
  void loadTellsWhatWasLoadedAndHowItIsVerified() {
    Reply loaded = client.load();

    assertTrue(loaded.ok(), loaded.header().toString());
    assertEquals("tiny", loaded.header().get("model").textValue());
    assertEquals(
        "sha256:" + new String(Tiny.read("manifest.sha256"), StandardCharsets.US_ASCII).strip(),
        loaded.header().get("bundle").textValue());
    assertEquals("verified-reference", loaded.header().get("verification").textValue());
    assertEquals("unchecked", loaded.header().get("signature").textValue());
    assertFalse(loaded.header().get("attested").booleanValue());
    assertEquals(Tiny.JSON.createArrayNode(), loaded.header().get("allowed"));
    JsonNode manifest = Tiny.json(Tiny.read("manifest.json"));
    assertEquals(
        manifest.get("heads").findValuesAsText("name"),
        loaded.header().get("heads").findValuesAsText("name"));
    assertEquals(
        manifest.get("heads").findValuesAsText("dtype"),
        loaded.header().get("heads").findValuesAsText("dtype"));
    assertEquals(manifest.at("/score/dtype"), loaded.header().at("/score/dtype"));
  }

  @Test
  void loadShowsWhatWasAllowedAtExport(@TempDir Path folder) throws IOException {
    Path bundle = Tiny.allowing(folder.resolve("tiny/1"), "batch_variant");
    Reply loaded =
        client.ask(
            "{\"op\": \"load\", \"require\": \"reference\", \"bundle\": \"%s\"}".formatted(bundle));

    assertEquals(
        Tiny.json(
            "[{\"finding\": \"batch_variant\", \"detail\": \"d\", \"reason\": \"r\"}]"
                .getBytes(StandardCharsets.UTF_8)),
        loaded.header().get("allowed"),
        loaded.header().toString());
  }

  @Test
  void scoresEveryGoldenToTheBitAndNamesEveryRefusal() {
    JsonNode loaded = client.load().header();
    List<JsonNode> goldens = Tiny.goldens();
    List<byte[]> requests = Tiny.requests();
    assertEquals(goldens.size(), requests.size());

    for (int i = 0; i < goldens.size(); i++) {
      JsonNode golden = goldens.get(i);
      Reply reply = client.ask("{\"op\": \"score\"}", requests.get(i));
      if (golden.has("error")) {
        assertEquals("scoring:" + golden.get("error").textValue(), reply.code());
        assertEquals(0, reply.body().remaining());
      } else {
        assertScores(golden, requests.get(i), loaded, reply);
      }
    }
  }

  private static void assertScores(JsonNode golden, byte[] request, JsonNode loaded, Reply reply) {
    assertTrue(reply.ok(), reply.header().toString());
    assertEquals(golden.get("n"), reply.header().get("n"));
    assertEquals(golden.get("dropped"), reply.header().get("dropped"));
    JsonNode k = Tiny.json(request).path("k");
    List<JsonNode> order = Tiny.JSON.convertValue(golden.get("order"), new JsonNodes());
    List<JsonNode> cut = k.isInt() ? order.subList(0, Math.min(k.intValue(), order.size())) : order;
    assertEquals(cut, Tiny.JSON.convertValue(reply.header().get("order"), new JsonNodes()));
    for (JsonNode head : loaded.get("heads")) {
      assertColumn(
          golden.get("heads").path(head.get("name").textValue()), head.get("dtype"), reply.body());
    }
    assertColumn(golden.get("score"), loaded.at("/score/dtype"), reply.body());
    assertFalse(reply.body().hasRemaining());
  }

  private static void assertColumn(JsonNode bits, JsonNode dtype, ByteBuffer body) {
    for (JsonNode hex : bits) {
      // The contract holds any NaN equal to any other.
      if (dtype.textValue().equals("float32")) {
        assertEquals(hex.textValue(), "%08x".formatted(Float.floatToIntBits(body.getFloat())));
      } else {
        assertEquals(hex.textValue(), "%016x".formatted(Double.doubleToLongBits(body.getDouble())));
      }
    }
  }

  @Test
  void packsEveryGoldenAsItsTensorsWereStored() {
    client.load();
    List<JsonNode> goldens = Tiny.goldens();
    int compared = 0;

    for (JsonNode golden : goldens) {
      if (!golden.path("data_set").isInt()) {
        continue;
      }
      Reply reply =
          client.ask("{\"op\": \"pack\"}", Tiny.requests().get(golden.get("golden").intValue()));
      assertTrue(reply.ok(), reply.header().toString());
      int input = 0;
      for (JsonNode block : reply.header().get("inputs")) {
        byte[] stored =
            Tiny.read(
                "goldens/test_data_set_%d/input_%d.pb"
                    .formatted(golden.get("data_set").intValue(), input));
        byte[] packed = new byte[size(block)];
        reply.body().get(packed);
        // raw_data is the tensor's bytes as they are, so the file holds them in one run.
        assertTrue(hex(stored).contains(hex(packed)), block.toString());
        input++;
        compared += packed.length;
      }
      assertFalse(reply.body().hasRemaining());
    }
    assertTrue(compared > 0);
  }

  private static int size(JsonNode block) {
    int size = block.get("dtype").textValue().equals("float32") ? 4 : 8;
    for (JsonNode axis : block.get("shape")) {
      size *= axis.intValue();
    }
    return size;
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }

  @Test
  void aRefusalCarriesItsFeatureAndCandidate() {
    client.load();

    Reply reply =
        client.ask(
            "{\"op\": \"score\"}",
            "{\"context\": {\"nobody\": 1}, \"candidates\": []}".getBytes(StandardCharsets.UTF_8));

    assertEquals("scoring:unknown_feature", reply.code());
    assertEquals("nobody", reply.header().get("feature").textValue());
    assertFalse(reply.header().has("candidate"));
  }

  @Test
  void aLoneSurrogateComesBackInTheMessage() {
    Reply reply = client.ask("{\"op\": \"\\ud800\"}");

    assertEquals("protocol:unknown_op", reply.code());
    assertTrue(reply.header().get("message").textValue().contains("'\ud800'"));
  }

  @Test
  void bitsAreRequiredUnlessTheCallerSaysReference() {
    Reply reply = client.ask("{\"op\": \"load\", \"bundle\": \"%s\"}".formatted(Tiny.BUNDLE));

    // The fixture's evidence names a host class of zeros, which is no host's.
    assertEquals("bundle:host_class_mismatch", reply.code());
    assertEquals("host_class_mismatch", reply.header().at("/problems/0/code").textValue());
    assertTrue(reply.header().at("/problems/0").has("path"));
    assertTrue(reply.header().at("/problems/0").has("detail"));
  }

  @Test
  void aLoadThatFailsLeavesTheModelBeforeItInPlace(@TempDir Path empty) {
    client.load();

    Reply failed =
        client.ask("{\"op\": \"load\", \"bundle\": \"%s\"}".formatted(empty.resolve("absent")));

    assertEquals("bundle:file_missing", failed.code());
    assertTrue(client.ask("{\"op\": \"score\"}", Tiny.requests().get(0)).ok());
  }

  @Test
  void aSecondLoadTakesTheFirstOnesPlace() {
    client.load();
    assertTrue(client.load().ok());
    assertTrue(client.ask("{\"op\": \"score\"}", Tiny.requests().get(0)).ok());
  }

  @Test
  void withoutABundleThereIsNothingToScore() {
    assertEquals(
        "protocol:not_loaded", client.ask("{\"op\": \"score\"}", Tiny.requests().get(0)).code());
    assertEquals(
        "protocol:not_loaded", client.ask("{\"op\": \"pack\"}", Tiny.requests().get(0)).code());
  }

  @Test
  void headersThatAreNotTheProtocolsAreNamedAndTheTesteeGoesOn() {
    assertEquals("protocol:unknown_op", client.ask("{\"op\": \"dance\"}").code());
    for (String header :
        List.of(
            "",
            "[]",
            "{",
            "{}",
            "{\"op\": 1}",
            "{\"op\": null}",
            "{\"op\": \"hello\"} x",
            "{\"op\": \"hello\", \"op\": \"hello\"}",
            "{\"op\": \"hello\", \"x\": \"y\"}",
            "{\"op\": \"load\"}",
            "{\"op\": \"load\", \"bundle\": \"a\\u0000b\"}",
            "{\"op\": \"load\", \"bundle\": \"/\", \"require\": \"hope\"}",
            "\ufeff{\"op\": \"hello\"}")) {
      assertEquals("protocol:invalid_header", client.ask(header).code(), header);
    }
    byte[] latin1 =
        new Frame("{\"op\": \"é\"}".getBytes(StandardCharsets.ISO_8859_1), new byte[0]).encode();
    assertEquals("protocol:invalid_header", Client.reply(testee.handle(latin1)).code());
    assertEquals("protocol:invalid_frame", client.ask("{\"op\": \"hello\"}", new byte[1]).code());
    assertEquals("protocol:invalid_frame", Client.reply(testee.handle(new byte[3])).code());
    assertTrue(client.ask("{\"op\": \"hello\"}").ok());
  }

  @Test
  void byeEndsIt() {
    assertFalse(testee.finished());
    assertTrue(client.ask("{\"op\": \"bye\"}").ok());
    assertTrue(testee.finished());
  }

  @Test
  void attachedToALiveModelItSpeaksOfThatModelAndLeavesItOpen() {
    try (Model live =
        Model.open(Tiny.BUNDLE, ModelOptions.builder().require(Require.REFERENCE).build())) {
      try (Testee attached = Testee.attachedTo(live)) {
        Client over = new Client(attached::handle);

        assertTrue(over.ask("{\"op\": \"score\"}", Tiny.requests().get(0)).ok());
        assertEquals("protocol:attached", over.load().code());
        assertEquals("bundle:host_class_mismatch", over.ask("{\"op\": \"load\"}").code());
        Reply described = over.ask("{\"op\": \"load\", \"require\": \"reference\"}");
        assertEquals(live.digest(), described.header().get("bundle").textValue());
      }
      assertEquals(1, live.rank(live.parse(Tiny.requests().get(0))).entries().size());
    }
  }

  @Test
  void theImplementationsVersionIsTheBuilds() throws IOException {
    String pom = Files.readString(Path.of(System.getProperty("basedir"), "pom.xml"));
    assertNotEquals("${project.version}", BuildInfo.VERSION);
    assertTrue(pom.contains("<version>" + BuildInfo.VERSION + "</version>"), BuildInfo.VERSION);
  }

  private static final class Strings
      extends com.fasterxml.jackson.core.type.TypeReference<List<String>> {}

  private static final class JsonNodes
      extends com.fasterxml.jackson.core.type.TypeReference<List<JsonNode>> {}
}
