package dev.twinrank.benchmarks.peer;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.twinrank.benchmarks.Request;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.util.List;
import java.util.Map;

/**
 * An array for each encoded tensor, with n rows each: what torch exports without being told of
 * slates. What the context says is looked up once and written n times.
 */
final class FlatRows implements Djl.Packer {
  private final Request.Names names;
  private final Vocabularies vocabularies;
  private final List<Map<String, Integer>> contextTables;
  private final List<Map<String, Integer>> listTables;
  private final List<Map<String, Integer>> tables;

  FlatRows(Request.Names names, Vocabularies vocabularies) {
    this.names = names;
    this.vocabularies = vocabularies;
    contextTables = names.contextStrings().stream().map(vocabularies.rows()::get).toList();
    listTables = names.contextLists().stream().map(vocabularies.rows()::get).toList();
    tables = names.strings().stream().map(vocabularies.rows()::get).toList();
  }

  @Override
  public NDList pack(Request request, Djl.Arrays arrays) {
    int n = request.n();
    Shape shape = new Shape(n);
    NDList list = new NDList();
    for (int i = 0; i < contextTables.size(); i++) {
      LongBuffer ids = arrays.memory(Long.BYTES * n).asLongBuffer();
      long id = vocabularies.row(contextTables.get(i), request.contextStrings()[i]);
      for (int row = 0; row < n; row++) {
        ids.put(row, id);
      }
      list.add(arrays.array(names.contextStrings().get(i), ids, shape, DataType.INT64));
    }
    for (int i = 0; i < listTables.size(); i++) {
      lists(request, i, arrays, list);
    }
    for (int i = 0; i < names.contextNumbers().size(); i++) {
      FloatBuffer numbers = arrays.memory(Float.BYTES * n).asFloatBuffer();
      for (int row = 0; row < n; row++) {
        numbers.put(row, request.contextNumbers()[i]);
      }
      list.add(arrays.array(names.contextNumbers().get(i), numbers, shape, DataType.FLOAT32));
    }
    for (int i = 0; i < tables.size(); i++) {
      LongBuffer ids = arrays.memory(Long.BYTES * n).asLongBuffer();
      String[] texts = request.strings()[i];
      for (int row = 0; row < n; row++) {
        ids.put(row, vocabularies.row(tables.get(i), texts[row]));
      }
      list.add(arrays.array(names.strings().get(i), ids, shape, DataType.INT64));
    }
    for (int i = 0; i < names.numbers().size(); i++) {
      FloatBuffer numbers = arrays.memory(Float.BYTES * n).asFloatBuffer();
      numbers.put(0, request.numbers()[i]);
      list.add(arrays.array(names.numbers().get(i), numbers, shape, DataType.FLOAT32));
    }
    return list;
  }

  private void lists(Request request, int i, Djl.Arrays arrays, NDList list) {
    int n = request.n();
    String name = names.contextLists().get(i);
    int length = vocabularies.lengths().get(name);
    List<String> texts = request.contextLists().get(i);
    long[] ids = new long[length];
    float[] mask = new float[length];
    for (int place = 0; place < texts.size(); place++) {
      ids[place] = vocabularies.row(listTables.get(i), texts.get(place));
      mask[place] = 1;
    }
    LongBuffer allIds = arrays.memory(Long.BYTES * n * length).asLongBuffer();
    FloatBuffer allMasks = arrays.memory(Float.BYTES * n * length).asFloatBuffer();
    for (int row = 0; row < n; row++) {
      allIds.put(row * length, ids);
      allMasks.put(row * length, mask);
    }
    Shape shape = new Shape(n, length);
    list.add(arrays.array(name, allIds, shape, DataType.INT64));
    list.add(arrays.array(name + "_mask", allMasks, shape, DataType.FLOAT32));
  }
}
