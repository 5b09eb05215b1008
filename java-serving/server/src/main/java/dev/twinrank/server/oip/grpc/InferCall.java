package dev.twinrank.server.oip.grpc;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.WireFormat;
import com.linecorp.armeria.common.AggregatedHttpRequest;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.server.ServiceRequestContext;
import dev.twinrank.server.flow.Call;
import dev.twinrank.server.flow.Deadlines;
import dev.twinrank.server.flow.Desk;
import dev.twinrank.server.life.Models;
import dev.twinrank.server.oip.InferRequest;
import dev.twinrank.server.oip.Inference;
import dev.twinrank.server.oip.OipProblems;
import dev.twinrank.server.oip.grpc.wire.ModelInferRequest;
import dev.twinrank.server.ops.Exchange;
import dev.twinrank.server.ops.Metrics;
import java.io.IOException;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/** The call that scores. Thread-safe. */
final class InferCall implements Calls.Handler {
  private final Desk desk;
  private final Metrics metrics;
  private final Supplier<Models> models;
  private final Inference inference;

  InferCall(Desk desk, Metrics metrics, Supplier<Models> models, Inference inference) {
    this.desk = desk;
    this.metrics = metrics;
    this.models = models;
    this.inference = inference;
  }

  /** Which version a message asks, as it says. */
  private record Asked(String model, Optional<String> version) {
    static Asked of(String model, String version) {
      return new Asked(model, Optional.of(version).filter(given -> !given.isEmpty()));
    }
  }

  @Override
  public HttpResponse answer(ServiceRequestContext ctx, HttpRequest request) {
    Coding coding;
    try {
      desk.enter(ctx);
      coding = Coding.of(request.headers());
    } catch (RuntimeException e) {
      begin(ctx, Metrics.NO_MODEL);
      throw e;
    }
    return HttpResponse.of(
        request
            .aggregate()
            .whenComplete(
                (whole, thrown) -> {
                  if (thrown != null) {
                    begin(ctx, Metrics.NO_MODEL);
                  }
                })
            .thenCompose(whole -> score(ctx, whole, coding)));
  }

  private Exchange begin(ServiceRequestContext ctx, String label) {
    return Exchange.begin(ctx, metrics, Exchange.Protocol.OIP_GRPC, label);
  }

  private CompletableFuture<HttpResponse> score(
      ServiceRequestContext ctx, AggregatedHttpRequest whole, Coding coding) {
    Message message;
    Asked asked;
    try {
      message = Message.of(whole.content(), coding, ctx.maxRequestLength());
      asked = asked(message);
    } catch (RuntimeException e) {
      begin(ctx, Metrics.NO_MODEL);
      throw e;
    }
    Exchange exchange =
        begin(ctx, models.get().has(asked.model()) ? asked.model() : Metrics.NO_MODEL);
    desk.find(asked.model(), asked.version());
    Call call =
        new Call(
            exchange,
            asked.model(),
            asked.version(),
            message.length(),
            OptionalInt.empty(),
            Deadlines.of(whole.headers()));
    return desk.submit(
            call,
            (lease, cancellation) ->
                Calls.answer(
                    whole.headers(),
                    coding,
                    Tensors.response(
                        inference.infer(
                            exchange, lease, cancellation, () -> read(message, asked)))))
        .thenApply(
            answer -> {
              exchange.finish(Metrics.OK);
              return answer;
            });
  }

  private static InferRequest read(Message message, Asked asked) {
    ModelInferRequest whole = message.read(ModelInferRequest.parser());
    if (!asked.equals(Asked.of(whole.getModelName(), whole.getModelVersion()))) {
      throw OipProblems.request(
          "model_name or model_version comes after the inputs or twice; write the fields in their order");
    }
    return Tensors.request(whole);
  }

  /**
   * Looks for the model's name without reading the rest, which is a scoring thread's work: what
   * lies between is skipped. Of a compressed message only the beginning is looked at, because
   * clients write fields in the order of their numbers.
   */
  private static Asked asked(Message message) {
    String model = "";
    String version = "";
    try {
      CodedInputStream in = message.fields();
      boolean named = false;
      for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
        int field = WireFormat.getTagFieldNumber(tag);
        if (field == ModelInferRequest.MODEL_NAME_FIELD_NUMBER) {
          model = in.readStringRequireUtf8();
          named = true;
        } else if (field == ModelInferRequest.MODEL_VERSION_FIELD_NUMBER) {
          version = in.readStringRequireUtf8();
        } else if (named && message.coding() != Coding.IDENTITY) {
          break;
        } else {
          in.skipField(tag);
        }
      }
    } catch (IOException e) {
      throw message.undone(e);
    }
    return Asked.of(model, version);
  }
}
