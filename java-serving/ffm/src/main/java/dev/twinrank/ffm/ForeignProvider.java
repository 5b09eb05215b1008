package dev.twinrank.ffm;

import dev.twinrank.core.internal.engine.Engine;
import dev.twinrank.core.internal.engine.EngineProvider;
import java.util.Optional;

/** What {@link FfmEngineProvider} does where java.lang.foreign exists. */
final class ForeignProvider implements EngineProvider {
  @Override
  public String name() {
    return FfmEngineProvider.NAME;
  }

  @Override
  public int preference() {
    return 0;
  }

  // Later JDKs warn on stderr, or refuse, when a module without the right calls native code; so
  // it is left to the one who starts the process to grant it.
  @Override
  public Optional<String> unavailable() {
    Module module = ForeignProvider.class.getModule();
    return module.isNativeAccessEnabled()
        ? Optional.empty()
        : Optional.of(
            "it may not call native code; start java with --enable-native-access="
                + (module.isNamed() ? module.getName() : "ALL-UNNAMED"));
  }

  @Override
  public Engine start() {
    return FfmEngine.start();
  }
}
