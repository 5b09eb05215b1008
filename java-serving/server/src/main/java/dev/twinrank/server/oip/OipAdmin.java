package dev.twinrank.server.oip;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.linecorp.armeria.common.ExchangeType;
import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.common.ResponseHeaders;
import com.linecorp.armeria.server.HttpService;
import com.linecorp.armeria.server.RoutingContext;
import com.linecorp.armeria.server.ServiceRequestContext;
import dev.twinrank.core.BundleException;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.ModelStore.Differences;
import dev.twinrank.server.life.Lifecycle;
import dev.twinrank.server.life.Lifecycle.BusyException;
import dev.twinrank.server.life.Models;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.Refusal;
import dev.twinrank.server.problem.ServiceCode;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The Open Inference Protocol on the admin listener: the model repository extension, {@code load}
 * and {@code unload} with it, and everything that is only read. Nothing is scored here.
 * Thread-safe.
 *
 * <p>{@code load} serves the version that the model's pointer names, else the newest on the disk,
 * once it has proved itself; a parameter {@code version} names another. A repository of ours holds
 * bundles, so a configuration or files in the request are refused.
 */
public final class OipAdmin implements HttpService {
  private static final Logger LOG = LoggerFactory.getLogger(OipAdmin.class);
  private static final int CONFLICT = 409;
  private static final int UNPROCESSABLE = 422;
  private static final int DEPTH = 16;
  private static final JsonFactory JSON =
      JsonFactory.builder()
          .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(DEPTH).build())
          .build();

  private final OipHttp service;
  private final Supplier<Models> models;

  /** Makes it beside what answers on the service's listener. */
  public OipAdmin(OipHttp service, Supplier<Models> models) {
    this.service = service;
    this.models = models;
  }

  @Override
  public ExchangeType exchangeType(RoutingContext routingContext) {
    return ExchangeType.UNARY;
  }

  @Override
  public HttpResponse serve(ServiceRequestContext ctx, HttpRequest request) {
    OipTarget target = OipTarget.of(ctx.decodedPath());
    boolean load = target.kind() == OipTarget.Kind.LOAD;
    if (target.kind() == OipTarget.Kind.INFER) {
      return OipHttp.refuse(Problem.unknownPath(ctx.path()));
    }
    if ((!load && target.kind() != OipTarget.Kind.UNLOAD) || !target.has(request.method())) {
      return service.serve(ctx, request);
    }
    if (request.headers().contains(HttpHeaderNames.ORIGIN)) {
      // Clients of this protocol send no Content-Type that could tell them from a web page.
      return OipHttp.refuse(
          Problem.of(
              ServiceCode.INVALID_HEADER,
              "there is a header Origin: a page in a browser may not change models"));
    }
    Optional<Lifecycle> lifecycle = models.get().lifecycle();
    if (lifecycle.isEmpty()) {
      return OipHttp.refuse(
          Problem.of(
              ServiceCode.NOT_READY,
              "the server is starting: its models are not verified yet; try again"));
    }
    return HttpResponse.of(
        request
            .aggregate()
            .thenApplyAsync(
                whole -> answer(lifecycle.get(), target.model(), load, whole.content().array()),
                ctx.blockingTaskExecutor()));
  }

  private static HttpResponse answer(Lifecycle lifecycle, String name, boolean load, byte[] body) {
    try {
      OptionalLong version = version(body, load);
      if (load) {
        long wanted = version.isPresent() ? version.getAsLong() : wanted(lifecycle, name);
        LOG.info("{}/{} is asked for over the repository API", name, wanted);
        lifecycle.activate(name, wanted, Differences.REFUSE);
      } else {
        List<Long> gone = lifecycle.unload(name);
        LOG.info("{} was unloaded over the repository API: {}", name, gone);
      }
      return HttpResponse.of(
          ResponseHeaders.of(HttpStatus.OK, HttpHeaderNames.CONTENT_TYPE, MediaType.JSON),
          HttpData.ofUtf8("{}"));
    } catch (Refusal refusal) {
      return OipHttp.refuse(refusal.problem());
    } catch (BundleException e) {
      return OipHttp.refuse(problem(e));
    } catch (BusyException | IllegalStateException e) {
      return OipHttp.refuse(Problem.of(ServiceCode.CONFLICT, e.getMessage()));
    } catch (IllegalArgumentException e) {
      return OipHttp.refuse(Problem.of(ServiceCode.INVALID_COMMAND, e.getMessage()));
    } catch (NoSuchElementException e) {
      return OipHttp.refuse(Problem.of(ServiceCode.UNKNOWN_MODEL, e.getMessage()));
    }
  }

  private static Problem problem(BundleException e) {
    ErrorCode code = e.code();
    return new Problem(
        code.code(),
        code == ErrorCode.INCOMPATIBLE_VERSION ? CONFLICT : UNPROCESSABLE,
        code.meaning(),
        e.getMessage(),
        Optional.empty(),
        OptionalInt.empty(),
        Map.of(),
        OptionalInt.empty());
  }

  /** Returns the version that the pointer names, else the newest on the disk. */
  private static long wanted(Lifecycle lifecycle, String name) {
    Optional<String> pointer = lifecycle.pointer(name);
    if (pointer.isPresent()) {
      try {
        return Long.parseLong(pointer.get());
      } catch (NumberFormatException e) {
        throw new IllegalArgumentException(
            "the pointer of '%s' names no version: %s".formatted(name, pointer.get()), e);
      }
    }
    List<Long> versions = lifecycle.discover().versions().getOrDefault(name, List.of());
    if (versions.isEmpty()) {
      throw new NoSuchElementException(
          "no version of '%s' lies in the folder of models".formatted(name));
    }
    return versions.get(versions.size() - 1);
  }

  /**
   * Reads {@code {"parameters": {"version": N}}}; an empty body is as none.
   *
   * @throws Refusal {@code invalid_command}
   */
  private static OptionalLong version(byte[] body, boolean load) {
    OptionalLong version = OptionalLong.empty();
    try (JsonParser json = JSON.createParser(body)) {
      if (json.nextToken() == null) {
        return version;
      }
      expect(json.currentToken() == JsonToken.START_OBJECT, "the body is no JSON object");
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String member = json.currentName();
        expect(member.equals("parameters"), "there is a member '" + member + "'");
        expect(json.nextToken() == JsonToken.START_OBJECT, "'parameters' is no object");
        while (json.nextToken() == JsonToken.FIELD_NAME) {
          String parameter = json.currentName();
          JsonToken value = json.nextToken();
          if (load && parameter.equals("version")) {
            expect(value == JsonToken.VALUE_NUMBER_INT, "'version' is no integer");
            version = OptionalLong.of(json.getLongValue());
          } else {
            expect(
                !load && parameter.equals("unload_dependents") && value.isBoolean(),
                "there is a parameter '" + parameter + "'");
          }
        }
      }
      expect(json.nextToken() == null, "something follows the object");
      return version;
    } catch (IOException e) {
      LOG.debug("a repository request that is no JSON", e);
      expect(false, "the body is no JSON object");
      return version;
    }
  }

  private static void expect(boolean holds, String otherwise) {
    if (!holds) {
      throw new Refusal(
          Problem.of(
              ServiceCode.INVALID_COMMAND,
              otherwise
                  + "; to load, send nothing or {\"parameters\": {\"version\": N}}, to unload nothing"
                  + " or {\"parameters\": {\"unload_dependents\": false}}: configuration and files are the"
                  + " bundle's"));
    }
  }
}
