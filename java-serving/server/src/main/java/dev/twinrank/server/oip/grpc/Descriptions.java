package dev.twinrank.server.oip.grpc;

import dev.twinrank.core.ModelStore.Entry;
import dev.twinrank.server.flow.Desk;
import dev.twinrank.server.flow.Gate;
import dev.twinrank.server.life.Models;
import dev.twinrank.server.oip.Datatype;
import dev.twinrank.server.oip.Inference;
import dev.twinrank.server.oip.InferenceStatistics.Counts;
import dev.twinrank.server.oip.InferenceStatistics.Duration;
import dev.twinrank.server.oip.ModelCard;
import dev.twinrank.server.oip.TensorCard;
import dev.twinrank.server.oip.grpc.wire.DataType;
import dev.twinrank.server.oip.grpc.wire.InferBatchStatistics;
import dev.twinrank.server.oip.grpc.wire.InferStatistics;
import dev.twinrank.server.oip.grpc.wire.ModelConfig;
import dev.twinrank.server.oip.grpc.wire.ModelConfigRequest;
import dev.twinrank.server.oip.grpc.wire.ModelConfigResponse;
import dev.twinrank.server.oip.grpc.wire.ModelInput;
import dev.twinrank.server.oip.grpc.wire.ModelMetadataRequest;
import dev.twinrank.server.oip.grpc.wire.ModelMetadataResponse;
import dev.twinrank.server.oip.grpc.wire.ModelOutput;
import dev.twinrank.server.oip.grpc.wire.ModelParameter;
import dev.twinrank.server.oip.grpc.wire.ModelReadyRequest;
import dev.twinrank.server.oip.grpc.wire.ModelReadyResponse;
import dev.twinrank.server.oip.grpc.wire.ModelResponseCache;
import dev.twinrank.server.oip.grpc.wire.ModelStatistics;
import dev.twinrank.server.oip.grpc.wire.ModelStatisticsRequest;
import dev.twinrank.server.oip.grpc.wire.ModelStatisticsResponse;
import dev.twinrank.server.oip.grpc.wire.ModelTransactionPolicy;
import dev.twinrank.server.oip.grpc.wire.RepositoryIndexRequest;
import dev.twinrank.server.oip.grpc.wire.RepositoryIndexResponse;
import dev.twinrank.server.oip.grpc.wire.RepositoryIndexResponse.ModelIndex;
import dev.twinrank.server.oip.grpc.wire.ServerMetadataResponse;
import dev.twinrank.server.oip.grpc.wire.ServerReadyResponse;
import dev.twinrank.server.oip.grpc.wire.StatisticDuration;
import dev.twinrank.server.problem.Refusal;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Supplier;

/** What the server and its models say of themselves. Thread-safe. */
final class Descriptions {
  private static final List<String> EXTENSIONS =
      List.of("binary_tensor_data", "statistics", "model_configuration", "model_repository");
  private static final String BACKEND = "twinrank";
  private static final String READY = "READY";

  private final Gate gate;
  private final Desk desk;
  private final Supplier<Models> models;
  private final Inference inference;

  Descriptions(Gate gate, Desk desk, Supplier<Models> models, Inference inference) {
    this.gate = gate;
    this.desk = desk;
    this.models = models;
    this.inference = inference;
  }

  private static Optional<String> version(String given) {
    return Optional.of(given).filter(each -> !each.isEmpty());
  }

  private ModelCard card(String name, String version) {
    return desk.look(name, version(version), inference::card);
  }

  ServerReadyResponse ready() {
    return ServerReadyResponse.newBuilder().setReady(gate.closed().isEmpty()).build();
  }

  /** A model that is not there is one that is not ready: no error, as clients expect. */
  ModelReadyResponse ready(ModelReadyRequest asked) {
    boolean there;
    try {
      desk.find(asked.getName(), version(asked.getVersion()));
      there = true;
    } catch (Refusal e) {
      there = false;
    }
    return ModelReadyResponse.newBuilder().setReady(there && gate.closed().isEmpty()).build();
  }

  static ServerMetadataResponse server() {
    Optional<String> version =
        Optional.ofNullable(Descriptions.class.getPackage().getImplementationVersion());
    return ServerMetadataResponse.newBuilder()
        .setName("twinrank-server")
        .setVersion(version.orElse("development"))
        .addAllExtensions(EXTENSIONS)
        .build();
  }

