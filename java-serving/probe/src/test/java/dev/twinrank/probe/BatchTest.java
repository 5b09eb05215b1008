package dev.twinrank.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.dynatrace.hash4j.hashing.Hashing;
import com.fasterxml.jackson.databind.JsonNode;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.probe.Client.Reply;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a batch answers is, bit for bit, what its requests are answered one at a time. */
class BatchTest {
  private static final String OP = "{\"op\": \"score_batch\"}";
  private static final int UNLIMITED = 1 << 16;

  private final Testee testee = new Testee();
  private final Client client = new Client(testee::handle);
  private JsonNode loaded;

  @BeforeEach
  void load() {
    loaded = client.load().header();
  }

  @AfterEach
  void close() {
    testee.close();
  }

  private static byte[] batch(List<byte[]> requests) {
    int size = requests.stream().mapToInt(request -> Integer.BYTES + request.length).sum();
    ByteBuffer body = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    requests.forEach(request -> body.putInt(request.length).put(request));
    return body.array();
  }

  @Test
  void everyGoldenRefusedOrEmptyIsAnsweredAsAlone() {
    List<byte[]> requests = new ArrayList<>(Tiny.requests());
    requests.add(1, new byte[0]);
    requests.add("{".getBytes(StandardCharsets.UTF_8));

    Reply batch = client.ask(OP, batch(requests));

    assertTrue(batch.ok(), batch.header().toString());
    List<Reply> single = new ArrayList<>();
    List<Long> digests = new ArrayList<>();
    for (byte[] request : requests) {
      single.add(client.ask("{\"op\": \"score\"}", request));
      digests.add(digest(single.get(single.size() - 1), request));
    }
    assertHeader(batch.header(), single);
    assertBody(batch.body(), single, digests);
  }

  private long digest(Reply scored, byte[] request) {
    if (!scored.ok()) {
      return 0;
    }
    ByteBuffer blocks = client.ask("{\"op\": \"pack\"}", request).body();
    byte[] bytes = new byte[blocks.remaining()];
    blocks.get(bytes);
    return Hashing.xxh3_64().hashBytesToLong(bytes, 0, bytes.length);
  }

  private static void assertHeader(JsonNode header, List<Reply> single) {
    int refusals = 0;
    int empty = 0;
    for (int i = 0; i < single.size(); i++) {
      Reply alone = single.get(i);
      if (alone.ok()) {
        assertEquals(alone.header().get("n"), header.get("n").get(i));
        assertEquals(alone.header().get("order").size(), header.get("ranked").get(i).intValue());
        assertEquals(alone.header().get("dropped").size(), header.get("dropped").get(i).intValue());
        empty += alone.header().get("n").intValue() == 0 ? 1 : 0;
      } else {
        JsonNode error = header.get("errors").get(refusals++);
        assertEquals(-1, header.get("n").get(i).intValue());
        assertEquals(0, header.get("ranked").get(i).intValue());
        assertEquals(0, header.get("dropped").get(i).intValue());
        assertEquals(i, error.get("request").intValue());
        for (String member : List.of("code", "feature", "candidate")) {
          assertEquals(alone.header().path(member), error.path(member), member);
        }
      }
    }
    assertEquals(refusals, header.get("errors").size());
    assertTrue(refusals > 2 && empty > 0, "the goldens no longer hold what this test is about");
  }

  private void assertBody(ByteBuffer body, List<Reply> single, List<Long> digests) {
    List<String> dtypes = new ArrayList<>(loaded.get("heads").findValuesAsText("dtype"));
    dtypes.add(loaded.at("/score/dtype").textValue());
    for (String dtype : dtypes) {
      for (Reply alone : single) {
        int bytes = alone.header().path("n").intValue() * (dtype.equals("float32") ? 4 : 8);
        assertEquals(taken(alone.body(), bytes), taken(body, bytes));
      }
    }
    for (String list : List.of("order", "dropped")) {
      for (Reply alone : single) {
        alone.header().path(list).forEach(index -> assertEquals(index.intValue(), body.getInt()));
      }
    }
    digests.forEach(digest -> assertEquals(digest, body.getLong()));
    assertFalse(body.hasRemaining());
  }

  private static ByteBuffer taken(ByteBuffer from, int bytes) {
    ByteBuffer slice = from.slice(from.position(), bytes);
    from.position(from.position() + bytes);
    return slice;
  }

