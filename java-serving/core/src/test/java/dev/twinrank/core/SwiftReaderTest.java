package dev.twinrank.core;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.internal.bundle.Vectors;
import dev.twinrank.core.internal.pack.Counts;
import dev.twinrank.core.internal.pack.PackPlan;
import dev.twinrank.core.internal.request.BothReaders;
import dev.twinrank.core.internal.request.RequestReader;
import java.math.BigDecimal;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What the fast reader takes, the thorough one takes, with the same blocks and counts. */
class SwiftReaderTest {
  private static final int SEED = 20261123;
  private static final int CASES = Integer.getInteger("twinrank.swiftCases", 20_000);
  private static final int TEXTS = 40;
  private static final String EVERY =
      """
      {"name": "c", "placement": "context", "dtype": "string"},
       {"name": "s", "placement": "candidate", "dtype": "string"},
       {"name": "i", "placement": "candidate", "dtype": "int64"},
       {"name": "d", "placement": "candidate", "dtype": "float64"},
       {"name": "f", "placement": "candidate", "dtype": "float32", "nonfinite": true},
       {"name": "b", "placement": "candidate", "dtype": "bool"},
       {"name": "a_longer_name_of_a_list", "placement": "candidate", "dtype": "string",
        "list": {"max_length": 3, "keep": "last"}},
       {"name": "v", "placement": "candidate", "dtype": "float32", "vector": {"length": 2}}
      """
          .replace(
              "\"placement\"",
              "\"missing\": {\"policy\": \"error\"}, \"invalid\": {\"policy\": \"error\"},"
                  + " \"placement\"");

  /** Bytes that mean something to a reader of JSON, or nearly do. */
  private static final List<byte[]> TOKENS =
      List.of(
              "{ } [ ] : , \" \\ 0 - . e E + 1 00 -0 1e5 1E+400 -1e-400 9223372036854775808 0.1"
                  + " 9007199254740993 18446744073709551616 null nul true false NaN \"NaN\""
                  + " \"Infinity\" \"-Infinity\" \\u0000 \\u00e9 \\ud800 \\udc00 \\ud83d\\ude00"
                  + " \\uD83D\\u0041 \\/ \\x \"k\" \"context\" \"candidates\" {} [] [[ ,, // é 😀"
                  + " \u0141 \u2028 \ufeff")
          .stream()
          .flatMap(text -> Arrays.stream(text.split(" ")))
          .map(text -> text.getBytes(UTF_8))
          .toList();

  private static final int[][] BAD_BYTES = {
    {0xC0, 0x80},
    {0xC1, 0xBF},
    {0xE0, 0x9F, 0xBF},
    {0xED, 0xA0, 0x80},
    {0xF0, 0x8F, 0xBF, 0xBF},
    {0xF4, 0x90, 0x80, 0x80},
    {0xF8, 0x88, 0x80, 0x80, 0x80},
    {0x80},
    {0xC3},
    {0xE2, 0x82},
    {0xF0, 0x9F, 0x98},
    {0xFF},
    {0x00},
    {0x1F},
    {0x7F},
    {0x0B},
    {0xEF, 0xBB, 0xBF},
    {0xA0}
  };

  @Test
  void agreesOnAllRequestVectorsAndAnswersNearlyAllThatAreGood() {
    int accepted = 0;
    int answered = 0;
    for (String file : Contract.files("vectors", "requests*.json")) {
      for (Map<String, Object> vector : Contract.cases(file, "cases")) {
        PackPlan plan = new PackPlan(Vectors.schema(vector.get("schema")));
        BothReaders both = new BothReaders(plan, Contract.integer(vector.get("max_candidates")));
        byte[] raw =
            vector.containsKey("request")
                ? Tiny.utf8(Contract.text(vector, "request"))
                : Base64.getDecoder().decode(Contract.text(vector, "request_base64"));
        assertEquals("", both.difference(raw), Contract.text(vector, "name"));
        accepted += both.accepted();
        answered += both.answered();
      }
    }
    // What is good and not answered: what a policy for invalid values absorbs, escaped names.
    assertTrue(accepted >= 142, accepted + " good");
    assertTrue(answered >= 112, answered + " of " + accepted);
  }

