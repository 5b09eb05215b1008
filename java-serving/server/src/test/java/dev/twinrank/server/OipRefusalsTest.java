package dev.twinrank.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.twinrank.server.Http.Answer;
import dev.twinrank.server.flow.FlowSettings;
import dev.twinrank.server.life.ModelDirectory;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the Open Inference Protocol over HTTP refuses, and what it takes though it looks odd. */
class OipRefusalsTest {
  private static final String INFER = "/v2/models/tiny/infer";

  /** The inputs that a request of two candidates cannot do without. */
  private static final String LEAST =
      input("when", "INT64", "1", "0")
          + input("budget", "FP64", "1", "0")
          + input("stock", "INT64", "2", "0,0")
          + input("quality", "FP32", "2", "0,0")
          + input("margin", "FP64", "2", "0,0");

  private static RankServer server;
  private static Http http;

  @BeforeAll
  static void start() {
    server =
        new RankServer(
            Settings.loopback()
                .with(new FlowSettings(1 << 20, 2).withQueueAge(Duration.ofMinutes(1))));
    server.start();
    server.serve(new ModelDirectory(Tiny.MODELS, Tiny.OPTIONS).open(() -> false).orElseThrow());
    http = new Http(server.url());
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static String input(String name, String datatype, String shape, String data) {
    return ",{'name':'%s','datatype':'%s','shape':[%s],'data':[%s]}"
        .formatted(name, datatype, shape, data);
  }

  private static String request(String inputs) {
    return "{'inputs':[%s]}".formatted((LEAST + inputs).substring(1)).replace('\'', '"');
  }

  private static Answer send(String json) {
    return http.post(INFER, json.getBytes(StandardCharsets.UTF_8));
  }

  private static JsonNode refused(String code, Answer answer) {
    OipHttpTest.assertError(400, code, answer);
    return answer.json();
  }

  private static JsonNode data(Answer answer, String output) {
    assertEquals(200, answer.status(), () -> OipHttpTest.text(answer));
    for (JsonNode each : answer.json().get("outputs")) {
      if (each.get("name").textValue().equals(output)) {
        return each.get("data");
      }
    }
    throw new AssertionError("no output " + output);
  }

  @Test
  void theLeastRequestIsAnswered() {
    assertEquals(2, data(send(request("")), "score").size());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        // name | datatype | shape | data | code | what the message says
        "nobody|INT64|2|1,2|unknown_feature|no input 'nobody'; the inputs are user, age",
        "when|INT64|1|1|invalid_tensor|is there twice",
        "user|INT64|1|1|wrong_type|takes BYTES of UTF-8",
        "age|FP32|1|1|wrong_type|takes any type of integers",
        "active|UINT8|1|1|wrong_type|takes BOOL",
        "bias|BOOL|1|true|wrong_type|takes any type of floats or integers",
        "seen|INT64|3|1,2,3|invalid_tensor|has 3 candidates, but",
        "seen|INT64|2,2|1,2,3,4|invalid_tensor|send [n], a value a candidate",
        "user|BYTES|2|'a','b'|invalid_tensor|is of the context: send [1] or [1, 1]",
        "tags|BYTES|2,1|'a','b'|invalid_tensor|send [m] or [1, m]",
        "size|INT64|6|1,2,3,4,5,6|invalid_tensor|send [n, m], a row a candidate",
        "codes|INT64|3|1,2,3|invalid_tensor|no 'codes.lengths' beside it",
        "codes.lengths|INT32|2|0,0|invalid_tensor|is there without 'codes' itself",
        "seen.present|BOOL|2|true,false|invalid_tensor|is there without 'seen' itself",
        "size|INT64|2,2|1,2,3,4|wrong_length|an array of exactly 3",
        "profile|FP32|2|1,2|wrong_length|an array of exactly 3",
        "seen|UINT64|2|1,9223372036854775808|out_of_range|9223372036854775808 at element 1",
        "price|FP64|2|1,1e39|ok|",
        "profile|FP64|3|1,1e39,1|out_of_range|the float 1.0E39",
        "region|BYTES|1|'west'|unseen_value|vocabulary",
        // What the tensor itself cannot hold.
        "seen|INT64|2|1,1.0|invalid_tensor|has '1.0' as element 1; INT64 takes an integer",
        "seen|INT8|2|1,128|invalid_tensor|has '128' as element 1, which INT8 cannot hold",
        "seen|INT8|2|1,-129|invalid_tensor|cannot hold",
        "seen|UINT16|2|1,65536|invalid_tensor|cannot hold",
        "seen|UINT32|2|1,-1|invalid_tensor|cannot hold",
        "seen|UINT64|2|1,18446744073709551616|invalid_tensor|cannot hold",
        "seen|INT64|2|1,9223372036854775808|invalid_tensor|cannot hold",
        "price|FP32|2|1,1e39|invalid_tensor|which FP32 cannot hold",
        "price|FP16|2|1,65520|invalid_tensor|which FP16 cannot hold",
        "price|FP32|2|1,'nan'|invalid_tensor|or 'NaN', 'Infinity' or '-Infinity'",
        "fresh|BOOL|2|1,0|invalid_tensor|BOOL takes true or false",
        "item|BYTES|2|'a',null|invalid_tensor|BYTES takes a string",
        "seen|INT64|2|[1],[2,3]|invalid_tensor|side by side",
        "seen|INT64|2|1,[2]|invalid_tensor|nest all alike",
        "size|INT64|2,3|[1,2],[3,4],[5,6]|invalid_tensor|nested as [3, 2], but the shape [2, 3]",
        "size|INT64|2,3|1,2,3|invalid_tensor|has 3 elements of data, but the shape [2, 3]",
        "size|INT64|-1,3|1,2,3|invalid_request|send the real one",
        "seen|INT128|2|1,2|invalid_request|no datatype 'INT128'",
      })
  void anInputIsRefusedWithWhatIsWrong(
      String name, String datatype, String shape, String data, String code, String says) {
    Answer answer = send(request(input(name, datatype, shape, data)));
    if (code.equals("ok")) {
      assertEquals(200, answer.status(), () -> OipHttpTest.text(answer));
    } else {
      String error = refused(code, answer).get("error").textValue();
      assertTrue(error.contains(says), error);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32",
        "FP64", "BF16"
      })
  void everyTypeOfNumbersGivesTheSameFloat(String datatype) {
    // The score has "price" in it: 96 is a float of every type.
    JsonNode expected = data(send(request(input("price", "FP64", "2", "96,1"))), "watched");
    assertEquals(expected, data(send(request(input("price", datatype, "2", "96,1"))), "watched"));
  }