  @Test
  void noRequestsGiveNoAnswers() {
    Reply reply = client.ask(OP, new byte[0]);

    assertEquals(
        Tiny.json(
            "{\"ok\": true, \"n\": [], \"ranked\": [], \"dropped\": [], \"errors\": []}"
                .getBytes(StandardCharsets.UTF_8)),
        reply.header());
    assertEquals(0, reply.body().remaining());
  }

  @Test
  void aBodyThatContradictsItsLengthsIsRefusedWhole() {
    byte[] body = batch(Tiny.requests().subList(0, 2));
    int first = Integer.BYTES + Tiny.requests().get(0).length;

    for (int cut : List.of(1, 3, first - 1, first + 1, first + 3, body.length - 1)) {
      Reply reply = client.ask(OP, Arrays.copyOf(body, cut));
      assertEquals("protocol:invalid_frame", reply.code(), "cut at " + cut);
    }
    byte[] over = body.clone();
    over[3] = (byte) 0xff;
    assertEquals("protocol:invalid_frame", client.ask(OP, over).code());
    assertTrue(client.ask(OP, body).ok());
  }

  @Test
  void withoutABundleThereIsNothingToScore() {
    try (Testee empty = new Testee()) {
      Client other = new Client(empty::handle);
      assertEquals("protocol:not_loaded", other.ask(OP, batch(Tiny.requests())).code());
    }
  }

  @Test
  void answersBeyondAFrameAreRefusedAtTheRequestThatDoesNotFit() {
    ByteBuffer refused = ByteBuffer.wrap(batch(List.of(new byte[0], new byte[0], new byte[0])));

    try (Model model =
        Model.open(Tiny.BUNDLE, ModelOptions.builder().require(Require.REFERENCE).build())) {
      // A refused request's answer is its digest of eight bytes.
      assertEquals(3, Batch.score(model, refused, 24).refusals().size());
      ProtocolException e =
          assertThrows(ProtocolException.class, () -> Batch.score(model, refused, 23));
      assertEquals(ProtocolException.Code.RESPONSE_TOO_LARGE, e.code());
    }
    ByteBuffer half = ByteBuffer.allocate((32 << 20) + 1);
    assertThrows(ProtocolException.class, () -> new Answer(new byte[2], List.of(half, half)));
  }

  @Test
  void directMemoryGivesTheSameBytes() {
    byte[] frame = new Frame(OP.getBytes(StandardCharsets.UTF_8), batch(Tiny.requests())).encode();
    ByteBuffer answer = ByteBuffer.allocateDirect(UNLIMITED);
    answer.position(7).limit(9);

    int length = testee.handle(direct(frame), answer);

    assertEquals(ByteBuffer.wrap(testee.handle(frame)), answer.clear().slice(0, length));
  }

  @Test
  void anAnswerThatDoesNotFitIsKeptUntilItIsAskedForOrAnotherIs() {
    byte[] frame = new Frame(OP.getBytes(StandardCharsets.UTF_8), batch(Tiny.requests())).encode();
    byte[] expected = testee.handle(frame);
    ByteBuffer small = ByteBuffer.allocateDirect(expected.length - 1);
    ByteBuffer fits = ByteBuffer.allocateDirect(expected.length);

    assertEquals(-expected.length, testee.handle(direct(frame), small));
    assertEquals(-expected.length, testee.handle(direct(new byte[0]), small));
    assertEquals(expected.length, testee.handle(direct(new byte[0]), fits));
    assertEquals(ByteBuffer.wrap(expected), fits.clear());
    int failure = testee.handle(direct(new byte[0]), fits);
    assertEquals("protocol:invalid_frame", reply(fits, failure).code());

    assertEquals(-expected.length, testee.handle(direct(frame), small));
    assertTrue(client.ask("{\"op\": \"hello\"}").ok());
    failure = testee.handle(direct(new byte[0]), fits);
    assertEquals("protocol:invalid_frame", reply(fits, failure).code());
  }

  private static Reply reply(ByteBuffer memory, int length) {
    byte[] bytes = new byte[length];
    memory.clear().get(bytes);
    return Client.reply(bytes);
  }

  private static ByteBuffer direct(byte[] bytes) {
    return ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
  }
}
