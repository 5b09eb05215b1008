package dev.twinrank.junit;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import dev.twinrank.junit.Answer.Row;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** A ranking service over HTTP, by the JDK's own client. */
final class ServiceScorer implements ContractScorer {
  private static final JsonFactory JSON =
      JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();
  private static final Duration LIMIT = Duration.ofSeconds(60);

  private final URI address;
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(LIMIT).build();

  ServiceScorer(URI service, String model) {
    this.address =
        URI.create(service.toString().replaceFirst("/+$", "") + "/v1/models/" + model + ":rank");
  }

  @Override
  public Answer score(byte[] request) throws IOException, InterruptedException {
    HttpResponse<byte[]> response =
        client.send(
            HttpRequest.newBuilder(address)
                .timeout(LIMIT)
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofByteArray(request))
                .build(),
            HttpResponse.BodyHandlers.ofByteArray());
    Map<?, ?> told;
    try (JsonParser parser = JSON.createParser(response.body())) {
      told = parser.nextToken() == JsonToken.START_OBJECT ? object(parser) : Map.of();
      return response.statusCode() == 200 ? ranked(told) : refused(told);
    } catch (ClassCastException | NullPointerException | IOException e) {
      throw new IOException(
          address
              + " answered "
              + response.statusCode()
              + " with something that is neither a ranking nor a problem of the contract: "
              + Requests.shown(response.body()),
          e);
    }
  }

  private static Answer ranked(Map<?, ?> told) {
    return new Answer.Ranked(
        integer(told.get("candidates")), rows(told.get("ranking")), rows(told.get("dropped")));
  }

  private static Answer refused(Map<?, ?> told) {
    Object candidate = told.get("candidate");
    return new Answer.Refused(
        ((Text) told.get("code")).value(),
        Optional.ofNullable((Text) told.get("feature")).map(Text::value),
        candidate == null ? OptionalInt.empty() : OptionalInt.of(integer(candidate)));
  }

  private static List<Row> rows(Object told) {
    List<Row> rows = new ArrayList<>();
    for (Object each : (List<?>) told) {
      Map<?, ?> entry = (Map<?, ?>) each;
      Map<String, Double> heads = new LinkedHashMap<>();
      ((Map<?, ?>) entry.get("heads"))
          .forEach((name, value) -> heads.put((String) name, number(value)));
      // An entry of `dropped` has no score: that is why it was dropped.
      Object score = entry.get("score");
      rows.add(
          new Row(integer(entry.get("index")), score == null ? Double.NaN : number(score), heads));
    }
    return rows;
  }

  private static int integer(Object value) {
    return Integer.parseInt(((Literal) value).text());
  }

  private static double number(Object value) {
    // Both NaN, Infinity and -Infinity as strings, and -0 as a number, are what parseDouble reads.
    return Double.parseDouble(value instanceof Text text ? text.value() : ((Literal) value).text());
  }

  private record Text(String value) {}

  private record Literal(String text) {}

  private static Map<String, Object> object(JsonParser parser) throws IOException {
    Map<String, Object> members = new LinkedHashMap<>();
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String name = parser.currentName();
      parser.nextToken();
      Object value = value(parser);
      if (value != null) {
        members.put(name, value);
      }
    }
    return members;
  }

  private static Object value(JsonParser parser) throws IOException {
    return switch (parser.currentToken()) {
      case START_OBJECT -> object(parser);
      case START_ARRAY -> array(parser);
      case VALUE_STRING -> new Text(parser.getText());
      case VALUE_NULL -> null;
      default -> new Literal(parser.getText());
    };
  }

  private static List<Object> array(JsonParser parser) throws IOException {
    List<Object> elements = new ArrayList<>();
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      elements.add(value(parser));
    }
    return elements;
  }
}
