package dev.twinrank.junit;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * A sound request, taken apart into the bytes of its pieces: what is put together again from them
 * holds every literal as it was written.
 */
final class Requests {
  private static final int SHOWN = 600;

  /** A range of the request's bytes. */
  record Span(int from, int to) {}

  private final byte[] raw;
  private int at;

  /** The value of {@code context}. */
  Span context = new Span(0, 0);

  /** The elements of {@code candidates}. */
  final List<Span> candidates = new ArrayList<>();

  /** Every value, also of members of members and of elements, the whole request last. */
  final List<Span> values = new ArrayList<>();

  /** Every member, from the name's first quote to the value's end. */
  final List<Span> members = new ArrayList<>();

  private Requests(byte[] raw) {
    this.raw = raw;
  }

  /**
   * Takes a request apart.
   *
   * @param raw a request that a reader accepted, or one that is not far from it
   * @throws IllegalArgumentException if it is no JSON; not everything that is none is noticed
   */
  static Requests of(byte[] raw) {
    Requests parts = new Requests(raw);
    try {
      parts.value("", 0);
    } catch (IndexOutOfBoundsException e) {
      throw new IllegalArgumentException("ends too early", e);
    }
    return parts;
  }

  byte[] raw() {
    return raw;
  }

  /** Returns a request of this context and some of these candidates, without {@code k}. */
  byte[] with(List<Integer> chosen) {
    return with(chosen, "");
  }

  /** Returns a request of this context and some of these candidates, with that {@code k}. */
  byte[] with(List<Integer> chosen, String k) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    write(out, "{\"context\":");
    out.write(raw, context.from(), context.to() - context.from());
    write(out, ",\"candidates\":[");
    for (int place = 0; place < chosen.size(); place++) {
      Span span = candidates.get(chosen.get(place));
      write(out, place == 0 ? "" : ",");
      out.write(raw, span.from(), span.to() - span.from());
    }
    write(out, k.isEmpty() ? "]}" : "],\"k\":" + k + "}");
    return out.toByteArray();
  }

  /** Returns the request with other bytes in the place of a range. */
  byte[] replaced(Span span, String by) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(raw, 0, span.from());
    write(out, by);
    out.write(raw, span.to(), raw.length - span.to());
    return out.toByteArray();
  }

  String text(Span span) {
    return new String(raw, span.from(), span.to() - span.from(), StandardCharsets.UTF_8);
  }

  /** Returns a request for a message: on one line, and not all of a long one. */
  static String shown(byte[] raw) {
    String text = new String(raw, StandardCharsets.UTF_8);
    String cut =
        text.codePointCount(0, text.length()) <= SHOWN
            ? text
            : text.substring(0, text.offsetByCodePoints(0, SHOWN));
    StringBuilder shown = new StringBuilder();
    cut.codePoints()
        .forEach(
            point -> {
              if (Character.isISOControl(point) || Character.getType(point) == Character.FORMAT) {
                shown.append(String.format("\\u%04x", point));
              } else {
                shown.appendCodePoint(point);
              }
            });
    return shown + (cut.length() < text.length() ? "… (" + raw.length + " bytes)" : "");
  }

  private static void write(ByteArrayOutputStream out, String text) {
    out.writeBytes(text.getBytes(StandardCharsets.UTF_8));
  }

  private Span value(String name, int depth) {
    space();
    int from = at;
    switch (raw[at]) {
      case '{' -> object(depth);
      case '[' -> array(name, depth);
      case '"' -> string();
      default -> literal();
    }
    Span span = new Span(from, at);
    values.add(span);
    if (depth == 1 && name.equals("context")) {
      context = span;
    }
    return span;
  }

  private void object(int depth) {
    at++;
    space();
    while (raw[at] != '}') {
      int from = at;
      string();
      String name = new String(raw, from + 1, at - from - 2, StandardCharsets.UTF_8);
      space();
      at++; // the colon
      value(name, depth + 1);
      members.add(new Span(from, at));
      separator();
    }
    at++;
  }

  private void array(String name, int depth) {
    at++;
    space();
    while (raw[at] != ']') {
      Span element = value("", depth + 1);
      if (depth == 1 && name.equals("candidates")) {
        candidates.add(element);
      }
      separator();
    }
    at++;
  }

  private void separator() {
    space();
    if (raw[at] == ',') {
      at++;
      space();
    }
  }

  private void string() {
    at++;
    while (raw[at] != '"') {
      at += raw[at] == '\\' ? 2 : 1;
    }
    at++;
  }

  private void literal() {
    int from = at;
    while (at < raw.length && ",]} \t\r\n".indexOf(raw[at]) < 0) {
      at++;
    }
    if (at == from) {
      throw new IllegalArgumentException("no value at byte " + at);
    }
  }

  private void space() {
    while (at < raw.length && " \t\r\n".indexOf(raw[at]) >= 0) {
      at++;
    }
  }
}
