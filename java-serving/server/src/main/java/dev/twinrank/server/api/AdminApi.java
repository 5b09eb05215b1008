package dev.twinrank.server.api;

import com.fasterxml.jackson.core.JsonGenerator;
import com.linecorp.armeria.common.AggregatedHttpRequest;
import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.HttpMethod;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.ResponseHeaders;
import com.linecorp.armeria.server.HttpService;
import com.linecorp.armeria.server.ServiceRequestContext;
import dev.twinrank.core.BundleException;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.ModelStore.Differences;
import dev.twinrank.core.ModelStore.Entry;
import dev.twinrank.core.ModelStore.State;
import dev.twinrank.server.life.Failure;
import dev.twinrank.server.life.Lifecycle;
import dev.twinrank.server.life.Lifecycle.BusyException;
import dev.twinrank.server.life.Models;
import dev.twinrank.server.problem.Json;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.Refusal;
import dev.twinrank.server.problem.ServiceCode;
import java.io.IOException;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What changes which versions are served, on the admin listener only: {@code GET /admin/models} and
 * {@code POST /admin/models/{name}:activate|rollback|load|unload}. A call answers when the change
 * is made or has failed. Thread-safe.
 */
public final class AdminApi implements HttpService {
  private static final Logger LOG = LoggerFactory.getLogger(AdminApi.class);
  private static final String MODELS = "/admin/models";
  private static final Pattern COMMAND =
      Pattern.compile("/admin/models/([^/:]+):(activate|rollback|load|unload)");
  private static final int CONFLICT = 409;
  private static final int UNPROCESSABLE = 422;

  private final Supplier<Models> models;

  /** Makes the API. */
  public AdminApi(Supplier<Models> models) {
    this.models = models;
  }

  @Override
  public HttpResponse serve(ServiceRequestContext ctx, HttpRequest request) {
    String path = ctx.decodedPath();
    Matcher command = COMMAND.matcher(path);
    boolean list = path.equals(MODELS);
    if (!list && !command.matches()) {
      return Api.refuse(
          Problem.unknownPath(
              ctx.path(),
              "there are GET /admin/models and POST /admin/models/{name}:activate, :rollback, :load, :unload"));
    }
    Set<HttpMethod> methods = list ? Target.READS : Set.of(HttpMethod.POST);
    if (!methods.contains(request.method())) {
      return Api.refuse(
          Problem.methodNotAllowed(request.method().name(), list ? "GET, HEAD" : "POST"));
    }
    Optional<Lifecycle> lifecycle = models.get().lifecycle();
    if (lifecycle.isEmpty()) {
      return Api.refuse(
          Problem.of(
              ServiceCode.NOT_READY,
              "the server is starting: its models are not verified yet; try again"));
    }
    if (list) {
      return Api.json(list(lifecycle.get()));
    }
    return HttpResponse.of(
        request
            .aggregate()
            .thenApplyAsync(
                whole -> answer(lifecycle.get(), command.group(1), command.group(2), whole),
                ctx.blockingTaskExecutor()));
  }

  private static HttpResponse answer(
      Lifecycle lifecycle, String name, String what, AggregatedHttpRequest request) {
    try {
      // A page that a browser shows can send any other type to loopback without asking.
      Api.checkMediaType(request.headers(), "send application/json, also without a body");
      AdminCommand command = AdminCommand.parse(what, request.content().array());
      LOG.info("{} of {} is asked for over the admin API: {}", what, printable(name), command);
      return Api.json(run(lifecycle, name, what, command));
    } catch (Refusal refusal) {
      return Api.refuse(refusal.problem());
    } catch (BundleException e) {
      return refuse(lifecycle, name, e);
    } catch (BusyException | IllegalStateException e) {
      return Api.refuse(Problem.of(ServiceCode.CONFLICT, e.getMessage()));
    } catch (IllegalArgumentException e) {
      return Api.refuse(Problem.of(ServiceCode.INVALID_COMMAND, e.getMessage()));
    } catch (NoSuchElementException e) {
      return Api.refuse(Problem.of(ServiceCode.UNKNOWN_MODEL, e.getMessage()));
    }
  }

