package dev.twinrank.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import com.linecorp.armeria.client.WebClient;
import com.linecorp.armeria.common.AggregatedHttpResponse;
import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.HttpMethod;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.RequestHeaders;
import com.linecorp.armeria.common.RequestHeadersBuilder;
import dev.twinrank.core.Model;
import dev.twinrank.core.Ranking;
import dev.twinrank.server.flow.FlowSettings;
import dev.twinrank.server.life.ModelDirectory;
import dev.twinrank.server.oip.grpc.wire.ErrorInfo;
import dev.twinrank.server.oip.grpc.wire.HealthCheckRequest;
import dev.twinrank.server.oip.grpc.wire.HealthCheckResponse;
import dev.twinrank.server.oip.grpc.wire.HealthCheckResponse.ServingStatus;
import dev.twinrank.server.oip.grpc.wire.InferParameter;
import dev.twinrank.server.oip.grpc.wire.InferTensorContents;
import dev.twinrank.server.oip.grpc.wire.ModelInferRequest;
import dev.twinrank.server.oip.grpc.wire.ModelInferRequest.InferInputTensor;
import dev.twinrank.server.oip.grpc.wire.ModelInferResponse;
import dev.twinrank.server.oip.grpc.wire.ModelMetadataRequest;
import dev.twinrank.server.oip.grpc.wire.ModelMetadataResponse;
import dev.twinrank.server.oip.grpc.wire.ModelReadyRequest;
import dev.twinrank.server.oip.grpc.wire.ModelReadyResponse;
import dev.twinrank.server.oip.grpc.wire.ModelStatistics;
import dev.twinrank.server.oip.grpc.wire.ModelStatisticsRequest;
import dev.twinrank.server.oip.grpc.wire.ModelStatisticsResponse;
import dev.twinrank.server.oip.grpc.wire.Status;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * The gRPC services by their frames, headers and trailers, as gRPC's description of its protocol
 * over HTTP/2 has them. Expected scores are the embedded core's; tests/oip asks with other people's
 * clients.
 */
class GrpcTest {
  private static final String SERVICE = "/inference.GRPCInferenceService/";
  private static final int MAX_BODY = 1 << 20;

  private static RankServer server;
  private static WebClient client;

  /** Two candidates, with the features that the fixture cannot do without. */
  private static final ModelInferRequest RAW =
      ModelInferRequest.newBuilder()
          .setModelName("tiny")
          .setId("a-1")
          .addInputs(input("when", "INT64", 1))
          .addInputs(input("budget", "FP64", 1))
          .addInputs(input("stock", "INT64", 2))
          .addInputs(input("quality", "FP32", 2))
          .addInputs(input("margin", "FP64", 2))
          .addInputs(input("item", "BYTES", 2))
          .addRawInputContents(longs(1_600_000_000_000L))
          .addRawInputContents(doubles(0.1))
          .addRawInputContents(longs(1, -1))
          .addRawInputContents(floats(0.5f, -0.5f))
          .addRawInputContents(doubles(0.1, 0.2))
          .addRawInputContents(strings("bread", "crème"))
          .build();

  private static final String SAME =
      """
      {"context": {"when": 1600000000000, "budget": 0.1}, "candidates": [
        {"stock": 1, "quality": 0.5, "margin": 0.1, "item": "bread"},
        {"stock": -1, "quality": -0.5, "margin": 0.2, "item": "crème"}]}
      """;

