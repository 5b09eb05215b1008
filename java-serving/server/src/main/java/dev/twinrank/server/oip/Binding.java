package dev.twinrank.server.oip;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.Feature;
import dev.twinrank.core.Handle;
import dev.twinrank.core.Placement;
import dev.twinrank.core.Slate;
import dev.twinrank.server.oip.Signature.Input;
import dev.twinrank.server.problem.Json;
import dev.twinrank.server.problem.Refusal;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.regex.Pattern;

/**
 * The tensors of one request, each with the feature that it is of: names, types and shapes are
 * checked here, values by the slate that they are written to. Not thread-safe.
 */
final class Binding {
  private static final Pattern FEATURE = Pattern.compile("[A-Za-z_][A-Za-z0-9_]{0,63}");
  private static final int[] NO_STARTS = {};

  private final Signature signature;
  private final List<Feature> features;
  // By the feature's place in the schema; null where there is none.
  private final Tensor[] values;
  private final Tensor[] lengths;
  private final Tensor[] present;
  private final int candidates;

  // The input that said how many candidates there are.
  private String counted = "";
  private long count = -1;

  /**
   * Binds tensors.
   *
   * @param stated how many candidates the request says that there are
   * @throws Refusal {@code unknown_feature}, {@code wrong_type}, {@code invalid_tensor} or {@code
   *     invalid_request}
   */
  Binding(Signature signature, List<Tensor> inputs, OptionalInt stated) {
    this.signature = signature;
    this.features = signature.schema().features();
    this.values = new Tensor[features.size()];
    this.lengths = new Tensor[features.size()];
    this.present = new Tensor[features.size()];
    for (Tensor tensor : inputs) {
      place(tensor);
    }
    if (stated.isPresent()) {
      counted = "the parameter 'candidates'";
      count = stated.getAsInt();
    }
    for (int i = 0; i < values.length; i++) {
      check(i);
    }
    if (count < 0) {
      throw OipProblems.request(
          "nothing says how many candidates there are; send a candidate feature, or the parameter"
              + " 'candidates'");
    }
    candidates = (int) Math.min(count, Integer.MAX_VALUE);
  }

  /** Returns how many candidates there are. */
  int candidates() {
    return candidates;
  }

  private void place(Tensor tensor) {
    Input input = signature.inputs().get(tensor.name());
    if (input == null) {
      throw OipProblems.of(
          ErrorCode.UNKNOWN_FEATURE,
          "no input %s; the inputs are %s"
              .formatted(
                  OipProblems.quoted(tensor.name()),
                  String.join(", ", signature.inputs().keySet())),
          Optional.of(tensor.name()).filter(name -> FEATURE.matcher(name).matches()));
    }
    Tensor[] of =
        switch (input.role()) {
          case VALUE -> values;
          case LENGTHS -> lengths;
          case PRESENT -> present;
        };
    if (of[input.feature()] != null) {
      throw OipProblems.tensor(tensor.name(), "is there twice; send it once");
    }
    of[input.feature()] = tensor;
  }

  private void check(int index) {
    Tensor tensor = values[index];
    Feature feature = features.get(index);
    if (tensor == null) {
      requireNoneBeside(feature, lengths[index]);
      requireNoneBeside(feature, present[index]);
      return;
    }
    requireType(feature, tensor);
    if (feature.placement() == Placement.CONTEXT) {
      checkContext(feature, tensor);
      return;
    }
    if (feature.list().isPresent() && tensor.rank() == 1) {
      checkRagged(feature, tensor, lengths[index]);
    } else {
      if (lengths[index] != null) {
        throw OipProblems.tensor(
            tensor.name(),
            "has the shape %s and lengths beside it; with lengths, send all values one after another"
                .formatted(shape(tensor)));
      }
      boolean single = feature.list().isEmpty() && feature.vector().isEmpty();
      boolean fits =
          single
              ? tensor.rank() == 1 || (tensor.rank() == 2 && tensor.size(1) == 1)
              : tensor.rank() == 2;
      if (!fits) {
        throw OipProblems.tensor(
            tensor.name(),
            "has the shape %s; %s"
                .formatted(
                    shape(tensor),
                    single ? "send [n], a value a candidate" : "send [n, m], a row a candidate"));
      }
      count(tensor.name(), tensor.size(0));
    }
    if (present[index] != null) {
      requireVector(present[index], Datatype.BOOL);
      count(present[index].name(), present[index].elements());
    }
  }

  private static void requireNoneBeside(Feature feature, Tensor beside) {
    if (beside != null) {
      throw OipProblems.tensor(
          beside.name(), "is there without '%s' itself".formatted(feature.name()));
    }
  }

  private static void checkContext(Feature feature, Tensor tensor) {
    boolean sequence = feature.list().isPresent() || feature.vector().isPresent();
    int rank = tensor.rank();
    boolean fits =
        sequence
            ? rank == 1 || (rank == 2 && tensor.size(0) == 1)
            : tensor.elements() == 1 && (rank == 1 || rank == 2);
    if (!fits) {
      throw OipProblems.tensor(
          tensor.name(),
          "has the shape %s, but '%s' is of the context: send %s"
              .formatted(
                  shape(tensor), feature.name(), sequence ? "[m] or [1, m]" : "[1] or [1, 1]"));
    }
  }

