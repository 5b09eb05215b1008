package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.internal.json.JsonTree.Literal;
import dev.twinrank.core.internal.pack.Block;
import dev.twinrank.core.internal.pack.Column;
import dev.twinrank.core.internal.pack.Packing;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** A packing as the manifest writes it, for comparison. */
final class PackingJson {
  private PackingJson() {}

  static Map<String, Object> of(Packing packing) {
    return Map.of("inputs", packing.blocks().stream().map(PackingJson::block).toList());
  }

  private static Object block(Block block) {
    List<Object> shape =
        Arrays.stream(block.declaredShape()).<Object>mapToObj(PackingJson::integer).toList();
    return Map.of(
        "name", block.name(),
        "dtype", block.dtype().label(),
        "placement", block.placement().label(),
        "shape", shape,
        "columns", block.columns().stream().map(PackingJson::column).toList());
  }

  private static Object column(Column column) {
    return Map.of(
        column.group() ? "group" : "feature",
        column.source(),
        "role",
        column.role().label(),
        "offset",
        integer(column.offset()),
        "width",
        integer(column.width()));
  }

  private static Literal integer(long value) {
    return new Literal(Long.toString(value), true);
  }
}
