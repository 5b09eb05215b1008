package dev.twinrank.core.internal.pack;

import dev.twinrank.core.DType;
import dev.twinrank.core.Feature;
import dev.twinrank.core.ListSpec;
import dev.twinrank.core.Placement;
import dev.twinrank.core.Schema;
import dev.twinrank.core.internal.pack.Column.Role;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The layout of a schema's blocks. A function of the schema alone; section 5 of the contract.
 *
 * @param blocks the blocks in the order of the graph's inputs, empty ones left out
 */
public record Packing(List<Block> blocks) {
  private static final List<DType> DTYPES = List.of(DType.INT64, DType.FLOAT32, DType.FLOAT64);

  /** Copies the blocks. */
  public Packing {
    blocks = List.copyOf(blocks);
  }

  /** Returns the packing of a schema whose groups are consistent. */
  public static Packing of(Schema schema) {
    List<Block> blocks = new ArrayList<>();
    for (Placement placement : Placement.values()) {
      Layout layout = new Layout(placement);
      List<Feature> features =
          placement == Placement.CONTEXT ? schema.context() : schema.candidate();
      features.forEach(layout::add);
      blocks.addAll(layout.blocks());
    }
    return new Packing(blocks);
  }

  /** Returns the letter and width that names a block of that type: i64, f32 or f64. */
  static String suffix(DType dtype) {
    return switch (dtype) {
      case FLOAT32 -> "f32";
      case FLOAT64 -> "f64";
      default -> "i64";
    };
  }

  /** Collects the columns of one placement. */
  private static final class Layout {
    private final Placement placement;
    private final Map<String, Draft> plain = new LinkedHashMap<>();
    private final Map<String, Draft> grouped = new LinkedHashMap<>();
    private final Map<String, Integer> groups = new LinkedHashMap<>();

    Layout(Placement placement) {
      this.placement = placement;
      for (DType dtype : DTYPES) {
        plain.put(suffix(dtype), new Draft(placement.label() + "." + suffix(dtype), dtype, 0));
      }
    }

    void add(Feature feature) {
      DType dtype = feature.dtype().block();
      Draft counts = plain.get("i64");
      if (feature.group().isPresent()) {
        String group = feature.group().get();
        int positions = feature.list().map(ListSpec::maxLength).orElseThrow();
        boolean first = groups.putIfAbsent(group, positions) == null;
        if (first) {
          for (DType each : DTYPES) {
            String name = group + "." + suffix(each);
            grouped.put(name, new Draft(placement.label() + "." + name, each, positions));
          }
        }
        grouped.get(group + "." + suffix(dtype)).add(feature.name(), false, Role.VALUE, 1);
        if (first) {
          counts.add(group, true, Role.LENGTH, 1);
        }
      } else if (feature.list().isPresent()) {
        int width = feature.list().get().maxLength();
        plain.get(suffix(dtype)).add(feature.name(), false, Role.VALUES, width);
        counts.add(feature.name(), false, Role.LENGTH, 1);
      } else if (feature.vector().isPresent()) {
        int width = feature.vector().get().length();
        plain.get(suffix(dtype)).add(feature.name(), false, Role.VALUES, width);
      } else {
        plain.get(suffix(dtype)).add(feature.name(), false, Role.VALUE, 1);
      }
      if (feature.hasState()) {
        counts.add(feature.name(), false, Role.STATE, 1);
      }
    }

    List<Block> blocks() {
      List<Draft> drafts = new ArrayList<>(plain.values());
      drafts.addAll(grouped.values());
      return drafts.stream()
          .filter(draft -> draft.width > 0)
          .map(draft -> draft.block(placement))
          .toList();
    }
  }

  /** A block that still grows. */
  private static final class Draft {
    private final String name;
    private final DType dtype;
    private final int positions;
    private final List<Column> columns = new ArrayList<>();
    private int width;

    Draft(String name, DType dtype, int positions) {
      this.name = name;
      this.dtype = dtype;
      this.positions = positions;
    }

    void add(String source, boolean group, Role role, int columnWidth) {
      columns.add(new Column(source, group, role, width, columnWidth));
      width += columnWidth;
    }

    Block block(Placement placement) {
      return new Block(name, dtype, placement, positions, width, columns);
    }
  }
}
