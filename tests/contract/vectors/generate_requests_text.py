"""Make requests_text.json: bytes that are no request, and texts at the edges of what JSON allows."""

from _requests_case import ERROR, TINY, Case, error, feature, finish_requests, packed, tensor

GOOD = b'{"context":{"user":1},"candidates":[{"item":2}]}'
OK = packed(1, None, {"context.i64": tensor("int64", [1, 1], [1]), "candidate.i64": tensor("int64", [1, 1], [2])})
BAD = error("invalid_json")
TEXT = [feature("s", "candidate", "string", invalid={"policy": "own_row"})]


def in_string(data: bytes) -> bytes:
    """A request whose string value is these bytes; its feature would absorb any invalid value."""
    return b'{"context":{},"candidates":[{"s":"' + data + b'"}]}'


def nested(depth: int) -> bytes:
    """A request that nests to exactly this depth, in a place that is an invalid_request otherwise."""
    return b'{"context":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b',"candidates":[]}'


def cases() -> list[Case]:
    """The cases, each with its reason as its name."""
    floats = [feature("x", "candidate", "float64")]

    def number(literal: str) -> bytes:
        return b'{"context":{},"candidates":[{"x":' + literal.encode() + b"}]}"

    def zero(bits: str) -> dict[str, object]:
        return packed(1, None, {"candidate.f64": tensor("float64", [1, 1], [bits])})

    made = [
        Case("a plain request", TINY, GOOD, OK),
        Case("an empty body", TINY, b"", BAD),
        Case("only white space", TINY, b" \n", BAD),
        Case(
            "white space around and between",
            TINY,
            b' \t\r\n{ "context" :{"user": 1 } ,\n"candidates":[ {"item":\t2} ]}\r\n ',
            OK,
        ),
        Case("a form feed is no white space", TINY, GOOD + b"\f", BAD),
        Case("a no-break space is no white space", TINY, GOOD + "\u00a0".encode(), BAD),
        Case("a trailing NUL", TINY, GOOD + b"\0", BAD),
        Case("a trailing bracket", TINY, GOOD + b"}", BAD),
        Case("two objects", TINY, GOOD + GOOD, BAD),
        Case("two objects on two lines", TINY, GOOD + b"\n" + GOOD, BAD),
        Case("a comma at the end of an object", TINY, b'{"context":{"user":1,},"candidates":[{"item":2}]}', BAD),
        Case("a comma at the end of an array", TINY, b'{"context":{"user":1},"candidates":[{"item":2},]}', BAD),
        Case("a comment", TINY, b"/* */" + GOOD, BAD),
        Case("a line comment at the end", TINY, GOOD + b"//", BAD),
        Case("single quotes", TINY, GOOD.replace(b'"', b"'"), BAD),
        Case("a key without quotes", TINY, b'{context:{"user":1},"candidates":[]}', BAD),
        Case("cut short", TINY, GOOD[:-1], BAD),
        Case("a string without its end", TINY, b'{"context', BAD),
        Case("a byte order mark", TINY, b"\xef\xbb\xbf" + GOOD, BAD),
        Case("UTF-16, little endian, with a mark", TINY, b"\xff\xfe" + GOOD.decode().encode("utf-16-le"), BAD),
        Case("UTF-16, little endian, without", TINY, GOOD.decode().encode("utf-16-le"), BAD),
        Case("UTF-16, big endian, without", TINY, GOOD.decode().encode("utf-16-be"), BAD),
        Case("UTF-32, little endian", TINY, GOOD.decode().encode("utf-32-le"), BAD),
        Case("a byte that is no UTF-8", TEXT, in_string(b"\xff"), BAD),
        Case("Latin-1", TEXT, in_string(b"caf\xe9"), BAD),
        Case("a lone continuation byte", TEXT, in_string(b"\x80"), BAD),
        Case("a sequence cut short", TEXT, in_string(b"\xe2\x82"), BAD),
        Case("overlong U+0000", TEXT, in_string(b"\xc0\x80"), BAD),
        Case("overlong slash, two bytes", TEXT, in_string(b"\xc0\xaf"), BAD),
        Case("overlong slash, three bytes", TEXT, in_string(b"\xe0\x80\xaf"), BAD),
        Case("overlong slash, four bytes", TEXT, in_string(b"\xf0\x80\x80\xaf"), BAD),
        Case("an encoded surrogate", TEXT, in_string(b"\xed\xa0\x80"), BAD),
        Case("an encoded surrogate pair (CESU-8)", TEXT, in_string(b"\xed\xa0\xbd\xed\xb8\x80"), BAD),
        Case("beyond U+10FFFF", TEXT, in_string(b"\xf4\x90\x80\x80"), BAD),
        Case("five bytes", TEXT, in_string(b"\xf8\x88\x80\x80\x80"), BAD),
        Case("invalid UTF-8 in a key", TINY, b'{"\xff":1}', BAD),
        Case("invalid UTF-8 after the object", TINY, GOOD + b"\xff", BAD),
        Case("a raw line feed in a string", TEXT, in_string(b"a\nb"), BAD),
        Case("a raw tab in a string", TEXT, in_string(b"a\tb"), BAD),
        Case("a raw NUL in a string", TEXT, in_string(b"a\0b"), BAD),
        Case("a raw U+001F in a string", TEXT, in_string(b"\x1f"), BAD),
        Case("an unknown escape", TEXT, in_string(b"\\x41"), BAD),
        Case("an escaped quote that ends nothing", TEXT, in_string(b"\\'"), BAD),
        Case("a short unicode escape", TEXT, in_string(b"\\u12"), BAD),
        Case("a unicode escape with a letter", TEXT, in_string(b"\\u12G4"), BAD),
        Case("a unicode escape with a sign", TEXT, in_string(b"\\u+123"), BAD),
        Case(
            "a unicode escape with a letter whose low byte is a digit's", TEXT, in_string("\\u000\u0141".encode()), BAD
        ),
        Case("a unicode escape that another one ends", TEXT, in_string(b"\\u000\\udd44"), BAD),
        Case(
            "a key's unicode escape with a letter whose low byte is a digit's", TINY, '{"\\u004\u0141":1}'.encode(), BAD
        ),
        Case("a backslash before the last quote", TEXT, in_string(b"\\"), BAD),
        Case("a duplicate key at the top", TINY, b'{"context":{"user":1},"context":{"user":1},"candidates":[]}', BAD),
        Case("a duplicate key in the context", TINY, b'{"context":{"user":1,"user":1},"candidates":[]}', BAD),
        Case("a duplicate key in a candidate", TINY, b'{"context":{"user":1},"candidates":[{"item":2,"item":2}]}', BAD),
        Case("a duplicate key by an escape", TINY, b'{"context":{"user":1,"\\u0075ser":1},"candidates":[]}', BAD),
        Case(
            "a duplicate key where no object belongs", TINY, b'{"context":{"user":{"a":1,"a":2}},"candidates":[]}', BAD
        ),
        Case("a duplicate of the empty key", TINY, b'{"":1,"":1}', BAD),
        Case("an escaped key is the key", TINY, GOOD.replace(b'"user"', b'"\\u0075\\u0073er"'), OK),
        Case("depth 64 is JSON; here it is no context", TINY, nested(64), error("invalid_request")),
        Case("depth 65", TINY, nested(65), BAD),
        Case("depth 65 of objects", TINY, b'{"a":' * 65 + b"1" + b"}" * 65, BAD),
        Case("depth 64 of objects is JSON", TINY, b'{"a":' * 64 + b"1" + b"}" * 64, error("invalid_request")),
        Case("a hundred thousand open brackets", TINY, b"[" * 100_000, BAD),
        Case("depth 65 behind a string that ends in a backslash", TINY, nested(64).replace(b"[]", b'["\\\\",[]]'), BAD),
        Case(
            "depth 64 behind a string that ends in a backslash",
            TINY,
            nested(63).replace(b"[]", b'["\\\\",[]]'),
            error("invalid_request"),
        ),
        Case(
            "brackets in strings do not nest",
            [feature("s", "candidate", "string", invalid=ERROR)],
            in_string(b'\\"' + b"[" * 100 + b"\\\\"),
            None,
            key='"' + "[" * 100 + "\\",
        ),
        Case("NaN as a bare word", floats, number("NaN"), BAD),
        Case("Infinity as a bare word", floats, number("Infinity"), BAD),
        Case("-Infinity as a bare word", floats, number("-Infinity"), BAD),
        Case("nan in lower case", floats, number("nan"), BAD),
        Case("True", floats, number("True"), BAD),
        Case("undefined", floats, number("undefined"), BAD),
        Case("a leading zero", floats, number("01"), BAD),
        Case("a negative leading zero", floats, number("-01"), BAD),
        Case("a plus sign", floats, number("+1"), BAD),
        Case("no digit before the point", floats, number(".5"), BAD),
        Case("no digit after the point", floats, number("1."), BAD),
        Case("no digit in the exponent", floats, number("1e"), BAD),
        Case("only a sign", floats, number("-"), BAD),
        Case("hexadecimal", floats, number("0x10"), BAD),
        Case("an underscore", floats, number("1_000"), BAD),
        Case("a suffix", floats, number("1f"), BAD),
        Case("Arabic digits", floats, number("\u0661"), BAD),
        Case("a literal of 1000 characters", floats, number("0." + "0" * 998), zero("0000000000000000")),
        Case("a literal of 1001 characters", floats, number("0." + "0" * 999), BAD),
        Case("a literal of 1000 characters with its sign", floats, number("-0." + "0" * 997), zero("8000000000000000")),
        Case("a literal of 1001 characters with its sign", floats, number("-0." + "0" * 998), BAD),
        Case("an integer literal of 1001 characters", floats, number("1" * 1001), BAD),
        Case("an integer literal of 5000 characters", floats, number("1" * 5000), BAD),
        Case("an integer literal of 5000 characters in an unknown field", TINY, b'{"a":' + b"1" * 5000 + b"}", BAD),
        Case("an exponent that makes 1001 characters", floats, number("1e" + "0" * 998 + "1"), BAD),
        Case("bad text wins over an unknown field before it", TINY, b'{"no":1,"context":{"user":"x"}]', BAD),
        Case(
            "bad text wins over too many candidates",
            TINY,
            b'{"context":{"user":1},"candidates":[' + b'{"item":2},' * 9 + b'{"item":2}]} x',
            BAD,
        ),
        Case(
            "a duplicate key at the end wins over a wrong type at the start",
            TINY,
            b'{"context":{"user":"x"},"candidates":[{"item":2,"item":3}]}',
            BAD,
        ),
    ]
    return made


if __name__ == "__main__":
    raise SystemExit(finish_requests("text", cases()))