  @Test
  void answersEveryGoldenThatIsGoodAndHoldsNothingInvalid() {
    String tiny = "vectors/bundles/tiny/1/";
    Map<String, Object> manifest = Contract.json(tiny + "manifest.json");
    PackPlan plan = new PackPlan(Vectors.schema(manifest.get("schema")));
    int answered = 0;
    List<String> lines =
        new String(Contract.bytes(tiny + "goldens/requests.jsonl"), UTF_8).lines().toList();
    for (String line : lines) {
      BothReaders both = new BothReaders(plan, 1000);
      byte[] text = Tiny.utf8(line);
      assertEquals("", both.difference(text), line);
      if (both.accepted() > 0) {
        assertEquals(absorbs(plan, text) ? 0 : 1, both.answered(), line);
      }
      answered += both.answered();
    }
    assertTrue(answered >= 4, answered + " answered");
  }

  @Test
  void agreesOnAllNumberVectorsInEveryPlace() {
    BothReaders both = every();
    for (Map<String, Object> vector : Contract.cases("vectors/numbers.json", "cases")) {
      places(both, Contract.text(vector, "text").getBytes(UTF_8));
    }
    assertTrue(both.answered() > 500, both.answered() + " answered");
  }

  @Test
  void agreesOnEveryTokenAndBadByteInEveryPlace() {
    BothReaders both = every();
    int pair = 0;
    for (byte[] one : TOKENS) {
      places(both, one);
      for (byte[] two : TOKENS) {
        place(both, joined(one, two), pair++);
      }
    }
    for (int[] bad : BAD_BYTES) {
      byte[] bytes = new byte[bad.length];
      for (int i = 0; i < bad.length; i++) {
        bytes[i] = (byte) bad[i];
      }
      places(both, bytes);
      places(both, joined("\"".getBytes(UTF_8), bytes, "\"".getBytes(UTF_8)));
    }
    for (int lead = 0x80; lead < 0x100; lead++) {
      for (int next : new int[] {0x22, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0}) {
        byte[] four = {'"', (byte) lead, (byte) next, (byte) 0x80, (byte) 0xBF, '"'};
        for (int length = 1; length <= 4; length++) {
          byte[] cut = Arrays.copyOf(four, length + 2);
          cut[length + 1] = '"';
          place(both, cut, FRAMES.indexOf("{'context':{'c':#},'candidates':[]}"));
        }
      }
    }
  }

  @Test
  void agreesOnNumbersOfAnyLengthAndExponent() {
    BothReaders both = every();
    SplitMix random = new SplitMix(SEED, 1);
    for (int i = 0; i < CASES; i++) {
      String number = number(random);
      String text =
          "{\"context\":{\"c\":\"\"},\"candidates\":[{\"s\":\"\",\"i\":1,\"b\":true,\"f\":0,\"v\":[0,"
              + "0],\"a_longer_name_of_a_list\":[],\"d\":"
              + number
              + "}]}";
      assertEquals("", both.difference(Tiny.utf8(text)), number);
    }
    assertTrue(both.answered() > 0.9 * both.accepted(), both.answered() + "/" + both.accepted());
  }

  private static String number(SplitMix random) {
    switch (random.below(5)) {
      case 0 -> {
        double any = Double.longBitsToDouble(random.next());
        return Double.isFinite(any) ? Double.toString(any) : "1";
      }
      case 1 -> {
        // Halfway between two floats, exactly or nearly.
        double one = Math.abs((random.next() >> 11) * 0x1p-53 * Math.pow(2, random.below(40) - 20));
        BigDecimal half = new BigDecimal(Math.ulp(one)).divide(BigDecimal.valueOf(2));
        String exact = new BigDecimal(one).add(half).toPlainString();
        return exact.substring(0, Math.min(exact.length(), 17 + random.below(8)));
      }
      case 2 -> {
        return (random.next() >>> 1) + "e" + (random.below(700) - 350);
      }
      case 3 -> {
        return "0." + "0".repeat(random.below(8)) + (random.next() >>> (1 + random.below(60)));
      }
      default -> {
        return (random.below(2) == 0 ? "-" : "")
            + (random.next() >>> (1 + random.below(62)))
            + "."
            + (random.next() >>> (1 + random.below(62)));
      }
    }
  }

