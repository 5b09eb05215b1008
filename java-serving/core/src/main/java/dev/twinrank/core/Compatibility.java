package dev.twinrank.core;

import dev.twinrank.core.internal.json.Quote;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Whether requests made for one version can be answered by another: the phase activation. */
final class Compatibility {
  private static final String MANIFEST = "manifest.json#";
  private static final String REFUSED = ", which are no refusal in version ";
  private static final String REMEDY =
      "; export a version that agrees, or, once every caller knows the new one, activate it with"
          + " Differences.ALLOW";

  private final List<Problem> problems = new ArrayList<>();
  private final long from;

  private Compatibility(long from) {
    this.from = from;
  }

  /**
   * Compares.
   *
   * @param bundle the directory of the new version
   * @throws BundleException with every difference
   */
  static void check(Path bundle, LoadedVersion from, LoadedVersion to) {
    List<Problem> problems =
        differences(from.version(), Face.of(from.model()), Face.of(to.model()));
    if (!problems.isEmpty()) {
      throw new BundleException(bundle, problems, null);
    }
  }

  /**
   * What callers see of a model.
   *
   * @param schema what they send
   * @param heads what they get
   * @param score what orders the slate
   * @param maxCandidates how many they may send at once
   */
  record Face(Schema schema, List<Head> heads, Head score, int maxCandidates) {
    static Face of(Model model) {
      return new Face(model.schema(), model.heads(), model.score(), model.maxCandidates());
    }
  }

  /** Returns every difference that may break a caller of the version before. */
  static List<Problem> differences(long from, Face before, Face after) {
    Compatibility found = new Compatibility(from);
    found.features(before.schema(), after.schema());
    found.differ("/heads", "the heads are ", show(before.heads()), show(after.heads()));
    found.differ(
        "/score", "the score is ", before.score().dtype().label(), after.score().dtype().label());
    if (after.maxCandidates() < before.maxCandidates()) {
      found.problem(
          "/max_candidates",
          "takes "
              + after.maxCandidates()
              + " candidates at most, version "
              + from
              + " takes "
              + before.maxCandidates());
    }
    return found.problems;
  }

  private void features(Schema before, Schema after) {
    Map<String, Feature> known = new HashMap<>();
    before.features().forEach(feature -> known.put(feature.name(), feature));
    for (int i = 0; i < after.features().size(); i++) {
      Feature now = after.features().get(i);
      Feature was = known.get(now.name());
      String at = "/schema/features/" + i;
      if (was == null) {
        if (required(now)) {
          problem(at, "requires " + name(now) + ", which version " + from + " does not have");
        }
        continue;
      }
      if (required(now) && !required(was)) {
        problem(
            at + "/missing",
            "requires " + name(now) + ", which version " + from + " can do without");
      }
      differ(at + "/placement", now, was.placement().label(), now.placement().label());
      differ(at + "/dtype", now, was.dtype().label(), now.dtype().label());
      differ(at, now, kind(was), kind(now));
      if (now.invalid() == Policy.ERROR && was.invalid() != Policy.ERROR) {
        problem(at + "/invalid", "refuses invalid values of " + name(now) + REFUSED + from);
      }
      if (was.nonfinite() && !now.nonfinite() && now.invalid() == Policy.ERROR) {
        problem(at + "/nonfinite", "refuses NaN and infinities in " + name(now) + REFUSED + from);
      }
      if (now.unseen() == Policy.ERROR && was.unseen() != Policy.ERROR) {
        problem(at + "/unseen", "refuses unseen values of " + name(now) + REFUSED + from);
      }
    }
    for (Feature was : before.features()) {
      if (after.features().stream().noneMatch(now -> now.name().equals(was.name()))) {
        problem(
            "/schema/features",
            "does not know " + name(was) + ", which requests to version " + from + " may hold");
      }
    }
  }

  private static boolean required(Feature feature) {
    return feature.missing() == Policy.ERROR;
  }

  private static String name(Feature feature) {
    return "the " + feature.placement().label() + " feature " + Quote.of(feature.name());
  }

  // The longest list may differ: what is too long is cut. A vector has exactly its length.
  private static String kind(Feature feature) {
    if (feature.vector().isPresent()) {
      return "a vector of " + feature.vector().get().length();
    }
    return feature.list().isPresent() ? "a list" : "a single value";
  }

  private static String show(List<Head> heads) {
    return heads.stream().map(head -> head.name() + " " + head.dtype().label()).toList().toString();
  }

  private void differ(String at, Feature feature, String was, String now) {
    differ(at, Quote.of(feature.name()) + " is ", was, now);
  }

  private void differ(String at, String subject, String was, String now) {
    if (!was.equals(now)) {
      problem(at, subject + now + ", in version " + from + " " + was);
    }
  }

  private void problem(String at, String detail) {
    problems.add(new Problem(ErrorCode.INCOMPATIBLE_VERSION, MANIFEST + at, detail + REMEDY));
  }
}
