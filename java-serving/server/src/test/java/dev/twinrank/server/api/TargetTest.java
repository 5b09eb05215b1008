package dev.twinrank.server.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import dev.twinrank.server.api.Target.Aspect;
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
  }

  @Test
  void aModelIsAskedAboutByNameAndByVersionWithOrWithoutAWord() {
    for (Optional<String> version : List.of(Optional.<String>empty(), Optional.of("12"))) {
      String path = "/v1/models/ml100k" + version.map(v -> "/versions/" + v).orElse("");
      assertEquals(new Target.Detail("ml100k", version, Aspect.MODEL), Target.of(path));
      assertEquals(
          new Target.Detail("ml100k", version, Aspect.SCHEMA), Target.of(path + "/schema"));
      assertEquals(
          new Target.Detail("ml100k", version, Aspect.EVIDENCE), Target.of(path + "/evidence"));
      assertEquals(
          new Target.Detail("ml100k", version, Aspect.STATISTICS), Target.of(path + "/statistics"));
    }
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
            "/v1/models/a/versions",
            "/v1/models/a/versions/",
            "/v1/models/a/model",
            "/v1/models/a/SCHEMA",
            "/v1/models/a/schema/",
            "/v1/models/a/versions/1/",
            "/v1/models/a/versions/1/model",
            "/v1/models/a/versions/1/schema/more",
            "/v1/models/a/schema:rank",
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
