package dev.twinrank.benchmarks.peer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * From strings to the rows of embedding tables, in maps as an application holds them.
 *
 * @param rows by feature
 * @param lengths of the lists, by feature
 */
record Vocabularies(Map<String, Map<String, Integer>> rows, Map<String, Integer> lengths) {

  static Vocabularies read(Path folder) throws IOException {
    Map<String, Map<String, Integer>> rows = new HashMap<>();
    Map<String, Integer> lengths = new HashMap<>();
    for (JsonNode each : new JsonMapper().readTree(folder.resolve("vocabularies.json").toFile())) {
      Map<String, Integer> table = new HashMap<>();
      for (JsonNode entry : each.get("entries")) {
        table.put(entry.textValue(), table.size() + 1); // row 0 is that of unseen values
      }
      rows.put(each.get("feature").textValue(), table);
      lengths.put(each.get("feature").textValue(), each.get("length").intValue());
    }
    return new Vocabularies(rows, lengths);
  }

  int row(Map<String, Integer> table, String text) {
    return table.getOrDefault(text, 0);
  }
}
