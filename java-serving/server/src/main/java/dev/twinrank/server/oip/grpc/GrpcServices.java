package dev.twinrank.server.oip.grpc;

import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.Descriptors.ServiceDescriptor;
import com.linecorp.armeria.server.ServerBuilder;
import dev.twinrank.server.flow.Desk;
import dev.twinrank.server.flow.Gate;
import dev.twinrank.server.life.Models;
import dev.twinrank.server.oip.Inference;
import dev.twinrank.server.oip.grpc.wire.HealthCheckRequest;
import dev.twinrank.server.oip.grpc.wire.HealthProto;
import dev.twinrank.server.oip.grpc.wire.InferenceProto;
import dev.twinrank.server.oip.grpc.wire.ModelConfigRequest;
import dev.twinrank.server.oip.grpc.wire.ModelMetadataRequest;
import dev.twinrank.server.oip.grpc.wire.ModelReadyRequest;
import dev.twinrank.server.oip.grpc.wire.ModelStatisticsRequest;
import dev.twinrank.server.oip.grpc.wire.RepositoryIndexRequest;
import dev.twinrank.server.oip.grpc.wire.ServerLiveRequest;
import dev.twinrank.server.oip.grpc.wire.ServerLiveResponse;
import dev.twinrank.server.oip.grpc.wire.ServerMetadataRequest;
import dev.twinrank.server.oip.grpc.wire.ServerReadyRequest;
import dev.twinrank.server.oip.grpc.wire.v1.ReflectionProto;
import dev.twinrank.server.ops.Metrics;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;

/** The services of this server that gRPC clients call, on the port of everything else. */
public final class GrpcServices {
  private static final String INFERENCE = "inference.GRPCInferenceService";
  private static final String HEALTH = "grpc.health.v1.Health";
  private static final List<String> REFLECTION =
      List.of(
          "grpc.reflection.v1.ServerReflection",
          // The same messages under the name that older tools ask for.
          "grpc.reflection.v1alpha.ServerReflection");

  private static final List<FileDescriptor> FILES =
      List.of(
          InferenceProto.getDescriptor(),
          HealthProto.getDescriptor(),
          ReflectionProto.getDescriptor());

  private GrpcServices() {}

  /** Adds the services to a server. */
  public static void add(
      ServerBuilder server,
      Gate gate,
      Desk desk,
      Metrics metrics,
      Supplier<Models> models,
      Inference inference) {
    Descriptions told = new Descriptions(gate, desk, models, inference);
    Calls inferences =
        new Calls()
            .unary(
                path("ServerLive"),
                ServerLiveRequest.parser(),
                asked -> ServerLiveResponse.newBuilder().setLive(true).build())
            .unary(path("ServerReady"), ServerReadyRequest.parser(), asked -> told.ready())
            .unary(path("ModelReady"), ModelReadyRequest.parser(), told::ready)
            .unary(
                path("ServerMetadata"),
                ServerMetadataRequest.parser(),
                asked -> Descriptions.server())
            .unary(path("ModelMetadata"), ModelMetadataRequest.parser(), told::metadata)
            .unary(path("ModelInfer"), new InferCall(desk, metrics, models, inference))
            .unary(path("ModelConfig"), ModelConfigRequest.parser(), told::config)
            .unary(path("ModelStatistics"), ModelStatisticsRequest.parser(), told::statistics)
            .unary(path("RepositoryIndex"), RepositoryIndexRequest.parser(), told::index);
    server.serviceUnder("/" + INFERENCE, inferences);
    addHealth(server, gate);
    Reflection reflection = new Reflection(FILES);
    for (String service : REFLECTION) {
      server.serviceUnder(
          "/" + service, new Calls().stream("/" + service + "/ServerReflectionInfo", reflection));
    }
  }

  /** Returns the paths of all methods. */
  public static Set<String> paths() {
    Set<String> paths = new HashSet<>();
    for (FileDescriptor file : FILES) {
      for (ServiceDescriptor service : file.getServices()) {
        service
            .getMethods()
            .forEach(method -> paths.add("/" + service.getFullName() + "/" + method.getName()));
      }
    }
    REFLECTION.forEach(service -> paths.add("/" + service + "/ServerReflectionInfo"));
    return paths;
  }

  private static void addHealth(ServerBuilder server, Gate gate) {
    Healths healths = new Healths(gate, Set.of(INFERENCE));
    server.serviceUnder(
        "/" + HEALTH,
        new Calls()
            .unary("/" + HEALTH + "/Check", HealthCheckRequest.parser(), healths::check).stream(
                "/" + HEALTH + "/Watch", healths::watch));
  }

  private static String path(String method) {
    return "/" + INFERENCE + "/" + method;
  }
}