  private static byte[] run(Lifecycle lifecycle, String name, String what, AdminCommand command) {
    return switch (what) {
      case "activate" -> {
        Optional<Long> before = lifecycle.active(name).map(Entry::version);
        Differences differences =
            command.allowIncompatible() ? Differences.ALLOW : Differences.REFUSE;
        yield changed(before, lifecycle.activate(name, command.required(), differences));
      }
      case "load" ->
          changed(
              lifecycle.active(name).map(Entry::version), lifecycle.load(name, command.required()));
      case "rollback" -> {
        Optional<Long> before = lifecycle.active(name).map(Entry::version);
        yield changed(before, lifecycle.rollback(name));
      }
      default -> {
        List<Long> versions;
        if (command.version().isPresent()) {
          long version = command.version().getAsLong();
          lifecycle.unload(name, version);
          versions = List.of(version);
        } else {
          versions = lifecycle.unload(name);
        }
        yield Json.object(
            json -> {
              json.writeStringField("name", name);
              json.writeArrayFieldStart("unloaded");
              for (long version : versions) {
                json.writeNumber(version);
              }
              json.writeEndArray();
            });
      }
    };
  }

  private static byte[] changed(Optional<Long> before, Entry now) {
    return Json.object(
        json -> {
          json.writeStringField("name", now.name());
          version(json, now);
          if (before.isPresent()) {
            json.writeNumberField("active_before", before.get());
          }
        });
  }

  private static HttpResponse refuse(Lifecycle lifecycle, String name, BundleException e) {
    int status = e.code() == ErrorCode.INCOMPATIBLE_VERSION ? CONFLICT : UNPROCESSABLE;
    Optional<Entry> active = lifecycle.active(name);
    byte[] body =
        Json.object(
            json -> {
              json.writeStringField("type", "urn:twinrank:error:" + e.code().code());
              json.writeStringField("title", e.code().meaning());
              json.writeNumberField("status", status);
              json.writeStringField("detail", e.getMessage());
              json.writeStringField("code", e.code().code());
              problems(json, e.problems());
              if (active.isPresent()) {
                json.writeNumberField("active", active.get().version());
              }
            });
    return HttpResponse.of(
        ResponseHeaders.builder(status)
            .contentType(Problem.MEDIA_TYPE)
            .set(HttpHeaderNames.CACHE_CONTROL, "no-store")
            .build(),
        HttpData.wrap(body));
  }

  private static byte[] list(Lifecycle lifecycle) {
    List<Entry> entries = lifecycle.entries();
    Set<String> names = new TreeSet<>(lifecycle.settings().only());
    names.addAll(lifecycle.failing());
    entries.forEach(entry -> names.add(entry.name()));
    return Json.object(
        json -> {
          json.writeArrayFieldStart("models");
          for (String name : names) {
            json.writeStartObject();
            json.writeStringField("name", name);
            json.writeBooleanField("required", lifecycle.settings().only().contains(name));
            Optional<String> pointer = lifecycle.pointer(name);
            if (pointer.isPresent()) {
              json.writeStringField("pointer", pointer.get());
            }
            json.writeArrayFieldStart("versions");
            for (Entry entry : entries) {
              if (entry.name().equals(name)) {
                json.writeStartObject();
                version(json, entry);
                json.writeEndObject();
              }
            }
            json.writeEndArray();
            Optional<Failure> failure = lifecycle.lastFailure(name);
            if (failure.isPresent()) {
              failure(json, failure.get());
            }
            json.writeEndObject();
          }
          json.writeEndArray();
          if (lifecycle.settings().memory().isPresent()) {
            json.writeObjectFieldStart("memory");
            json.writeNumberField("limit", lifecycle.settings().memory().get().limit());
            json.writeNumberField("used", lifecycle.settings().memory().get().used());
            json.writeEndObject();
          }
        });
  }

  private static void version(JsonGenerator json, Entry entry) throws IOException {
    json.writeNumberField("version", entry.version());
    json.writeStringField("state", label(entry.state()));
    json.writeStringField("bundle", entry.digest());
    json.writeStringField("verification", entry.verification().state().label());
    json.writeNumberField("leases", entry.leases());
  }

  private static String label(State state) {
    return switch (state) {
      case LOADED -> "loaded";
      case ACTIVE -> "active";
      case RETIRED -> "retired";
    };
  }

  private static void failure(JsonGenerator json, Failure failure) throws IOException {
    json.writeObjectFieldStart("last_failure");
    if (failure.version().isPresent()) {
      json.writeNumberField("version", failure.version().getAsLong());
    }
    json.writeStringField("at", failure.at().toString());
    json.writeStringField("code", failure.code());
    json.writeStringField("detail", failure.detail());
    problems(json, failure.problems());
    json.writeEndObject();
  }

  private static void problems(JsonGenerator json, List<dev.twinrank.core.Problem> problems)
      throws IOException {
    json.writeArrayFieldStart("problems");
    for (dev.twinrank.core.Problem each : problems) {
      json.writeStartObject();
      json.writeStringField("code", each.code().code());
      json.writeStringField("path", each.path());
      json.writeStringField("detail", each.detail());
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  private static String printable(String text) {
    return text.replaceAll("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]+", " ");
  }
}
