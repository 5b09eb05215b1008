package dev.twinrank.probe;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.twinrank.probe.Client.Reply;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The fixture bundle's graph as any ONNX file, fed with its stored tensors. */
class PlainGraphTest {
  private final Testee testee = new Testee();
  private final Client client = new Client(testee::handle);

  @AfterEach
  void close() {
    testee.close();
  }

  private Reply open(Path model, String more) {
    return client.ask("{\"op\": \"open_onnx\", \"model\": \"%s\"%s}".formatted(model, more));
  }

  private Reply replay(Path folder) {
    return client.ask("{\"op\": \"replay\", \"data_set\": \"%s\"}".formatted(folder));
  }

  @Test
  void theBundlesGraphGivesItsStoredOutputsToTheBit() {
    Reply opened = open(Tiny.BUNDLE.resolve("model.onnx"), "");
    assertTrue(opened.ok(), opened.header().toString());

    Reply ran = replay(Tiny.BUNDLE.resolve("goldens/test_data_set_0"));

    assertTrue(ran.ok(), ran.header().toString());
    assertEquals(
        opened.header().get("outputs").findValuesAsText("name"),
        ran.header().get("outputs").findValuesAsText("name"));
    // The outputs that only tell of unseen values come last and are not stored.
    int stored = Tiny.json(Tiny.read("manifest.json")).get("heads").size() + 1;
    for (int output = 0; output < stored; output++) {
      JsonNode described = ran.header().get("outputs").get(output);
      byte[] file = Tiny.read("goldens/test_data_set_0/output_%d.pb".formatted(output));
      byte[] bits = new byte[size(described)];
      ran.body().get(bits);
      // raw_data is the tensor's bytes as they are, so the file holds them in one run.
      assertTrue(hex(file).contains(hex(bits)), described.toString());
    }
  }

  private static int size(JsonNode described) {
    int size = described.get("dtype").textValue().endsWith("64") ? 8 : 4;
    for (JsonNode axis : described.get("shape")) {
      size *= axis.intValue();
    }
    return size;
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }

  @Test
  void aTapIsAModelOfOneOutputBehindTheModel() {
    // ModelProto.graph (7), GraphProto.output (12), ValueInfoProto.name (1), each a length.
    assertArrayEquals(
        HexFormat.of()
            .parseHex("00" + "3a05" + "6203" + "0a01" + "61" + "3a06" + "6204" + "0a02" + "c3a9"),
        PlainGraph.tapped(new byte[1], List.of("a", "é")));
  }

  @Test
  void whatIsNoGraphOrNoTapIsRefusedAndLeavesNoneOpen(@TempDir Path folder) throws IOException {
    Path model = Tiny.BUNDLE.resolve("model.onnx");
    Path text = Files.writeString(folder.resolve("text.onnx"), "hello");

    assertTrue(open(model, "").ok());
    assertEquals("graph:file_unreadable", open(folder.resolve("absent.onnx"), "").code());
    assertEquals("protocol:not_loaded", replay(folder).code());
    assertEquals("graph:graph_refused", open(text, "").code());
    assertEquals("graph:graph_refused", open(model, ", \"taps\": [\"nowhere\"]").code());
    for (String wrong :
        List.of(
            ", \"taps\": \"a\"",
            ", \"taps\": [1]",
            ", \"session\": []",
            ", \"session\": {\"threads\": 1}",
            ", \"session\": {\"graph_optimization_level\": \"most\"}",
            ", \"session\": {\"intra_op_num_threads\": -1}",
            ", \"session\": {\"intra_op_num_threads\": 1.0}",
            ", \"session\": {\"prepacking\": \"yes\"}")) {
      assertEquals("protocol:invalid_header", open(model, wrong).code(), wrong);
    }
  }

  @Test
  void inputsMustBeWhatTheirDescriptionSays() {
    assertTrue(open(Tiny.BUNDLE.resolve("model.onnx"), "").ok());

    for (String inputs :
        List.of(
            "[{\"name\": \"x\", \"dtype\": \"int64\"}]",
            "[{\"name\": \"x\", \"dtype\": \"int65\", \"shape\": [1]}]",
            "[{\"name\": \"x\", \"dtype\": \"int64\", \"shape\": [\"1\"]}]",
            "[{\"name\": \"x\", \"dtype\": \"int8\", \"shape\": [4]}, {\"name\": \"x\", \"dtype\": \"int8\", \"shape\": [4]}]")) {
      assertEquals("protocol:invalid_header", run(inputs).code(), inputs);
    }
    assertEquals("protocol:invalid_frame", run("[]").code());
    assertEquals("protocol:invalid_frame", run(input("int64", "[2]")).code());
    assertEquals("protocol:invalid_frame", run(input("int8", "[7]")).code());
    assertEquals("protocol:invalid_frame", run(input("string", "[3]")).code());
    assertEquals("graph:invalid_value", run(input("int8", "[-8]")).code());
    assertEquals("graph:invalid_value", run(input("int8", "[65536, 65536]")).code());
    assertEquals("graph:unsupported_type", run(input("uint32", "[2]")).code());
    assertEquals("graph:run_failed", run(input("int64", "[1]")).code());
  }

