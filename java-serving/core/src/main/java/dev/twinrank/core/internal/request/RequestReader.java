package dev.twinrank.core.internal.request;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonToken;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.internal.json.InvalidJson;
import dev.twinrank.core.internal.json.JsonCursor;
import dev.twinrank.core.internal.json.Quote;
import dev.twinrank.core.internal.pack.Counts;
import dev.twinrank.core.internal.pack.ObjectPacker;
import dev.twinrank.core.internal.pack.PackPlan;
import dev.twinrank.core.internal.pack.PackedSlate;
import dev.twinrank.core.internal.pack.Refusals;
import dev.twinrank.core.internal.pack.SlatePacker;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicReferenceArray;

/** Reads raw requests straight into packed columns. Thread-safe. */
public final class RequestReader {
  private static final int MAX_DEPTH = 64;

  // Readers that wait for the next request, at most so many, each holding at most so many bytes.
  private static final int IDLE = 16;
  private static final int MOST_HELD = 1 << 20;

  private final JsonFactory factory = JsonCursor.factory(MAX_DEPTH);
  private final AtomicReferenceArray<SwiftReader> idle = new AtomicReferenceArray<>(IDLE);
  private final PackPlan plan;
  private final int maxCandidates;

  /** Makes a reader for one model. */
  public RequestReader(PackPlan plan, int maxCandidates) {
    this.plan = plan;
    this.maxCandidates = maxCandidates;
  }

  /**
   * Reads and packs a request, and forgets what its policies absorbed.
   *
   * @throws ScoringException as {@link #read(byte[], Counts)}
   */
  public PackedSlate read(byte[] json) {
    return read(json, new Counts(plan));
  }

  /**
   * Reads and packs a request.
   *
   * @param counts what its policies absorb is counted here, up to where it is refused
   * @throws ScoringException with {@code invalid_json} if the text is bad anywhere, else with the
   *     first problem in document order
   */
  public PackedSlate read(byte[] json, Counts counts) {
    PackedSlate slate = readSwiftly(json, counts);
    return slate != null ? slate : readThoroughly(json, counts);
  }

  /** Reads a request if it is as usual; returns null if it is not, and has then done nothing. */
  PackedSlate readSwiftly(byte[] json, Counts counts) {
    // A thread begins at a place of its own, so that it mostly meets the reader it had before.
    int home = (int) Thread.currentThread().getId();
    SwiftReader reader = lend(home);
    PackedSlate slate = reader.read(json, counts);
    if (reader.held() <= MOST_HELD) {
      takeBack(reader, home);
    }
    return slate;
  }

  private SwiftReader lend(int home) {
    for (int i = 0; i < IDLE; i++) {
      int place = (home + i) & (IDLE - 1);
      SwiftReader reader = idle.get(place) == null ? null : idle.getAndSet(place, null);
      if (reader != null) {
        return reader;
      }
    }
    return new SwiftReader(plan, maxCandidates);
  }

  private void takeBack(SwiftReader reader, int home) {
    for (int i = 0; i < IDLE; i++) {
      if (idle.compareAndSet((home + i) & (IDLE - 1), null, reader)) {
        return;
      }
    }
  }

  /**
   * Reads and packs any request, as {@link #read(byte[], Counts)} does where it is unusual.
   *
   * @throws ScoringException as {@link #read(byte[], Counts)}
   */
  public PackedSlate readThoroughly(byte[] json, Counts counts) {
    try (JsonCursor cursor = JsonCursor.over(json, factory)) {
      try {
        return new Reading(cursor, new SlatePacker(plan, maxCandidates, counts)).request();
      } catch (ScoringException refusal) {
        // What is wrong with the text comes before everything else, wherever it stands.
        cursor.drain();
        throw refusal;
      }
    } catch (InvalidJson e) {
      throw new ScoringException(
          ErrorCode.INVALID_JSON,
          "the request is not the JSON that is allowed: " + e.getMessage(),
          Optional.empty(),
          OptionalInt.empty(),
          e);
    }
  }

  /** One request being read. */
  private record Reading(JsonCursor cursor, SlatePacker packer) {

