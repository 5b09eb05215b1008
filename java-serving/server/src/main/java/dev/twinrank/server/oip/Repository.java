package dev.twinrank.server.oip;

import dev.twinrank.server.life.Models;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.function.Supplier;

/** The models that this protocol finds, whatever asks. Thread-safe. */
public final class Repository {
  /**
   * A version of a model.
   *
   * @param name the model's name
   * @param version the version
   * @param ready whether it answers requests
   * @param reason why it does not; empty if it does
   */
  public record Entry(String name, long version, boolean ready, String reason) {}

  private final Supplier<Models> models;
  private final InferenceStatistics statistics;

  /** Looks there for models, and there for what was counted of them. */
  public Repository(Supplier<Models> models, InferenceStatistics statistics) {
    this.models = models;
    this.statistics = statistics;
  }

  /** Returns what is served, in order of the names. */
  public List<Entry> index() {
    return models.get().all().stream()
        .map(each -> new Entry(each.name(), each.version(), true, ""))
        .toList();
  }

  /** Returns the versions of a model that are served, ascending. */
  public List<Long> versions(String model) {
    return models.get().all().stream()
        .filter(each -> each.name().equals(model))
        .map(each -> each.version())
        .sorted()
        .toList();
  }

  /**
   * Returns what was counted of the versions that are served.
   *
   * @param model only of this one; empty for all
   * @param version only of this one; empty for all
   * @throws NoSuchElementException if none is served that is asked for
   */
  public List<ServedVersion> statistics(Optional<String> model, Optional<Long> version) {
    List<ServedVersion> found =
        models.get().all().stream()
            .filter(each -> model.isEmpty() || each.name().equals(model.get()))
            .filter(each -> version.isEmpty() || each.version() == version.get())
            .map(
                each ->
                    new ServedVersion(
                        each.name(), each.version(), statistics.of(each.name(), each.version())))
            .toList();
    if (found.isEmpty() && model.isPresent()) {
      throw new NoSuchElementException("no such version is served");
    }
    return found;
  }
}