  @BeforeAll
  static void start() {
    server = new RankServer(Settings.loopback().with(new FlowSettings(MAX_BODY, 2)));
    server.start();
    server.serve(new ModelDirectory(Tiny.MODELS, Tiny.OPTIONS).open(() -> false).orElseThrow());
    client = WebClient.of(server.url().replace("http:", "h2c:"));
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private record Reply(int status, AggregatedHttpResponse whole, ByteString bytes) {
    byte[] message() {
      return bytes.toByteArray();
    }

    String header(String name) {
      String trailer = whole.trailers().get(name);
      return trailer != null ? trailer : whole.headers().get(name, "");
    }
  }

  private static Reply call(String path, MessageLite message) {
    return call(path, frame(0, message.toByteArray()), UnaryOperator.identity());
  }

  private static Reply call(
      String path, byte[] body, UnaryOperator<RequestHeadersBuilder> headers) {
    RequestHeadersBuilder built =
        RequestHeaders.builder(HttpMethod.POST, path)
            .add(HttpHeaderNames.CONTENT_TYPE, "application/grpc")
            .add("te", "trailers");
    AggregatedHttpResponse whole =
        client
            .execute(HttpRequest.of(headers.apply(built).build(), HttpData.wrap(body)))
            .aggregate()
            .join();
    assertEquals(200, whole.status().code(), whole::contentUtf8);
    assertEquals("application/grpc", whole.headers().get(HttpHeaderNames.CONTENT_TYPE));
    byte[] content = whole.content().array();
    byte[] message = new byte[Math.max(0, content.length - 5)];
    if (content.length > 0) {
      assertEquals(message.length, ByteBuffer.wrap(content, 1, 4).getInt());
      System.arraycopy(content, 5, message, 0, message.length);
    }
    String trailer = whole.trailers().get("grpc-status");
    String status = trailer != null ? trailer : whole.headers().get("grpc-status");
    return new Reply(Integer.parseInt(status), whole, ByteString.copyFrom(message));
  }

  private static ModelInferResponse infer(ModelInferRequest request) {
    Reply reply = call(SERVICE + "ModelInfer", request);
    assertEquals(0, reply.status(), () -> reply.header("grpc-message"));
    return read(ModelInferResponse.parser(), reply.message());
  }

  private static <T> T read(Parser<T> parser, byte[] message) {
    try {
      return parser.parseFrom(message);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void refused(int status, String code, Reply reply) {
    assertEquals(code, reply.header("twinrank-code"), () -> reply.header("grpc-message"));
    assertEquals(status, reply.status());
    assertTrue(reply.header("grpc-message").startsWith(code + ":"), reply.header("grpc-message"));
    Status details =
        read(Status.parser(), Base64.getDecoder().decode(reply.header("grpc-status-details-bin")));
    assertEquals(status, details.getCode());
    ErrorInfo info = read(ErrorInfo.parser(), details.getDetails(0).getValue().toByteArray());
    assertEquals("type.googleapis.com/google.rpc.ErrorInfo", details.getDetails(0).getTypeUrl());
    assertEquals(code, info.getMetadataOrThrow("code"));
  }

  @Test
  void rawTensorsGiveTheBitsOfTheCore() {
    ModelInferResponse answer = infer(RAW);

    try (Model model = Tiny.open()) {
      Ranking ranking = model.rank(model.parse(SAME.getBytes(StandardCharsets.UTF_8)));
      for (int head = 0; head < model.heads().size(); head++) {
        assertEquals(model.heads().get(head).name(), answer.getOutputs(head).getName());
        assertEquals(
            ByteString.copyFrom(ranking.scores().values(head)), answer.getRawOutputContents(head));
      }
      assertEquals("score", answer.getOutputs(3).getName());
      assertEquals(ByteString.copyFrom(ranking.scores().scores()), answer.getRawOutputContents(3));
      assertEquals(model.digest(), answer.getParametersOrThrow("bundle").getStringParam());
    }
    assertEquals("tiny", answer.getModelName());
    assertEquals("1", answer.getModelVersion());
    assertEquals("a-1", answer.getId());
    assertEquals(List.of(2L), answer.getOutputs(0).getShapeList());
    assertEquals(answer.getOutputsCount(), answer.getRawOutputContentsCount());
  }

  @Test
  void typedContentsGiveTheSame() {
    ModelInferRequest.Builder typed = RAW.toBuilder().clearRawInputContents();
    typed
        .getInputsBuilder(0)
        .setContents(InferTensorContents.newBuilder().addInt64Contents(1_600_000_000_000L));
    typed.getInputsBuilder(1).setContents(InferTensorContents.newBuilder().addFp64Contents(0.1));
    typed
        .getInputsBuilder(2)
        .setContents(InferTensorContents.newBuilder().addInt64Contents(1).addInt64Contents(-1));
    typed
        .getInputsBuilder(3)
        .setContents(InferTensorContents.newBuilder().addFp32Contents(0.5f).addFp32Contents(-0.5f));
    typed
        .getInputsBuilder(4)
        .setContents(InferTensorContents.newBuilder().addFp64Contents(0.1).addFp64Contents(0.2));
    typed
        .getInputsBuilder(5)
        .setContents(
            InferTensorContents.newBuilder()
                .addBytesContents(ByteString.copyFromUtf8("bread"))
                .addBytesContents(ByteString.copyFromUtf8("crème")));

    assertEquals(infer(RAW), infer(typed.build()));

    typed
        .getInputsBuilder(2)
        .setDatatype("INT8")
        .setContents(InferTensorContents.newBuilder().addIntContents(1).addIntContents(-1));
    assertEquals(infer(RAW), infer(typed.build()));
  }

  @Test
  void compressedMessagesAreReadAndAnsweredAlike() throws IOException {
    ByteArrayOutputStream zipped = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(zipped)) {
      RAW.writeTo(out);
    }

    Reply plain =
        call(
            SERVICE + "ModelInfer",
            frame(1, zipped.toByteArray()),
            headers -> headers.add("grpc-encoding", "gzip"));
    assertEquals(infer(RAW), read(ModelInferResponse.parser(), plain.message()));

    Reply both =
        call(
            SERVICE + "ModelInfer",
            frame(1, zipped.toByteArray()),
            headers ->
                headers.add("grpc-encoding", "gzip").add("grpc-accept-encoding", "identity, gzip"));
    assertEquals("gzip", both.header("grpc-encoding"));
    assertEquals(1, both.whole().content().array()[0]);
    byte[] unzipped = new GZIPInputStream(new ByteArrayInputStream(both.message())).readAllBytes();
    assertEquals(infer(RAW), read(ModelInferResponse.parser(), unzipped));
  }

  @Test
  void aMessageThatGrowsBeyondTheLimitIsRefused() throws IOException {
    ByteArrayOutputStream zipped = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(zipped)) {
      RAW.toBuilder()
          .setRawInputContents(5, ByteString.copyFrom(new byte[MAX_BODY]))
          .build()
          .writeTo(out);
    }
    assertTrue(zipped.size() < MAX_BODY / 100);

    refused(
        8,
        "body_too_large",
        call(
            SERVICE + "ModelInfer",
            frame(1, zipped.toByteArray()),
            headers -> headers.add("grpc-encoding", "gzip")));
  }

  @Test
  void aMessageThatIsTooLongIsRefusedAsGrpcTellsIt() {
    refused(
        8,
        "body_too_large",
        call(SERVICE + "ModelInfer", frame(0, new byte[MAX_BODY + 1]), UnaryOperator.identity()));
  }

  @Test
  void whatIsNoMessageIsRefused() {
    Map<byte[], String> bodies =
        Map.of(
            new byte[0],
            "identity",
            new byte[] {0, 0, 0, 0, 9, 1},
            "identity",
            frame(2, RAW.toByteArray()),
            "identity",
            frame(1, RAW.toByteArray()),
            "identity",
            frame(1, new byte[] {1, 2, 3}),
            "gzip",
            frame(0, new byte[] {(byte) 0xff}),
            "identity");
    bodies.forEach(
        (body, coding) ->
            refused(
                3,
                "invalid_http",
                call(
                    SERVICE + "ModelInfer",
                    body,
                    headers -> headers.add("grpc-encoding", coding))));
    refused(
        12,
        "unsupported_media_type",
        call(
            SERVICE + "ModelInfer",
            frame(0, RAW.toByteArray()),
            headers -> headers.add("grpc-encoding", "snappy")));
  }

  @Test
  void everyRefusalHasItsStatusAndItsCode() {
    refuse(5, "unknown_model", request -> request.setModelName("none"));
    refuse(5, "unknown_model", request -> request.setModelVersion("2"));
    refuse(3, "unknown_feature", request -> request.getInputsBuilder(5).setName("nothing"));
    refuse(3, "wrong_type", request -> request.getInputsBuilder(2).setDatatype("FP64"));
    refuse(3, "invalid_tensor", request -> request.getInputsBuilder(2).setDatatype("FLOAT"));
    refuse(3, "invalid_tensor", request -> request.getInputsBuilder(2).setShape(0, 3));
    refuse(
        3,
        "missing_feature",
        request ->
            request
                .removeInputs(0)
                .setRawInputContents(0, ByteString.EMPTY)
                .clearRawInputContents()
                .addAllRawInputContents(RAW.getRawInputContentsList().subList(1, 6)));
    refuse(3, "invalid_request", request -> request.addRawInputContents(ByteString.EMPTY));
    refuse(
        3,
        "invalid_tensor",
        request ->
            request
                .getInputsBuilder(2)
                .setContents(InferTensorContents.newBuilder().addInt64Contents(1)));
    refuse(3, "unknown_output", request -> request.addOutputsBuilder().setName("nothing"));
    refuse(
        3,
        "invalid_request",
        request ->
            request.putParameters(
                "nothing", InferParameter.newBuilder().setBoolParam(true).build()));
    refuse(
        3,
        "invalid_request",
        request ->
            request.putParameters("k", InferParameter.newBuilder().setUint64Param(-1).build()));
    refuse(
        3,
        "invalid_string",
        request ->
            request
                .setRawInputContents(5, bytes(new byte[] {'a'}, new byte[] {(byte) 0xff}))
                .removeInputs(5)
                .addInputs(input("brand", "BYTES", 2)));
    refused(12, "unknown_path", call(SERVICE + "ModelStreamInfer", RAW));
    refused(
        3,
        "invalid_header",
        call(
            SERVICE + "ModelInfer",
            frame(0, RAW.toByteArray()),
            headers -> headers.add("grpc-timeout", "soon")));
    refused(
        4,
        "deadline_exceeded",
        call(
            SERVICE + "ModelInfer",
            frame(0, RAW.toByteArray()),
            headers -> headers.add("grpc-timeout", "0n")));
  }

  private static void refuse(int status, String code, Consumer<ModelInferRequest.Builder> wrong) {
    ModelInferRequest.Builder request = RAW.toBuilder();
    wrong.accept(request);
    refused(status, code, call(SERVICE + "ModelInfer", request.build()));
  }

  @Test
  void typedContentsThatDoNotFitAreRefused() {
    ModelInferRequest.Builder typed =
        ModelInferRequest.newBuilder().setModelName("tiny").addInputs(input("stock", "INT8", 1));
    for (InferTensorContents.Builder wrong :
        List.of(
            InferTensorContents.newBuilder().addIntContents(128),
            InferTensorContents.newBuilder().addInt64Contents(1),
            InferTensorContents.newBuilder().addIntContents(1).addUintContents(1),
            InferTensorContents.newBuilder())) {
      typed.getInputsBuilder(0).setContents(wrong);
      refused(3, "invalid_tensor", call(SERVICE + "ModelInfer", typed.build()));
    }
    typed.getInputsBuilder(0).setDatatype("FP16").clearContents();
    refused(3, "invalid_tensor", call(SERVICE + "ModelInfer", typed.build()));
  }

  @Test
  void theNameOfTheModelIsFoundWhereverItIs() throws IOException {
    byte[] named = ModelInferRequest.newBuilder().setModelName("tiny").build().toByteArray();
    byte[] rest = RAW.toBuilder().clearModelName().build().toByteArray();
    byte[] last = new byte[named.length + rest.length];
    System.arraycopy(rest, 0, last, 0, rest.length);
    System.arraycopy(named, 0, last, rest.length, named.length);

    Reply reply = call(SERVICE + "ModelInfer", frame(0, last), UnaryOperator.identity());

    assertEquals(0, reply.status(), () -> reply.header("grpc-message"));
    assertEquals(infer(RAW), read(ModelInferResponse.parser(), reply.message()));
  }

  @Test
  void whatTritonKeepsForItselfChangesNothing() {
    InferParameter yes = InferParameter.newBuilder().setBoolParam(true).build();
    ModelInferRequest told =
        RAW.toBuilder().putParameters("triton_enable_empty_final_response", yes).build();
    assertEquals(infer(RAW), infer(told));
  }

  @Test
  void requestsAreCountedByProtocolAndInTheStatistics() {
    long before = statistics().getInferenceStats().getSuccess().getCount();
    infer(RAW);
    infer(RAW);
    ModelStatistics after = statistics();

    assertEquals(before + 2, after.getInferenceStats().getSuccess().getCount());
    assertEquals(before + 2, after.getInferenceStats().getComputeInfer().getCount());
    assertEquals(before + 2, after.getInferenceStats().getQueue().getCount());
    assertTrue(after.getInferenceStats().hasCacheHit() && after.getInferenceStats().hasCacheMiss());
    assertEquals("1", after.getVersion());
  }

  private static ModelStatistics statistics() {
    Reply reply =
        call(
            SERVICE + "ModelStatistics",
            ModelStatisticsRequest.newBuilder().setName("tiny").build());
    return read(ModelStatisticsResponse.parser(), reply.message()).getModelStats(0);
  }

  @Test
  void modelsAndHealthAreToldOf() {
    ModelMetadataResponse told =
        read(
            ModelMetadataResponse.parser(),
            call(
                    SERVICE + "ModelMetadata",
                    ModelMetadataRequest.newBuilder().setName("tiny").build())
                .message());
    assertEquals("tiny", told.getName());
    assertEquals(List.of("1"), told.getVersionsList());
    assertTrue(
        told.getInputsList().stream()
            .anyMatch(each -> each.getName().equals("item") && each.getDatatype().equals("BYTES")));
    assertTrue(ready("tiny"));
    assertEquals(false, ready("none"));
    assertEquals(
        ServingStatus.SERVING,
        read(
                HealthCheckResponse.parser(),
                call("/grpc.health.v1.Health/Check", HealthCheckRequest.getDefaultInstance())
                    .message())
            .getStatus());
    assertEquals(
        5,
        call(
                "/grpc.health.v1.Health/Check",
                HealthCheckRequest.newBuilder().setService("x").build())
            .status());
  }

  private static boolean ready(String model) {
    return read(
            ModelReadyResponse.parser(),
            call(SERVICE + "ModelReady", ModelReadyRequest.newBuilder().setName(model).build())
                .message())
        .getReady();
  }

  @Test
  void whatIsNoCallGetsAProblem() {
    AggregatedHttpResponse answer =
        client
            .execute(
                RequestHeaders.of(
                    HttpMethod.POST,
                    SERVICE + "ModelInfer",
                    HttpHeaderNames.CONTENT_TYPE,
                    "application/json"),
                "{}")
            .aggregate()
            .join();
    assertEquals(415, answer.status().code());
    JsonNode problem = Tiny.json(answer.content().array());
    assertEquals("unsupported_media_type", problem.get("code").asText());
    assertEquals(405, client.get(SERVICE + "ModelInfer").aggregate().join().status().code());
  }

  private static byte[] frame(int compressed, byte[] message) {
    return ByteBuffer.allocate(5 + message.length)
        .put((byte) compressed)
        .putInt(message.length)
        .put(message)
        .array();
  }

  private static InferInputTensor input(String name, String datatype, long... shape) {
    InferInputTensor.Builder input =
        InferInputTensor.newBuilder().setName(name).setDatatype(datatype);
    for (long size : shape) {
      input.addShape(size);
    }
    return input.build();
  }

  private static ByteBuffer little(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static ByteString longs(long... values) {
    ByteBuffer data = little(8 * values.length);
    data.asLongBuffer().put(values);
    return ByteString.copyFrom(data);
  }

  private static ByteString doubles(double... values) {
    ByteBuffer data = little(8 * values.length);
    data.asDoubleBuffer().put(values);
    return ByteString.copyFrom(data);
  }

  private static ByteString floats(float... values) {
    ByteBuffer data = little(4 * values.length);
    data.asFloatBuffer().put(values);
    return ByteString.copyFrom(data);
  }

  private static ByteString strings(String... values) {
    byte[][] all = new byte[values.length][];
    for (int i = 0; i < values.length; i++) {
      all[i] = values[i].getBytes(StandardCharsets.UTF_8);
    }
    return bytes(all);
  }

  private static ByteString bytes(byte[]... values) {
    int size = 0;
    for (byte[] value : values) {
      size += 4 + value.length;
    }
    ByteBuffer data = little(size);
    for (byte[] value : values) {
      data.putInt(value.length).put(value);
    }
    return ByteString.copyFrom(data.flip());
  }
}