  @Test
  void agreesOnTextsThatAreSpoiltByteByByteAndAnswersAllThatAreNot() {
    int spoiltAndGood = 0;
    for (int schema = 0; schema * TEXTS < CASES; schema++) {
      Samples samples = new Samples(new SplitMix(SEED, schema));
      PackPlan plan = new PackPlan(samples.schema());
      BothReaders both = new BothReaders(plan, 66);
      SplitMix random = new SplitMix(SEED + 1, schema);
      byte[] text = {};
      for (int i = 0; i < TEXTS; i++) {
        String name = "seed " + SEED + ", schema " + schema + ", text " + i;
        if (i % 5 == 0) {
          Sample sample = samples.request(false);
          Map<String, Object> document =
              random.below(2) == 0 ? sample.rows() : sample.columns(samples.schema());
          text = Tiny.utf8(JsonText.of(document));
          BothReaders whole = new BothReaders(plan, 1000);
          assertEquals("", whole.difference(text), name);
          assertEquals(absorbs(plan, text) ? 0 : 1, whole.answered(), name);
        } else {
          byte[] spoilt = spoilt(text, random);
          assertEquals("", both.difference(spoilt), () -> name + ": " + new String(spoilt, UTF_8));
        }
      }
      spoiltAndGood += both.answered();
    }
    assertTrue(spoiltAndGood > CASES / 50, spoiltAndGood + " were still good");
  }

  private static boolean absorbs(PackPlan plan, byte[] text) {
    Counts counts = new Counts(plan);
    new RequestReader(plan, 1000).read(text, counts);
    for (int i = 0; i < plan.schema().features().size(); i++) {
      if (counts.invalid(i) > 0) {
        return true;
      }
    }
    return false;
  }

  private static byte[] spoilt(byte[] text, SplitMix random) {
    byte[] spoilt = text;
    for (int times = 1 + random.below(2); times > 0; times--) {
      int at = random.below(spoilt.length + 1);
      int to = Math.min(spoilt.length, at + random.below(4));
      byte[] head = Arrays.copyOf(spoilt, at);
      byte[] tail = Arrays.copyOfRange(spoilt, to, spoilt.length);
      byte[] rest = Arrays.copyOfRange(spoilt, at, spoilt.length);
      spoilt =
          switch (random.below(7)) {
            case 0 -> joined(head, tail);
            case 1 -> joined(head, Arrays.copyOfRange(spoilt, at, to), rest);
            case 2 -> joined(head, TOKENS.get(random.below(TOKENS.size())), rest);
            case 3 -> joined(head, TOKENS.get(random.below(TOKENS.size())), tail);
            case 4 -> joined(head, random.bytes(1), tail);
            case 5 -> joined(head, " \t\r\n".substring(random.below(4)).getBytes(UTF_8), rest);
            default -> joined(head, digit(random), tail);
          };
    }
    return spoilt;
  }

  private static byte[] digit(SplitMix random) {
    return new byte[] {(byte) ('0' + random.below(10))};
  }