  ModelMetadataResponse metadata(ModelMetadataRequest asked) {
    ModelCard card = card(asked.getName(), asked.getVersion());
    ModelMetadataResponse.Builder told =
        ModelMetadataResponse.newBuilder()
            .setName(card.name())
            .addVersions(Long.toString(card.version()))
            .setPlatform(ModelCard.PLATFORM)
            .putProperties("bundle", card.bundle())
            .putProperties("verification", card.verification())
            .putProperties("max_candidates", Integer.toString(card.maxCandidates()));
    for (TensorCard input : card.inputs()) {
      told.addInputsBuilder()
          .setName(input.name())
          .setDatatype(input.datatype().name())
          .addAllShape(input.shape());
    }
    for (TensorCard output : card.outputs()) {
      told.addOutputsBuilder()
          .setName(output.name())
          .setDatatype(output.datatype().name())
          .addAllShape(output.shape());
    }
    return told.build();
  }

  ModelConfigResponse config(ModelConfigRequest asked) {
    ModelCard card = card(asked.getName(), asked.getVersion());
    ModelConfig.Builder config =
        ModelConfig.newBuilder()
            .setName(card.name())
            .setPlatform(ModelCard.PLATFORM)
            .setBackend(BACKEND)
            .setModelTransactionPolicy(ModelTransactionPolicy.getDefaultInstance())
            .setResponseCache(ModelResponseCache.getDefaultInstance())
            .putParameters("bundle", parameter(card.bundle()))
            .putParameters("verification", parameter(card.verification()))
            .putParameters("max_candidates", parameter(Integer.toString(card.maxCandidates())));
    for (TensorCard input : card.inputs()) {
      config.addInput(
          ModelInput.newBuilder()
              .setName(input.name())
              .setDataType(type(input.datatype()))
              .addAllDims(input.shape())
              .setOptional(input.optional()));
    }
    for (TensorCard output : card.outputs()) {
      config.addOutput(
          ModelOutput.newBuilder()
              .setName(output.name())
              .setDataType(type(output.datatype()))
              .addAllDims(output.shape()));
    }
    return ModelConfigResponse.newBuilder().setConfig(config).build();
  }

  private static ModelParameter parameter(String value) {
    return ModelParameter.newBuilder().setStringValue(value).build();
  }

  private static DataType type(Datatype datatype) {
    return datatype == Datatype.BYTES
        ? DataType.TYPE_STRING
        : DataType.valueOf("TYPE_" + datatype.name().toUpperCase(Locale.ROOT));
  }

  /** Tells of one version; of every active one if no model is named. */
  ModelStatisticsResponse statistics(ModelStatisticsRequest asked) {
    ModelStatisticsResponse.Builder told = ModelStatisticsResponse.newBuilder();
    if (asked.getName().isEmpty()) {
      models
          .get()
          .all()
          .forEach(each -> told.addModelStats(statistics(each.name(), each.version())));
    } else {
      ModelCard card = card(asked.getName(), asked.getVersion());
      told.addModelStats(statistics(card.name(), card.version()));
    }
    return told.build();
  }

  private ModelStatistics statistics(String model, long version) {
    Counts counts = inference.statistics().of(model, version);
    StatisticDuration none = StatisticDuration.getDefaultInstance();
    ModelStatistics.Builder told =
        ModelStatistics.newBuilder()
            .setName(model)
            .setVersion(Long.toString(version))
            .setLastInference(counts.lastInference())
            .setInferenceCount(counts.success().count())
            .setExecutionCount(counts.success().count())
            .setInferenceStats(
                InferStatistics.newBuilder()
                    .setSuccess(duration(counts.success()))
                    .setFail(duration(counts.fail()))
                    .setQueue(duration(counts.queue()))
                    .setComputeInput(duration(counts.input()))
                    .setComputeInfer(duration(counts.infer()))
                    .setComputeOutput(duration(counts.output()))
                    .setCacheHit(none)
                    .setCacheMiss(none));
    if (counts.success().count() > 0) {
      told.addBatchStats(
          InferBatchStatistics.newBuilder()
              .setBatchSize(1)
              .setComputeInput(duration(counts.input()))
              .setComputeInfer(duration(counts.infer()))
              .setComputeOutput(duration(counts.output())));
    }
    return told.build();
  }

  private static StatisticDuration duration(Duration given) {
    return StatisticDuration.newBuilder().setCount(given.count()).setNs(given.nanos()).build();
  }

  RepositoryIndexResponse index(RepositoryIndexRequest asked) {
    RepositoryIndexResponse.Builder told = RepositoryIndexResponse.newBuilder();
    for (Entry entry : models.get().all()) {
      told.addModels(
          ModelIndex.newBuilder()
              .setName(entry.name())
              .setVersion(Long.toString(entry.version()))
              .setState(READY));
    }
    return told.build();
  }
}