    PackedSlate request() {
      if (cursor.next() == null) {
        throw Refusals.request(ErrorCode.INVALID_JSON, "the request is empty; send a JSON object");
      }
      if (cursor.token() != JsonToken.START_OBJECT) {
        throw shape("the request is " + cursor.describe() + "; send a JSON object");
      }
      boolean context = false;
      boolean candidates = false;
      while (cursor.next() == JsonToken.FIELD_NAME) {
        String name = cursor.name();
        cursor.next();
        switch (name) {
          case "context" -> {
            context();
            context = true;
          }
          case "candidates" -> {
            candidates();
            candidates = true;
          }
          case "k" -> packer.k(k());
          default ->
              throw shape(
                  "the request has a member "
                      + Quote.of(name)
                      + "; 'context', 'candidates' and 'k' are allowed");
        }
      }
      if (!context || !candidates) {
        throw shape(
            "the request has no '" + (context ? "candidates" : "context") + "'; both are required");
      }
      cursor.drain();
      return packer.finish();
    }

    private void context() {
      if (cursor.token() != JsonToken.START_OBJECT) {
        throw shape("'context' is " + cursor.describe() + "; send an object");
      }
      object(packer.context());
    }

    private void candidates() {
      switch (cursor.token()) {
        case START_ARRAY -> rows();
        case START_OBJECT -> columns();
        default ->
            throw shape(
                "'candidates' is "
                    + cursor.describe()
                    + "; send an array of objects, or an object of arrays");
      }
    }

    private void columns() {
      ObjectPacker target = packer.candidates();
      while (cursor.next() == JsonToken.FIELD_NAME) {
        target.beginColumn(cursor.name());
        if (cursor.next() != JsonToken.START_ARRAY) {
          throw target.noColumn(cursor.describe());
        }
        while (cursor.next() != JsonToken.END_ARRAY) {
          packer.nextOfColumn();
          value(target);
        }
        target.endColumn();
      }
      target.endColumns();
    }

    private void rows() {
      for (int index = 0; cursor.next() != JsonToken.END_ARRAY; index++) {
        packer.admitCandidate();
        if (cursor.token() != JsonToken.START_OBJECT) {
          throw Refusals.candidate(
              ErrorCode.INVALID_REQUEST,
              index,
              "candidate " + index + " is " + cursor.describe() + "; send an object");
        }
        object(packer.candidates());
      }
    }

    private OptionalInt k() {
      if (cursor.token() == JsonToken.VALUE_NULL) {
        return OptionalInt.empty();
      }
      String text = cursor.token() == JsonToken.VALUE_NUMBER_INT ? cursor.text() : "";
      if (text.isEmpty() || (text.startsWith("-") && !text.equals("-0"))) {
        throw shape("'k' is " + cursor.describe() + "; send an integer literal of at least 0");
      }
      // More than any int means all, as every k above the number of candidates does.
      return OptionalInt.of(text.length() > 9 ? Integer.MAX_VALUE : Integer.parseInt(text));
    }

    private void object(ObjectPacker target) {
      target.begin();
      while (cursor.next() == JsonToken.FIELD_NAME) {
        target.feature(cursor.name());
        cursor.next();
        value(target);
      }
      target.end();
    }

    private void value(ObjectPacker target) {
      if (cursor.token() == JsonToken.VALUE_NULL) {
        return; // null counts as absent
      }
      boolean array = cursor.token() == JsonToken.START_ARRAY;
      if (!target.isSequence()) {
        scalar(target);
      } else if (!array) {
        target.wrongType(cursor.describe());
        cursor.skip();
      } else {
        target.beginElements();
        while (cursor.next() != JsonToken.END_ARRAY) {
          scalar(target);
        }
        target.endElements();
      }
    }

    private void scalar(ObjectPacker target) {
      JsonToken token = cursor.token();
      switch (token) {
        case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT ->
            target.literal(
                token == JsonToken.VALUE_NUMBER_INT,
                cursor.characters(),
                cursor.offset(),
                cursor.length());
        case VALUE_STRING -> target.string(cursor.characters(), cursor.offset(), cursor.length());
        case VALUE_TRUE, VALUE_FALSE -> target.bool(token == JsonToken.VALUE_TRUE);
        default -> {
          target.wrongType(cursor.describe());
          cursor.skip();
        }
      }
    }

    private static ScoringException shape(String message) {
      return Refusals.request(ErrorCode.INVALID_REQUEST, message);
    }
  }
}
