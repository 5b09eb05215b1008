package dev.twinrank.core.internal.pack;

import dev.twinrank.core.DType;
import dev.twinrank.core.Feature;
import dev.twinrank.core.Placement;
import dev.twinrank.core.Schema;
import dev.twinrank.core.internal.pack.Column.Role;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Everything that packing a request needs to know, worked out once a model. Thread-safe. */
public final class PackPlan {

  /**
   * A group of aligned sequences.
   *
   * @param name the group's name
   * @param length the column of its length, in the placement's i64 block
   * @param members its members' slots, in schema order
   */
  public record Group(String name, int length, List<Slot> members) {}

  /**
   * One placement's share of the plan.
   *
   * @param placement the placement
   * @param blocks its blocks in packing order
   * @param counts the index of its i64 block, or −1
   * @param slots its features' slots in schema order
   * @param groups its groups in order of their first member
   * @param byName its slots by feature name
   */
  public record Side(
      Placement placement,
      List<Block> blocks,
      int counts,
      List<Slot> slots,
      List<Group> groups,
      Map<String, Slot> byName) {}

  private final Schema schema;
  private final Packing packing;
  private final Side context;
  private final Side candidate;
  private final List<UnseenOutput> unseen;

  /** Plans for a schema whose groups are consistent. */
  public PackPlan(Schema schema) {
    this.schema = schema;
    this.packing = Packing.of(schema);
    this.context = side(Placement.CONTEXT, schema.context());
    this.candidate = side(Placement.CANDIDATE, schema.candidate());
    this.unseen = List.copyOf(UnseenOutput.of(schema));
  }

  /** Returns the schema. */
  public Schema schema() {
    return schema;
  }

  /** Returns the packing. */
  public Packing packing() {
    return packing;
  }

  /** Returns the outputs in which the graph counts unseen values, in order, after the score. */
  public List<UnseenOutput> unseen() {
    return unseen;
  }

  /**
   * Returns the slot of a feature.
   *
   * @param index its place among the features of its placement
   */
  public Slot slot(Placement placement, int index) {
    return (placement == Placement.CONTEXT ? context : candidate).slots().get(index);
  }

  /** Returns the context's share. */
  public Side context() {
    return context;
  }

  /** Returns the candidates' share. */
  public Side candidate() {
    return candidate;
  }

  private Side side(Placement placement, List<Feature> features) {
    List<Block> blocks =
        packing.blocks().stream().filter(block -> block.placement() == placement).toList();
    List<String> groupNames =
        features.stream().flatMap(feature -> feature.group().stream()).distinct().toList();
    String countsName = placement.label() + "." + Packing.suffix(DType.INT64);
    int counts = blocks.stream().map(Block::name).toList().indexOf(countsName);
    List<Slot> slots = new ArrayList<>();
    Map<String, Slot> byName = new LinkedHashMap<>();
    for (Feature feature : features) {
      Place value = find(blocks, feature.name(), false, Role.VALUE, Role.VALUES);
      Slot slot =
          new Slot(
              feature,
              slots.size(),
              value.block(),
              value.offset(),
              find(blocks, feature.name(), false, Role.LENGTH).offset(),
              find(blocks, feature.name(), false, Role.STATE).offset(),
              feature.group().map(groupNames::indexOf).orElse(-1),
              blocks,
              counts);
      slots.add(slot);
      byName.put(feature.name(), slot);
    }
    List<Group> groups = new ArrayList<>();
    for (String name : groupNames) {
      int index = groups.size();
      groups.add(
          new Group(
              name,
              find(blocks, name, true, Role.LENGTH).offset(),
              slots.stream().filter(slot -> slot.group() == index).toList()));
    }
    return new Side(placement, blocks, counts, slots, groups, byName);
  }

  private record Place(int block, int offset) {}

  private static Place find(List<Block> blocks, String source, boolean group, Role... roles) {
    for (int i = 0; i < blocks.size(); i++) {
      for (Column column : blocks.get(i).columns()) {
        if (column.group() == group
            && column.source().equals(source)
            && List.of(roles).contains(column.role())) {
          return new Place(i, column.offset());
        }
      }
    }
    return new Place(-1, -1);
  }
}
