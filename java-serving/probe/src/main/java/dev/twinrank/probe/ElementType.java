package dev.twinrank.probe;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.TensorInfo.OnnxTensorType;
import dev.twinrank.probe.GraphException.Code;
import java.util.Locale;

/**
 * The element types of ONNX tensors, in the order of their numbers, which begin with 1. A binding
 * type stands where the binding takes such a tensor from us.
 */
enum ElementType {
  FLOAT32(32, OnnxJavaType.FLOAT),
  UINT8(8, OnnxJavaType.UINT8),
  INT8(8, OnnxJavaType.INT8),
  UINT16(16, null),
  INT16(16, OnnxJavaType.INT16),
  INT32(32, OnnxJavaType.INT32),
  INT64(64, OnnxJavaType.INT64),
  STRING(0, OnnxJavaType.STRING),
  BOOL(8, OnnxJavaType.BOOL),
  FLOAT16(16, OnnxJavaType.FLOAT16),
  FLOAT64(64, OnnxJavaType.DOUBLE),
  UINT32(32, null),
  UINT64(64, null),
  COMPLEX64(64, null),
  COMPLEX128(128, null),
  BFLOAT16(16, OnnxJavaType.BFLOAT16),
  FLOAT8E4M3FN(8, null),
  FLOAT8E4M3FNUZ(8, null),
  FLOAT8E5M2(8, null),
  FLOAT8E5M2FNUZ(8, null),
  UINT4(4, null),
  INT4(4, null),
  FLOAT4E2M1(4, null),
  FLOAT8E8M0(8, null),
  UINT2(2, null),
  INT2(2, null);

  private static final String BINDING_PREFIX = "ONNX_TENSOR_ELEMENT_DATA_TYPE_";

  private final int bits;
  private final OnnxJavaType binding;

  ElementType(int bits, OnnxJavaType binding) {
    this.bits = bits;
    this.binding = binding;
  }

  /**
   * Returns the type of a number of TensorProto.DataType.
   *
   * @throws GraphException {@code invalid_value} if ONNX has none
   */
  static ElementType of(long number) {
    if (number < 1 || number > values().length) {
      throw new GraphException(
          Code.INVALID_VALUE,
          "%d is no element type; 1 to %d are".formatted(number, values().length));
    }
    return values()[(int) number - 1];
  }

  /**
   * Returns the type of a label.
   *
   * @throws ProtocolException {@code invalid_header} if there is none
   */
  static ElementType of(String label) {
    for (ElementType type : values()) {
      if (type.label().equals(label)) {
        return type;
      }
    }
    throw RequestHeader.invalid("'%s' is no dtype".formatted(label));
  }

  /**
   * Returns the type of the binding's constant, whose numbers are not ONNX's.
   *
   * @throws GraphException {@code unsupported_type} if the binding does not know it
   */
  static ElementType of(String name, OnnxTensorType given) {
    String text = given.name().substring(BINDING_PREFIX.length());
    return switch (text) {
      case "FLOAT" -> FLOAT32;
      case "DOUBLE" -> FLOAT64;
      case "UNDEFINED" ->
          throw new GraphException(
              Code.UNSUPPORTED_TYPE,
              "'%s' has an element type that the Java binding of ONNX Runtime does not know"
                  .formatted(name));
      default -> valueOf(text);
    };
  }

  String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * Returns how many bytes that many elements take, strings aside.
   *
   * @throws ArithmeticException if a long cannot hold it
   */
  long bytes(long elements) {
    return Math.addExact(Math.multiplyExact(elements, bits), 7) / 8;
  }

  /**
   * Returns what the binding calls it.
   *
   * @throws GraphException {@code unsupported_type} if the binding takes no such tensor
   */
  OnnxJavaType binding(String name) {
    if (binding == null) {
      throw new GraphException(
          Code.UNSUPPORTED_TYPE,
          "'%s' is %s, which the Java binding of ONNX Runtime does not take"
              .formatted(name, label()));
    }
    return binding;
  }
}