  private void checkRagged(Feature feature, Tensor tensor, Tensor beside) {
    if (beside == null) {
      throw OipProblems.tensor(
          tensor.name(),
          ("has the shape %s and no '%s' beside it, which says how many of the values are each"
                  + " candidate's; send it, or send [n, m] if all have the same number")
              .formatted(shape(tensor), feature.name() + Signature.LENGTHS));
    }
    requireVector(beside, Datatype.INT32, Datatype.INT64);
    long sum = 0;
    for (int i = 0; i < beside.elements(); i++) {
      long length = beside.integer(i);
      if (length < 0 || length > tensor.elements()) {
        throw OipProblems.tensor(
            beside.name(),
            "has the length %d at candidate %d; '%s' has %d values"
                .formatted(length, i, tensor.name(), tensor.elements()));
      }
      sum += length;
    }
    if (sum != tensor.elements()) {
      throw OipProblems.tensor(
          beside.name(),
          "has lengths that add up to %d, but '%s' has %d values"
              .formatted(sum, tensor.name(), tensor.elements()));
    }
    count(beside.name(), beside.elements());
  }

  private static void requireVector(Tensor tensor, Datatype... allowed) {
    if (!Arrays.asList(allowed).contains(tensor.datatype())) {
      throw OipProblems.tensor(
          tensor.name(),
          "is of %s; it takes %s"
              .formatted(
                  tensor.datatype(),
                  String.join(" or ", Arrays.stream(allowed).map(Datatype::name).toList())));
    }
    if (tensor.rank() != 1) {
      throw OipProblems.tensor(
          tensor.name(), "has the shape %s; send [n]".formatted(shape(tensor)));
    }
  }

  private static void requireType(Feature feature, Tensor tensor) {
    Datatype.Kind kind = tensor.datatype().kind();
    boolean fits =
        switch (feature.dtype()) {
          case INT64, TIMESTAMP -> kind.integer();
          case FLOAT32, FLOAT64 -> kind.integer() || kind == Datatype.Kind.FLOAT;
          case BOOL -> kind == Datatype.Kind.BOOL;
          case STRING -> kind == Datatype.Kind.BYTES;
        };
    if (!fits) {
      String takes =
          switch (feature.dtype()) {
            case INT64, TIMESTAMP -> "any type of integers";
            case FLOAT32, FLOAT64 -> "any type of floats or integers";
            case BOOL -> "BOOL";
            case STRING -> "BYTES of UTF-8";
          };
      throw OipProblems.of(
          ErrorCode.WRONG_TYPE,
          "input '%s' is of %s, but the feature is of %s and takes %s"
              .formatted(tensor.name(), tensor.datatype(), feature.dtype().label(), takes),
          Optional.of(feature.name()));
    }
  }

  private void count(String name, long rows) {
    if (count >= 0 && count != rows) {
      throw OipProblems.tensor(
          name,
          "has %d candidates, but %s has %d; send as many of each".formatted(rows, counted, count));
    }
    counted = "'" + name + "'";
    count = rows;
  }

  private static String shape(Tensor tensor) {
    return Arrays.toString(tensor.shape());
  }

  /**
   * Writes every value.
   *
   * @throws dev.twinrank.core.ScoringException if the slate refuses one
   */
  void write(Slate slate) {
    for (int i = 0; i < values.length; i++) {
      if (values[i] != null) {
        Feature feature = features.get(i);
        Values source = new Values(feature, values[i]);
        if (feature.placement() == Placement.CONTEXT) {
          source.context(slate, signature.handle(i));
        } else {
          candidates(slate, signature.handle(i), source, i);
        }
      }
    }
  }

  private void candidates(Slate slate, Handle handle, Values source, int index) {
    boolean[] there = present[index] == null ? null : present[index].booleans();
    if (features.get(index).list().isEmpty() && features.get(index).vector().isEmpty()) {
      source.column(slate, handle, there);
    } else {
      source.rows(slate, handle, starts(index), there);
    }
  }

  /** Returns where each candidate's elements begin, and where the last one's end. */
  private int[] starts(int index) {
    int[] starts = candidates == 0 ? NO_STARTS : new int[candidates + 1];
    Tensor of = lengths[index];
    int width = of == null && candidates > 0 ? values[index].elements() / candidates : 0;
    for (int i = 0; i < candidates; i++) {
      starts[i + 1] = starts[i] + (of == null ? width : (int) of.integer(i));
    }
    return starts;
  }

  /**
   * Returns the same request as the contract's JSON, which gives the same bits.
   *
   * @param k how many ranked candidates were wanted; empty for all
   */
  byte[] raw(OptionalInt k) {
    int[][] starts = new int[values.length][];
    for (int i = 0; i < values.length; i++) {
      if (values[i] != null && features.get(i).placement() == Placement.CANDIDATE) {
        starts[i] = starts(i);
      }
    }
    return Json.object(
        json -> {
          json.writeObjectFieldStart("context");
          for (int i = 0; i < values.length; i++) {
            if (values[i] != null && starts[i] == null) {
              json.writeFieldName(features.get(i).name());
              new Values(features.get(i), values[i]).write(json, 0, values[i].elements());
            }
          }
          json.writeEndObject();
          json.writeArrayFieldStart("candidates");
          for (int candidate = 0; candidate < candidates; candidate++) {
            json.writeStartObject();
            for (int i = 0; i < values.length; i++) {
              if (starts[i] != null && (present[i] == null || present[i].integer(candidate) != 0)) {
                json.writeFieldName(features.get(i).name());
                new Values(features.get(i), values[i])
                    .write(json, starts[i][candidate], starts[i][candidate + 1]);
              }
            }
            json.writeEndObject();
          }
          json.writeEndArray();
          if (k.isPresent()) {
            json.writeNumberField("k", k.getAsInt());
          }
        });
  }
}
