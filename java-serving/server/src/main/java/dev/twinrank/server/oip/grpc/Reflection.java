package dev.twinrank.server.oip.grpc;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.EnumDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.Descriptors.GenericDescriptor;
import com.google.protobuf.Descriptors.ServiceDescriptor;
import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpHeaders;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.stream.StreamMessage;
import com.linecorp.armeria.common.util.Exceptions;
import com.linecorp.armeria.server.ServiceRequestContext;
import dev.twinrank.server.oip.grpc.wire.v1.ErrorResponse;
import dev.twinrank.server.oip.grpc.wire.v1.FileDescriptorResponse;
import dev.twinrank.server.oip.grpc.wire.v1.ListServiceResponse;
import dev.twinrank.server.oip.grpc.wire.v1.ServerReflectionRequest;
import dev.twinrank.server.oip.grpc.wire.v1.ServerReflectionResponse;
import dev.twinrank.server.oip.grpc.wire.v1.ServiceResponse;
import dev.twinrank.server.problem.Refusal;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Tells which services there are and what their messages look like, so that {@code grpcurl} and its
 * kind need no files. Thread-safe.
 */
final class Reflection implements Calls.Handler {
  private final List<FileDescriptor> files;
  private final Map<String, FileDescriptor> symbols = new HashMap<>();

  /** Tells of what these files define. */
  Reflection(List<FileDescriptor> files) {
    this.files = files;
    for (FileDescriptor file : files) {
      file.getMessageTypes().forEach(this::define);
      file.getEnumTypes().forEach(this::define);
      file.getServices().forEach(this::define);
    }
  }

  private void define(GenericDescriptor symbol) {
    symbols.put(symbol.getFullName(), symbol.getFile());
    if (symbol instanceof Descriptor message) {
      message.getFields().forEach(this::define);
      message.getNestedTypes().forEach(this::define);
      message.getEnumTypes().forEach(this::define);
    } else if (symbol instanceof EnumDescriptor names) {
      names.getValues().forEach(this::define);
    } else if (symbol instanceof ServiceDescriptor service) {
      service.getMethods().forEach(this::define);
    }
  }

  @Override
  public HttpResponse answer(ServiceRequestContext ctx, HttpRequest request) {
    Coding coding = Coding.of(request.headers());
    Coding own = Coding.forAnswer(request.headers(), coding);
    StreamMessage<HttpData> answers =
        request
            .decode(new Frames(coding, ctx.maxRequestLength()))
            .map(
                message ->
                    Message.frame(answer(message.read(ServerReflectionRequest.parser())), own));
    return HttpResponse.of(Calls.headers(own), answers, Reflection::trailers);
  }

  private static HttpHeaders trailers(Throwable thrown) {
    return thrown == null
        ? GrpcStatus.fine()
        : GrpcStatus.ended(Refusal.problemOf(Exceptions.peel(thrown)));
  }

  private ServerReflectionResponse answer(ServerReflectionRequest asked) {
    ServerReflectionResponse.Builder told =
        ServerReflectionResponse.newBuilder()
            .setValidHost(asked.getHost())
            .setOriginalRequest(asked);
    switch (asked.getMessageRequestCase()) {
      case LIST_SERVICES -> told.setListServicesResponse(services());
      case FILE_BY_FILENAME ->
          file(
              told,
              files.stream()
                  .filter(each -> each.getName().equals(asked.getFileByFilename()))
                  .findFirst());
      case FILE_CONTAINING_SYMBOL ->
          file(told, Optional.ofNullable(symbols.get(asked.getFileContainingSymbol())));
      case FILE_CONTAINING_EXTENSION, ALL_EXTENSION_NUMBERS_OF_TYPE ->
          error(told, GrpcStatus.NOT_FOUND, "no message of this server has extensions");
      case MESSAGEREQUEST_NOT_SET ->
          error(told, GrpcStatus.INVALID_ARGUMENT, "the request asks for nothing");
    }
    return told.build();
  }

  private ListServiceResponse services() {
    ListServiceResponse.Builder list = ListServiceResponse.newBuilder();
    for (FileDescriptor file : files) {
      for (ServiceDescriptor service : file.getServices()) {
        list.addService(ServiceResponse.newBuilder().setName(service.getFullName()));
      }
    }
    return list.build();
  }

  private static void file(ServerReflectionResponse.Builder told, Optional<FileDescriptor> file) {
    if (file.isEmpty()) {
      error(
          told, GrpcStatus.NOT_FOUND, "no such file or symbol; list_services tells what there is");
      return;
    }
    told.setFileDescriptorResponse(
        FileDescriptorResponse.newBuilder()
            .addFileDescriptorProto(file.get().toProto().toByteString()));
  }

  private static void error(
      ServerReflectionResponse.Builder told, GrpcStatus status, String message) {
    told.setErrorResponse(
        ErrorResponse.newBuilder().setErrorCode(status.number).setErrorMessage(message));
  }
}
