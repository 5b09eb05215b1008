package dev.twinrank.server;

import dev.twinrank.core.Model;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** The models that are served, one version of each name. Immutable and thread-safe. */
final class Models implements AutoCloseable {
  /**
   * A model and the version that its directory names.
   *
   * @param model ready to score
   * @param version a positive integer
   */
  record Served(Model model, long version) {}

  static final Models NONE = new Models(Map.of());

  private final Map<String, Served> byName;

  Models(Map<String, Served> byName) {
    this.byName = new TreeMap<>(byName);
  }

  /** Returns the models in order of their names. */
  Collection<Served> all() {
    return byName.values();
  }

  Optional<Served> find(String name) {
    return Optional.ofNullable(byName.get(name));
  }

  /** Returns the names, for the message that says which there are. */
  Collection<String> names() {
    return byName.keySet();
  }

  /** Closes every model; each waits for its running calls. */
  @Override
  public void close() {
    byName.values().forEach(served -> served.model().close());
  }
}
