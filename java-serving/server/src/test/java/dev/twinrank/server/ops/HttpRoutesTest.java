package dev.twinrank.server.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.twinrank.server.oip.grpc.GrpcServices;
import java.io.IOException;
import java.io.InputStream;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HttpRoutesTest {
  private static final HttpRoutes ROUTES = new HttpRoutes(GrpcServices.paths());

  @Test
  void everyPathThatIsDescribedIsARoute() throws IOException {
    Set<String> described = new TreeSet<>();
    try (InputStream file =
        HttpRoutesTest.class.getResourceAsStream("/dev/twinrank/server/api/openapi.json")) {
      JsonNode paths = new ObjectMapper().readTree(file).get("paths");
      paths.fieldNames().forEachRemaining(described::add);
    }
    assertTrue(described.size() > 10, described::toString);
    for (String path : described) {
      assertEquals(path, ROUTES.of(path.replace("{name}", "films").replace("{version}", "7")));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "/v1/models/a.b-c:rank, /v1/models/{name}:rank",
    "/v1/models/versions/versions/3/schema, /v1/models/{name}/versions/{version}/schema",
    "/v2/models/stats, /v2/models/stats",
    "/v2/models/stats/stats, /v2/models/{name}/stats",
    "/v2/models/m/versions/2/infer, /v2/models/{name}/versions/{version}/infer",
    "/v2/repository/models/m/load, /v2/repository/models/{name}/load",
    "/admin/models/m:activate, /admin/models/{name}:activate",
    "/inference.GRPCInferenceService/ModelInfer, /inference.GRPCInferenceService/ModelInfer",
    "/grpc.health.v1.Health/Watch, /grpc.health.v1.Health/Watch",
  })
  void namesAreTakenOut(String path, String route) {
    assertEquals(route, ROUTES.of(path));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/",
        "",
        "/v1/models/",
        "/v1/models//schema",
        "/v1/models/m:delete",
        "/v1/models/m/versions/1/versions/2",
        "/v1/models/{name}/extra",
        "/inference.GRPCInferenceService/Random",
        "/metrics/",
        "/v3/models/m",
      })
  void whatNothingIsServedUnderIsNoLabel(String path) {
    assertEquals(HttpRoutes.NONE, ROUTES.of(path));
  }

  @Test
  void labelsAreFew() {
    assertTrue(ROUTES.all().size() < 70, () -> ROUTES.all().size() + " routes");
  }
}
