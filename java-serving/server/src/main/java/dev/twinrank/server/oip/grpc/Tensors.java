package dev.twinrank.server.oip.grpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import dev.twinrank.server.oip.Datatype;
import dev.twinrank.server.oip.InferRequest;
import dev.twinrank.server.oip.InferResponse;
import dev.twinrank.server.oip.OipProblems;
import dev.twinrank.server.oip.RequestedOutput;
import dev.twinrank.server.oip.Tensor;
import dev.twinrank.server.oip.grpc.wire.InferParameter;
import dev.twinrank.server.oip.grpc.wire.InferTensorContents;
import dev.twinrank.server.oip.grpc.wire.ModelInferRequest;
import dev.twinrank.server.oip.grpc.wire.ModelInferRequest.InferInputTensor;
import dev.twinrank.server.oip.grpc.wire.ModelInferRequest.InferRequestedOutputTensor;
import dev.twinrank.server.oip.grpc.wire.ModelInferResponse;
import dev.twinrank.server.oip.grpc.wire.ModelInferResponse.InferOutputTensor;
import dev.twinrank.server.problem.Refusal;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Requests and answers between their messages and what is scored. */
final class Tensors {
  private Tensors() {}

  /**
   * Returns what a message asks for. Raw inputs are views of the message's bytes.
   *
   * @throws Refusal {@code invalid_request} or {@code invalid_tensor}
   */
  static InferRequest request(ModelInferRequest message) {
    List<Tensor> inputs = new ArrayList<>(message.getInputsCount());
    boolean raw = message.getRawInputContentsCount() > 0;
    if (raw && message.getRawInputContentsCount() != message.getInputsCount()) {
      throw OipProblems.request(
          "%d raw_input_contents for %d inputs; send one for each, or none and the contents of each"
              .formatted(message.getRawInputContentsCount(), message.getInputsCount()));
    }
    for (int i = 0; i < message.getInputsCount(); i++) {
      InferInputTensor input = message.getInputs(i);
      if (raw && input.hasContents()) {
        throw OipProblems.tensor(
            input.getName(), "has contents beside raw_input_contents; send one of both");
      }
      if (input.getParametersCount() > 0) {
        throw OipProblems.tensor(
            input.getName(),
            "has parameters (%s); none means anything here"
                .formatted(String.join(", ", input.getParametersMap().keySet())));
      }
      Datatype datatype =
          Datatype.find(input.getDatatype())
              .orElseThrow(
                  () ->
                      OipProblems.tensor(
                          input.getName(),
                          "has the datatype '%s', which is none of the protocol's"
                              .formatted(input.getDatatype())));
      ByteBuffer data =
          raw
              ? message.getRawInputContents(i).asReadOnlyByteBuffer()
              : contents(input.getName(), datatype, input.getContents());
      inputs.add(Tensor.of(input.getName(), datatype, shape(input), data));
    }
    List<RequestedOutput> outputs = new ArrayList<>(message.getOutputsCount());
    for (InferRequestedOutputTensor output : message.getOutputsList()) {
      outputs.add(new RequestedOutput(output.getName(), parameters(output.getParametersMap())));
    }
    return new InferRequest(
        Optional.of(message.getId()).filter(id -> !id.isEmpty()),
        parameters(message.getParametersMap()),
        inputs,
        outputs);
  }

  private static long[] shape(InferInputTensor input) {
    long[] shape = new long[input.getShapeCount()];
    for (int i = 0; i < shape.length; i++) {
      shape[i] = input.getShape(i);
    }
    return shape;
  }

  private static Map<String, Object> parameters(Map<String, InferParameter> given) {
    if (given.isEmpty()) {
      return Map.of();
    }
    Map<String, Object> read = new HashMap<>();
    given.forEach((name, value) -> read.put(name, parameter(name, value)));
    return read;
  }

  private static Object parameter(String name, InferParameter value) {
    return switch (value.getParameterChoiceCase()) {
      case BOOL_PARAM -> value.getBoolParam();
      case INT64_PARAM -> value.getInt64Param();
      case STRING_PARAM -> value.getStringParam();
      case DOUBLE_PARAM -> value.getDoubleParam();
      case UINT64_PARAM -> {
        if (value.getUint64Param() < 0) {
          throw OipProblems.request(
              "parameter '%s' is %s; no parameter is so large"
                  .formatted(name, Long.toUnsignedString(value.getUint64Param())));
        }
        yield value.getUint64Param();
      }
      case PARAMETERCHOICE_NOT_SET ->
          throw OipProblems.request("parameter '%s' has no value".formatted(name));
    };
  }

