package dev.twinrank.server;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;

/** A client of one server. */
public final class Http {
  /** An answer, read whole. */
  public record Answer(HttpResponse<byte[]> response) {
    int status() {
      return response.statusCode();
    }

    String contentType() {
      return header("content-type");
    }

    byte[] body() {
      return response.body();
    }

    JsonNode json() {
      return Tiny.json(body());
    }

    String header(String name) {
      return response.headers().firstValue(name).orElse("");
    }
  }

  private final HttpClient client;
  private final String base;

  public Http(String base) {
    this(base, HttpClient.Version.HTTP_1_1);
  }

  public Http(String base, HttpClient.Version version) {
    this.base = base;
    client = HttpClient.newBuilder().version(version).build();
  }

  public Answer get(String path) {
    return send(request(path).GET());
  }

  public Answer post(String path, byte[] body) {
    return post(path, BodyPublishers.ofByteArray(body));
  }

  public Answer post(String path, BodyPublisher body) {
    return send(request(path).header("Content-Type", "application/json").POST(body));
  }

  public HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create(base + path));
  }

  public Answer send(HttpRequest.Builder request) {
    try {
      return exchange(request);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Sends a request of which losing the answer is a possible outcome. */
  public Answer exchange(HttpRequest.Builder request) throws IOException {
    try {
      return new Answer(client.send(request.build(), BodyHandlers.ofByteArray()));
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
