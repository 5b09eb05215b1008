package dev.twinrank.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What an application holds before it scores: its values, typed, in the order of {@link Names}.
 *
 * @param n number of candidates
 * @param contextStrings one a feature
 * @param contextLists one list a feature
 * @param contextNumbers one a feature
 * @param strings one column of n a feature
 * @param numbers one column of n a feature
 */
@SuppressWarnings("ArrayRecordComponent") // never compared, never given away
public record Request(
    int n,
    String[] contextStrings,
    List<List<String>> contextLists,
    float[] contextNumbers,
    String[][] strings,
    float[][] numbers) {

  private static final JsonMapper JSON = new JsonMapper();

  /**
   * The names of the features.
   *
   * @param contextStrings of the context's strings
   * @param contextLists of its lists of strings
   * @param contextNumbers of its floats
   * @param strings of a candidate's strings
   * @param numbers of its floats
   */
  public record Names(
      List<String> contextStrings,
      List<String> contextLists,
      List<String> contextNumbers,
      List<String> strings,
      List<String> numbers) {

    /** Returns the names of the model in a folder, as its first request has them. */
    public static Names of(Path folder) throws IOException {
      JsonNode first = JSON.readTree(file(folder, 1).toFile()).get(0);
      Names names =
          new Names(
              new ArrayList<>(),
              new ArrayList<>(),
              new ArrayList<>(),
              new ArrayList<>(),
              new ArrayList<>());
      for (Map.Entry<String, JsonNode> field : first.get("context").properties()) {
        JsonNode value = field.getValue();
        List<String> kind =
            value.isArray()
                ? names.contextLists
                : value.isTextual() ? names.contextStrings : names.contextNumbers;
        kind.add(field.getKey());
      }
      for (Map.Entry<String, JsonNode> field : first.get("candidates").properties()) {
        (field.getValue().get(0).isTextual() ? names.strings : names.numbers).add(field.getKey());
      }
      return names;
    }
  }

  /** Reads the requests of one number of candidates. */
  public static Request[] read(Path folder, Names names, int n) throws IOException {
    List<Request> requests = new ArrayList<>();
    for (JsonNode each : JSON.readTree(file(folder, n).toFile())) {
      JsonNode context = each.get("context");
      JsonNode columns = each.get("candidates");
      float[] contextNumbers = new float[names.contextNumbers.size()];
      for (int i = 0; i < contextNumbers.length; i++) {
        contextNumbers[i] = context.get(names.contextNumbers.get(i)).floatValue();
      }
      requests.add(
          new Request(
              n,
              names.contextStrings.stream()
                  .map(name -> context.get(name).textValue())
                  .toArray(String[]::new),
              names.contextLists.stream().map(name -> List.of(texts(context.get(name)))).toList(),
              contextNumbers,
              names.strings.stream().map(name -> texts(columns.get(name))).toArray(String[][]::new),
              names.numbers.stream()
                  .map(name -> floats(columns.get(name)))
                  .toArray(float[][]::new)));
    }
    return requests.toArray(Request[]::new);
  }

  private static Path file(Path folder, int n) {
    return folder.resolve("requests-" + n + ".json");
  }

  private static String[] texts(JsonNode column) {
    String[] texts = new String[column.size()];
    for (int i = 0; i < texts.length; i++) {
      texts[i] = column.get(i).textValue();
    }
    return texts;
  }

  private static float[] floats(JsonNode column) {
    float[] floats = new float[column.size()];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = column.get(i).floatValue();
    }
    return floats;
  }
}
