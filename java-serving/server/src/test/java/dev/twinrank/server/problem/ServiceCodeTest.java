package dev.twinrank.server.problem;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.linecorp.armeria.common.HttpStatus;
import dev.twinrank.server.Tiny;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class ServiceCodeTest {
  @Test
  void thereIsOneForEachServiceCodeOfTheContract() {
    JsonNode service = Tiny.json(Tiny.read(Tiny.CONTRACT.resolve("codes.json"))).get("service");

    List<String> expected = new ArrayList<>();
    service.forEach(
        code ->
            expected.add(
                line(
                    code.get("code").asText(),
                    code.get("http").intValue(),
                    code.get("meaning").asText())));
    assertEquals(
        expected,
        Stream.of(ServiceCode.values())
            .map(code -> line(code.code(), code.httpStatus(), code.meaning()))
            .toList());
  }

  private static String line(String code, int http, String meaning) {
    return code + " " + http + " " + meaning;
  }

  @Test
  void aStatusOfTheHttpLayerHasTheCodeOfThatStatus() {
    assertEquals(ServiceCode.UNKNOWN_PATH, ServiceCode.ofStatus(HttpStatus.NOT_FOUND));
    assertEquals(
        ServiceCode.METHOD_NOT_ALLOWED, ServiceCode.ofStatus(HttpStatus.METHOD_NOT_ALLOWED));
    assertEquals(
        ServiceCode.BODY_TOO_LARGE, ServiceCode.ofStatus(HttpStatus.REQUEST_ENTITY_TOO_LARGE));
    assertEquals(
        ServiceCode.UNSUPPORTED_MEDIA_TYPE,
        ServiceCode.ofStatus(HttpStatus.UNSUPPORTED_MEDIA_TYPE));
    assertEquals(ServiceCode.NOT_READY, ServiceCode.ofStatus(HttpStatus.SERVICE_UNAVAILABLE));
    assertEquals(ServiceCode.INVALID_HTTP, ServiceCode.ofStatus(HttpStatus.REQUEST_URI_TOO_LONG));
    assertEquals(ServiceCode.INTERNAL_ERROR, ServiceCode.ofStatus(HttpStatus.BAD_GATEWAY));
  }
}
