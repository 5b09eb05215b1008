package dev.twinrank.server.oip;

import dev.twinrank.core.Model;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The signatures of the models that were asked, by the digest of their bundles. Thread-safe. */
final class Signatures {
  // More than any server holds at once: what was unloaded long ago is forgotten with the rest.
  private static final int MOST = 256;

  private final Map<String, Signature> known = new ConcurrentHashMap<>();

  Signature of(Model model) {
    Signature signature = known.get(model.digest());
    if (signature == null) {
      if (known.size() >= MOST) {
        known.clear();
      }
      signature = known.computeIfAbsent(model.digest(), digest -> new Signature(model));
    }
    return signature;
  }
}