  private static String input(String dtype, String shape) {
    return "[{\"name\": \"x\", \"dtype\": \"%s\", \"shape\": %s}]".formatted(dtype, shape);
  }

  private Reply run(String inputs) {
    return client.ask(
        "{\"op\": \"run\", \"inputs\": %s}".formatted(inputs), new byte[] {1, 0, 0, 0, 0, 0, 0, 1});
  }

  @Test
  void stringsThatTheBindingWouldChangeAreUnsupported() {
    for (String string : List.of("a\0b", "\ud83d\ude00")) {
      byte[] utf8 = string.getBytes(StandardCharsets.UTF_8);
      ByteBuffer data = Tensors.data(List.of("plain", string));
      Value.Tensor tensor = new Value.Tensor(ElementType.STRING, List.of(2L), data);
      GraphException e =
          org.junit.jupiter.api.Assertions.assertThrows(
              GraphException.class, () -> Tensors.strings("x", tensor));
      assertEquals(GraphException.Code.UNSUPPORTED_TYPE, e.code());
      assertEquals(2 * Integer.BYTES + 5 + utf8.length, data.remaining());
    }
  }

  // ModelProto{ir_version 10, graph{node{output s; Constant{value: STRING [2] "ok", the given}},
  // name, output s of strings}, opset 20}: strings that never were Java's.
  private static byte[] constant(byte[] string) {
    byte[] tensor = join(hex("0802" + "1008" + "32026f6b"), sub(0x32, string));
    byte[] attribute = join(hex("0a05" + "76616c7565" + "a00104"), sub(0x2a, tensor));
    byte[] node = join(hex("120173" + "2208" + "436f6e7374616e74"), sub(0x2a, attribute));
    byte[] graph = join(sub(0x0a, node), hex("120167" + "62090a017312040a020808"));
    return join(hex("080a"), sub(0x3a, graph), hex("42021014"));
  }

  private static byte[] hex(String hex) {
    return HexFormat.of().parseHex(hex);
  }

  private static byte[] sub(int tag, byte[] value) {
    return join(new byte[] {(byte) tag, (byte) value.length}, value);
  }

  private static byte[] join(byte[]... parts) {
    ByteBuffer all = ByteBuffer.allocate(1 << 10);
    for (byte[] part : parts) {
      all.put(part);
    }
    return java.util.Arrays.copyOf(all.array(), all.position());
  }

  @Test
  void stringsThatTheBindingChangedOnTheirWayOutAreUnsupported(@TempDir Path folder)
      throws IOException {
    Path model = folder.resolve("strings.onnx");
    for (String whole : List.of("", "plain", "é", "한국", "\uffff")) {
      byte[] utf8 = whole.getBytes(StandardCharsets.UTF_8);
      Files.write(model, constant(utf8));
      Reply opened = open(model, "");
      assertTrue(opened.ok(), opened.header().toString());
      Reply ran = client.ask("{\"op\": \"run\", \"inputs\": []}");
      assertTrue(ran.ok(), ran.header().toString());
      byte[] body = new byte[ran.body().remaining()];
      ran.body().get(body);
      assertArrayEquals(
          join(hex("02000000" + "6f6b"), new byte[] {(byte) utf8.length, 0, 0, 0}, utf8), body);
    }
    for (String changed :
        List.of(
            "610062", // a NUL ends it
            "00",
            "f09f9880", // beyond U+FFFF
            "61f09f988062",
            "eda0bdedb880", // the same as surrogates: no UTF-8, and what modified UTF-8 writes
            "c080", // NUL as modified UTF-8 writes it
            "ff", // no UTF-8 at all
            "c3")) {
      Files.write(model, constant(hex(changed)));
      assertTrue(open(model, "").ok());
      assertEquals(
          "graph:unsupported_type",
          client.ask("{\"op\": \"run\", \"inputs\": []}").code(),
          changed);
    }
  }
}