  @Test
  void refusalsNameTheFeatureAndTheCandidate() {
    JsonNode error =
        refused("invalid_string", send(request(input("brand", "BYTES", "2", "'a','\\ud800'"))));
    assertEquals("brand", error.get("feature").textValue());
    assertEquals(1, error.get("candidate").intValue());
    assertTrue(error.get("error").textValue().contains("is not UTF-8"));
    // Where the policy absorbs it, it is the feature's invalid value, as in the ranking API.
    assertEquals(
        2, data(send(request(input("item", "BYTES", "2", "'a','\\ud800'"))), "score").size());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "|invalid_json",
        "{|invalid_json",
        "{'inputs':[]} {}|invalid_json",
        "{'inputs':[],'inputs':[]}|invalid_json",
        "{'inputs':[{'name':'a','name':'a'}]}|invalid_json",
        "{'inputs':[{'data':[NaN]}]}|invalid_json",
        "[]|invalid_request",
        "{}|invalid_request",
        "{'inputs':{}}|invalid_request",
        "{'inputs':[7]}|invalid_request",
        "{'inputs':[],'id':7}|invalid_request",
        "{'inputs':[],'other':7}|invalid_request",
        "{'inputs':[{}]}|invalid_request",
        "{'inputs':[{'name':'user','shape':[1],'data':['a']}]}|invalid_request",
        "{'inputs':[{'name':'user','datatype':'BYTES','data':['a']}]}|invalid_request",
        "{'inputs':[{'name':'user','datatype':'BYTES','shape':[1]}]}|invalid_tensor",
        "{'inputs':[{'name':'user','datatype':'BYTES','shape':[1],'data':'a'}]}|invalid_request",
        "{'inputs':[{'name':'user','datatype':'BYTES','shape':[1],'data':['a'],'x':1}]}|invalid_request",
        "{'inputs':[{'name':'user','datatype':'BYTES','shape':[1],'data':['a'],"
            + "'parameters':{'shared_memory_region':'r'}}]}|invalid_tensor",
        "{'inputs':[],'outputs':[{'name':'nothing'}]}|unknown_output",
        "{'inputs':[],'outputs':[{'name':'score'},{'name':'score'}]}|invalid_request",
        "{'inputs':[],'outputs':[{}]}|invalid_request",
        "{'inputs':[],'outputs':[{'name':'score','parameters':{'classification':3}}]}|invalid_request",
        "{'inputs':[],'outputs':[{'name':'score','parameters':{'binary_data':1}}]}|invalid_request",
        "{'inputs':[],'parameters':{'sequence_id':3}}|invalid_request",
        "{'inputs':[],'parameters':{'k':-1}}|invalid_request",
        "{'inputs':[],'parameters':{'k':1.0}}|invalid_request",
        "{'inputs':[],'parameters':{'k':[1]}}|invalid_request",
        "{'inputs':[],'parameters':{'priority':'high'}}|invalid_request",
        "{'inputs':[]}|invalid_request",
        "{'inputs':[],'parameters':{'candidates':99999999999}}|too_many_candidates",
        "{'inputs':[],'parameters':{'candidates':2}}|missing_feature",
      })
  void aRequestIsRefusedForItsForm(String json, String code) {
    refused(code, send(json == null ? "" : json.replace('\'', '"')));
  }

  @Test
  void textIsUtf8AndNotTooDeep() {
    refused("invalid_json", http.post(INFER, new byte[] {'{', (byte) 0xc0, (byte) 0x80, '}'}));
    refused("invalid_json", send("\ufeff{}"));
    refused("invalid_json", http.post(INFER, "{}".getBytes(StandardCharsets.UTF_16LE)));
    refused(
        "invalid_json",
        send(request(input("tags", "BYTES", "1", "[".repeat(70) + "'a'" + "]".repeat(70)))));
  }

  @Test
  void dataMayStandBeforeWhatSaysHowToReadThem() {
    String last = ",{'data':[3,-4],'parameters':{},'shape':[2],'datatype':'INT64','name':'shelf'}";
    assertEquals(
        data(
            send(
                request(
                    input("tags", "BYTES", "1", "'crème 😀'")
                        + input("shelf", "INT64", "2", "3,-4"))),
            "score"),
        data(send(request(last)), "score"));
  }

  @Test
  void candidatesListsAreRaggedOrRectangular() {
    String ragged =
        input("codes", "INT64", "2", "5,6") + input("codes.lengths", "INT32", "2", "1,1");
    assertEquals(
        data(send(request(ragged)), "score"),
        data(send(request(input("codes", "INT64", "2,1", "[5],[6]"))), "score"));
    String negative =
        input("codes", "INT64", "1", "5") + input("codes.lengths", "INT32", "2", "-1,2");
    assertTrue(
        refused("invalid_tensor", send(request(negative))).get("error").textValue().contains("-1"));
    String few =
        input("codes", "INT64", "3", "5,6,7") + input("codes.lengths", "INT32", "2", "1,1");
    refused("invalid_tensor", send(request(few)));
    String both =
        input("codes", "INT64", "2,1", "5,6") + input("codes.lengths", "INT32", "2", "1,1");
    refused("invalid_tensor", send(request(both)));
    String absent = ragged + input("codes.present", "BOOL", "2", "true,false");
    assertTrue(
        refused("invalid_tensor", send(request(absent)))
            .get("error")
            .textValue()
            .contains("'codes.present' says has none"));
  }

  @Test
  void parametersSayHowManyCandidatesAndWhen() {
    String none =
        "{'inputs':[%s],'parameters':{'candidates':0}}"
            .formatted(
                (input("when", "INT64", "1", "0") + input("budget", "FP64", "1", "0")).substring(1))
            .replace('\'', '"');
    assertEquals(0, data(send(none), "score").size());
    String contradiction =
        request("").replace("{\"inputs", "{\"parameters\":{\"candidates\":3},\"inputs");
    refused("invalid_tensor", send(contradiction));
    String late = request("").replace("{\"inputs", "{\"parameters\":{\"timeout\":1},\"inputs");
    OipHttpTest.assertError(504, "deadline_exceeded", send(late));
    String never =
        request("").replace("{\"inputs", "{\"parameters\":{\"timeout\":0,\"priority\":1},\"inputs");
    assertEquals(2, data(send(never), "score").size());
  }

  @ParameterizedTest
  @CsvSource({
    "0,8,invalid_json", // no JSON at all
    "-1,8,invalid_request",
    "1e2,8,invalid_request",
    "99999999,8,invalid_request",
    "exact,7,invalid_tensor", // too few for two elements
    "exact,9,invalid_tensor",
    "exact,4294967304,invalid_tensor",
    "exact,-8,invalid_tensor",
  })
  void binaryTensorsThatDoNotFitAreRefused(String header, String size, String code) {
    String json =
        request(
            ",{'name':'price','datatype':'FP32','shape':[2],'parameters':{'binary_data_size':%s}}"
                .formatted(size));
    byte[] text = json.getBytes(StandardCharsets.UTF_8);
    byte[] body = ByteBuffer.allocate(text.length + 8).put(text).array();
    String length = header.equals("exact") ? Integer.toString(text.length) : header;
    refused(code, binary(body, length));
  }

  @Test
  void binaryTensorsLeaveNothingOver() {
    String json =
        request(
            ",{'name':'price','datatype':'FP32','shape':[2],'parameters':{'binary_data_size':8}}");
    byte[] text = json.getBytes(StandardCharsets.UTF_8);
    byte[] body = ByteBuffer.allocate(text.length + 9).put(text).array();
    String length = Integer.toString(text.length);
    refused("invalid_request", binary(body, length));
    Answer exact = binary(Arrays.copyOf(body, body.length - 1), length);
    assertEquals(200, exact.status(), () -> OipHttpTest.text(exact));
    String both = json.replace("\"parameters\":{\"bin", "\"data\":[1,2],\"parameters\":{\"bin");
    refused("invalid_tensor", binary(body, both, 8));
  }

  @Test
  void binaryStringsAndBooleansAreLookedAt() {
    ByteBuffer cut = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putInt(0).putInt(9);
    refused("invalid_tensor", bytes("item", "BYTES", cut.array()));
    ByteBuffer more = ByteBuffer.allocate(9).order(ByteOrder.LITTLE_ENDIAN).putInt(0).putInt(0);
    refused("invalid_tensor", bytes("item", "BYTES", more.array()));
    ByteBuffer huge = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putInt(-1).putInt(0);
    refused("invalid_tensor", bytes("item", "BYTES", huge.array()));
    refused("invalid_tensor", bytes("item", "BYTES", new byte[7]));
    refused("invalid_tensor", bytes("fresh", "BOOL", new byte[] {1, 2}));
    ByteBuffer invalid =
        ByteBuffer.allocate(9).order(ByteOrder.LITTLE_ENDIAN).putInt(0).putInt(1).put((byte) 0xff);
    refused("invalid_string", bytes("brand", "BYTES", invalid.array()));
    assertEquals(2, data(bytes("item", "BYTES", invalid.array()), "score").size());
  }

  private static Answer bytes(String name, String datatype, byte[] data) {
    String json =
        request(
            ",{'name':'%s','datatype':'%s','shape':[2],'parameters':{'binary_data_size':%d}}"
                .formatted(name, datatype, data.length));
    byte[] text = json.getBytes(StandardCharsets.UTF_8);
    byte[] body = ByteBuffer.allocate(text.length + data.length).put(text).put(data).array();
    return binary(body, Integer.toString(text.length));
  }

  private static Answer binary(byte[] tail, String json, int bytes) {
    byte[] text = json.getBytes(StandardCharsets.UTF_8);
    byte[] body =
        ByteBuffer.allocate(text.length + bytes)
            .put(text)
            .put(tail, tail.length - bytes, bytes)
            .array();
    return binary(body, Integer.toString(text.length));
  }

  private static Answer binary(byte[] body, String headerLength) {
    HttpRequest.Builder request =
        http.request(INFER)
            .header("Inference-Header-Content-Length", headerLength)
            .POST(BodyPublishers.ofByteArray(body));
    return http.send(request);
  }
}
