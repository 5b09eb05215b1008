package dev.twinrank.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class TargetTest {
  @Test
  void aModelIsRankedByNameAndByVersion() {
    assertEquals(new Target.Rank("ml100k", Optional.empty()), Target.of("/v1/models/ml100k:rank"));
    assertEquals(
        new Target.Rank("ml100k", Optional.of("12")),
        Target.of("/v1/models/ml100k/versions/12:rank"));
    assertEquals(new Target.ModelDetail("ml100k"), Target.of("/v1/models/ml100k"));
  }

  @Test
  void whatIsNearAPathIsNoPath() {
    for (String path :
        List.of(
            "/",
            "",
            "/v1",
            "/v1/",
            "/v1/models/",
            "/v1/models/a/",
            "/v1/models/:rank",
            "/v1/models/a/b:rank",
            "/v1/models/a/versions/1",
            "/v1/models/a/versions/:rank",
            "/v1/models//versions/1:rank",
            "/v1/models/a/versions/1/2:rank",
            "/v2/models/a:rank",
            "/health",
            "/health/",
            "/metrics/",
            "/health/live/")) {
      assertInstanceOf(Target.Unknown.class, Target.of(path), path);
    }
  }
}