  /** Returns typed contents in binary form. */
  private static ByteBuffer contents(String name, Datatype datatype, InferTensorContents given) {
    int count = count(datatype, given);
    if (count < 0) {
      throw OipProblems.tensor(
          name,
          "is %s, which has no member in contents; send it in raw_input_contents"
              .formatted(datatype));
    }
    int others =
        given.getBoolContentsCount()
            + given.getIntContentsCount()
            + given.getInt64ContentsCount()
            + given.getUintContentsCount()
            + given.getUint64ContentsCount()
            + given.getFp32ContentsCount()
            + given.getFp64ContentsCount()
            + given.getBytesContentsCount()
            - count;
    if (others > 0) {
      throw OipProblems.tensor(
          name,
          "is %s and has %d values in another member of contents; send them in %s"
              .formatted(datatype, others, member(datatype)));
    }
    if (datatype == Datatype.BYTES) {
      return strings(name, given);
    }
    ByteBuffer data =
        ByteBuffer.allocate(Math.multiplyExact(count, datatype.width()))
            .order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < count; i++) {
      switch (datatype) {
        case BOOL -> data.put((byte) (given.getBoolContents(i) ? 1 : 0));
        case INT8 -> data.put((byte) fits(name, datatype, i, given.getIntContents(i)));
        case INT16 -> data.putShort((short) fits(name, datatype, i, given.getIntContents(i)));
        case INT32 -> data.putInt(given.getIntContents(i));
        case INT64 -> data.putLong(given.getInt64Contents(i));
        case UINT8 -> data.put((byte) fits(name, datatype, i, given.getUintContents(i)));
        case UINT16 -> data.putShort((short) fits(name, datatype, i, given.getUintContents(i)));
        case UINT32 -> data.putInt(given.getUintContents(i));
        case UINT64 -> data.putLong(given.getUint64Contents(i));
        case FP32 -> data.putFloat(given.getFp32Contents(i));
        case FP64 -> data.putDouble(given.getFp64Contents(i));
        case FP16, BF16, BYTES -> throw new IllegalStateException(datatype + " is none of these");
      }
    }
    return data.flip();
  }

  private static int count(Datatype datatype, InferTensorContents given) {
    return switch (datatype) {
      case BOOL -> given.getBoolContentsCount();
      case INT8, INT16, INT32 -> given.getIntContentsCount();
      case INT64 -> given.getInt64ContentsCount();
      case UINT8, UINT16, UINT32 -> given.getUintContentsCount();
      case UINT64 -> given.getUint64ContentsCount();
      case FP32 -> given.getFp32ContentsCount();
      case FP64 -> given.getFp64ContentsCount();
      case BYTES -> given.getBytesContentsCount();
      case FP16, BF16 -> -1;
    };
  }

  private static String member(Datatype datatype) {
    return switch (datatype) {
      case BOOL -> "bool_contents";
      case INT8, INT16, INT32 -> "int_contents";
      case INT64 -> "int64_contents";
      case UINT8, UINT16, UINT32 -> "uint_contents";
      case UINT64 -> "uint64_contents";
      case FP32 -> "fp32_contents";
      case FP64 -> "fp64_contents";
      case BYTES -> "bytes_contents";
      case FP16, BF16 -> throw new IllegalStateException(datatype + " has none");
    };
  }

  /** Returns a value of 32 bits that fits a type of fewer. */
  private static int fits(String name, Datatype datatype, int element, int value) {
    boolean fits =
        switch (datatype) {
          case INT8 -> value == (byte) value;
          case INT16 -> value == (short) value;
          case UINT8 -> value == (value & 0xff);
          case UINT16 -> value == (value & 0xffff);
          default -> throw new IllegalStateException(datatype + " has 32 bits or more");
        };
    if (!fits) {
      throw OipProblems.tensor(
          name,
          "has %s at element %d, which %s does not hold"
              .formatted(
                  datatype.kind() == Datatype.Kind.UNSIGNED
                      ? Integer.toUnsignedString(value)
                      : Integer.toString(value),
                  element,
                  datatype));
    }
    return value;
  }

  private static ByteBuffer strings(String name, InferTensorContents given) {
    long size = 0;
    for (ByteString each : given.getBytesContentsList()) {
      size += Integer.BYTES + each.size();
    }
    if (size > Integer.MAX_VALUE) {
      throw OipProblems.tensor(name, "has %d bytes".formatted(size));
    }
    ByteBuffer data = ByteBuffer.allocate((int) size).order(ByteOrder.LITTLE_ENDIAN);
    for (ByteString each : given.getBytesContentsList()) {
      data.putInt(each.size());
      each.copyTo(data);
    }
    return data.flip();
  }

  /** Returns the message of an answer; its raw contents are views of the answer's memory. */
  static ModelInferResponse response(InferResponse answer) {
    ModelInferResponse.Builder message =
        ModelInferResponse.newBuilder()
            .setModelName(answer.model())
            .setModelVersion(Long.toString(answer.version()))
            .putParameters(
                "bundle", InferParameter.newBuilder().setStringParam(answer.bundle()).build());
    answer.id().ifPresent(message::setId);
    for (Tensor tensor : answer.outputs()) {
      InferOutputTensor.Builder output =
          message.addOutputsBuilder().setName(tensor.name()).setDatatype(tensor.datatype().name());
      for (int i = 0; i < tensor.rank(); i++) {
        output.addShape(tensor.size(i));
      }
      message.addRawOutputContents(UnsafeByteOperations.unsafeWrap(tensor.data()));
    }
    return message.build();
  }
}