  @Test
  void answersWhatTheUsualClientsWrite() {
    Map<String, String> forms = new LinkedHashMap<>();
    String compact =
        "{'context':{'c':'é'},'candidates':[{'s':'a\\\\b','i':-7,'d':0.1,'f':1e-5,'b':true,"
            + "'a_longer_name_of_a_list':['x','y','z','é'],'v':[0.5,-1.25]},{'v':[1,2],'b':false,"
            + "'f':'NaN','d':123456789.12345678,'i':9007199254740993,'s':'\\\\u00e9\\\\ud83d\\\\ude00',"
            + "'a_longer_name_of_a_list':[]}],'k':10}";
    forms.put("compact", compact);
    forms.put("a space after each comma and colon", compact.replace(",", ", ").replace(":", ": "));
    forms.put("indented", compact.replaceAll("([\\[{,])", "$1\r\n\t  ").replace(":", " : ") + "\n");
    forms.put(
        "columns",
        "{'k':null,'candidates':{'b':[true,false],'s':['a','b'],'i':[1,2],'d':[0,-0.0],'v':[[1,2],"
            + "[3,4]],'f':['-Infinity',2.5],'a_longer_name_of_a_list':[['x'],[]]},'context':{'c':''}}");
    forms.put("nobody in rows", "{'context':{'c':''},'candidates':[]}");
    forms.put("nobody in columns", "{'context':{'c':''},'candidates':{}}");
    forms.forEach(
        (name, text) -> {
          BothReaders both = every();
          assertEquals(
              "", both.difference(Tiny.utf8(text.replace('\'', '"').replace("\\\\", "\\"))), name);
          assertEquals(1, both.accepted(), name);
          assertEquals(1, both.answered(), name);
        });
  }

  private static BothReaders every() {
    return new BothReaders(new PackPlan(Vectors.schemaOf(EVERY)), 4);
  }

  /** Where bytes stand: in a value of every kind, a name, k, and around everything. */
  private static final List<String> FRAMES =
      List.of(
          "#",
          "#{'context':{'c':'x'},'candidates':[]}",
          "{'context':{'c':'x'},'candidates':[]}#",
          "{'context':{'c':'x'},'candidates':[],'k':#}",
          "{'context':{'c':#},'candidates':[]}",
          "{'context':{'c':'x#'},'candidates':[]}",
          "{'context':{'c':'12345678#12345678'},'candidates':{}}",
          "{'context':{#:'x'},'candidates':[]}",
          "{'context':{'c':'x'}#,'candidates':[]}",
          "{'context':{'c':'x'},'candidates':#}",
          "{'context':{'c':'x'},'candidates':[#]}",
          candidate("i", "#"),
          candidate("d", "#"),
          candidate("d", "1#"),
          candidate("f", "#"),
          candidate("b", "#"),
          candidate("v", "[1,#]"),
          candidate("v", "#"),
          candidate("a_longer_name_of_a_list", "['a',#]"),
          candidate("s", "'x'#"),
          "{'context':{'c':'x'},'candidates':{'s':['a'],'i':[1],'b':[true],'f':[1],'v':[[1,2]],"
              + "'a_longer_name_of_a_list':[[]],'d':[#]}}");

  private static void places(BothReaders both, byte[] bytes) {
    for (int i = 0; i < FRAMES.size(); i++) {
      place(both, bytes, i);
    }
  }

  private static void place(BothReaders both, byte[] bytes, int frame) {
    String around = FRAMES.get(frame % FRAMES.size());
    int at = around.indexOf('#');
    byte[] text =
        joined(
            Tiny.utf8(around.substring(0, at).replace('\'', '"')),
            bytes,
            Tiny.utf8(around.substring(at + 1).replace('\'', '"')));
    assertEquals("", both.difference(text), () -> new String(text, UTF_8));
  }

  private static String candidate(String feature, String value) {
    Map<String, String> values = new LinkedHashMap<>();
    values.put("s", "'x'");
    values.put("i", "1");
    values.put("d", "1");
    values.put("f", "1");
    values.put("b", "true");
    values.put("a_longer_name_of_a_list", "[]");
    values.put("v", "[1,2]");
    values.put(feature, value);
    StringBuilder members = new StringBuilder();
    values.forEach(
        (name, each) ->
            members
                .append(members.length() == 0 ? "'" : ",'")
                .append(name)
                .append("':")
                .append(each));
    return "{'context':{'c':'x'},'candidates':[{" + members + "}]}";
  }

  private static byte[] joined(byte[]... parts) {
    byte[] all = new byte[Arrays.stream(parts).mapToInt(part -> part.length).sum()];
    int at = 0;
    for (byte[] part : parts) {
      System.arraycopy(part, 0, all, at, part.length);
      at += part.length;
    }
    return all;
  }
}
