package dev.twinrank.core.internal.proto;

import dev.twinrank.core.internal.json.JsonCursor;
import dev.twinrank.core.internal.json.JsonTree;
import java.io.IOException;
import java.io.InputStream;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What a graph may hold: the contract's list, shipped with this reader. Thread-safe. */
final class Operators {
  private static final int DEPTH = 32;
  private static final Range NONE = new Range(1, 0);

  /** Inclusive. */
  record Range(long low, long high) {
    boolean holds(long value) {
      return low <= value && value <= high;
    }

    @Override
    public String toString() {
      return low + " to " + high;
    }
  }

  private record Operator(String domain, String name) {}

  private static final Operators SHIPPED = load();

  private final Set<Long> irVersions = new HashSet<>();
  private final Map<String, Range> opsets = new HashMap<>();
  private final Map<Operator, Range> operators = new HashMap<>();

  private Operators(Map<?, ?> document) {
    for (Object version : (List<?>) document.get("ir_versions")) {
      irVersions.add(Long.valueOf(version.toString()));
    }
    ((Map<?, ?>) document.get("opsets"))
        .forEach((domain, range) -> opsets.put((String) domain, range(range)));
    for (Object each : (List<?>) document.get("operators")) {
      Map<?, ?> entry = (Map<?, ?>) each;
      operators.put(
          new Operator((String) entry.get("domain"), (String) entry.get("name")),
          range(entry.get("opsets")));
    }
  }

  static Operators shipped() {
    return SHIPPED;
  }

  boolean allowsIrVersion(long version) {
    return irVersions.contains(version);
  }

  boolean allowsImport(String domain, long version) {
    return opsets.getOrDefault(domain, NONE).holds(version);
  }

  /** Returns whether a node may be of that operator where its domain is imported at a version. */
  boolean allows(String domain, String name, long version) {
    return operators.getOrDefault(new Operator(domain, name), NONE).holds(version);
  }

  Map<String, Range> opsets() {
    return opsets;
  }

  Set<Long> irVersions() {
    return irVersions;
  }

  private static Range range(Object pair) {
    List<?> bounds = (List<?>) pair;
    return new Range(
        Long.parseLong(bounds.get(0).toString()), Long.parseLong(bounds.get(1).toString()));
  }

  private static Operators load() {
    try (InputStream in = Operators.class.getResourceAsStream("operators.json")) {
      if (in == null) {
        throw new IllegalStateException("the jar of twinrank-core lacks operators.json");
      }
      return new Operators((Map<?, ?>) JsonTree.read(in.readAllBytes(), JsonCursor.factory(DEPTH)));
    } catch (IOException e) {
      throw new IllegalStateException("operators.json cannot be read", e);
    }
  }
}
