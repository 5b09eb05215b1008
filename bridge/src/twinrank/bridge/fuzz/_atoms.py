"""The atoms of a request: JSON texts of values that readers have stumbled over, and what a schema makes of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from twinrank.training.schema import DType, Feature, Schema, ScoringError, read_request

# ---- text

TEXTS: tuple[str, ...] = (
    # Plain, and what looks like another type.
    *("", "0", "1", "-1", "1.0", "a", "A", " ", "  a  ", "null", "true", "NaN", "nan", "Infinity", "-Infinity", "[]"),
    *(
        "{}",
        "0x10",
        "1e5",
        "__proto__",
        "constructor",
        "</script>",
        "%s%n",
        "${a}",
        "../..",
        "'",
        '"',
        "\\",
        "/",
        "\\u0041",
    ),
    # NUL, controls, white space that is none of JSON's, marks that are not seen.
    *(
        "\0",
        "a\0b",
        "\0\0",
        "\x01",
        "\x1f",
        "\x7f",
        "\t\n\r\b\f",
        "\x85",
        "\xa0",
        "\u2028",
        "\u2029",
        "\u200b",
        "\u00ad",
    ),
    *("\ufeff", "\ufeffa", "a\ufeff", "\u2060"),
    # The borders of planes, of UTF-8 lengths and of the surrogates; noncharacters; private use.
    *("\x80", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uf8ff", "\ufdd0", "\ufffd", "\ufffe", "\uffff", "\U00010000"),
    *("\U0001ffff", "\U00020000", "\U0002fa1d", "\U00030000", "\U000e0001", "\U000e0100", "\U000f0000", "\U0010fffd"),
    *("\U0010ffff", "\uffff\U00010000", "\ue000\U00010000"),
    # The same to a reader's eye, other code points: normalised forms and look-alikes.
    *("é", "e\u0301", "Å", "\u212b", "A\u030a", "ﬁ", "fi", "한", "\u1112\u1161\u11ab", "ñ", "n\u0303", "\u1e9b\u0323"),
    *("q\u0323\u0307", "q\u0307\u0323", "Ω", "\u2126", "K", "\u212a", "а", "ｆｕｌｌ", "①", "½"),
    # Lower and upper case that do not come back.
    *("ß", "ẞ", "ss", "SS", "İ", "i̇", "ı", "I", "i", "Σ", "σ", "ς", "ΟΔΟΣ", "οδος", "ŉ", "ǆ", "ǅ", "Ǆ", "ﬀ", "ΐ", "ſ"),
    # Right to left, joined and combined.
    *(
        "שלום",
        "مرحبا",
        "\u202eabc\u202c",
        "\u200fa",
        "👨\u200d👩\u200d👧\u200d👦",
        "👩🏽\u200d🚀",
        "🇫🇷",
        "🇫",
        "1\ufe0f\u20e3",
        "☃\ufe0f",
    ),
    *("Z\u0351\u036b\u0343\u036a\u0302", "क्षि", "\u0301", "\u200d", "ก็็็"),
    # The lengths at which XXH3-64 changes its way, in bytes, and far beyond.
    *("b" * length for length in (3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 96, 97, 127, 128, 129)),
    *("c" * length for length in (191, 192, 193, 239, 240, 241, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 2049)),
    *("ß" * length for length in (2, 4, 8, 64, 65, 120, 121, 512, 513)),
    *("\U0001f600" * length for length in (2, 4, 5, 32, 33, 60, 61, 256)),
)
"""Strings of Unicode scalar values; every one is legal for a string feature."""

LONG_TEXTS: tuple[str, ...] = ("d" * 8191, "é" * 4097, "\U00010348" * 8192, "e" * 65_536)
"""Strings that are too long to be drawn as often as others."""

SPELLED: tuple[bytes, ...] = (
    *(
        rb'"\u0000"',
        rb'"\u0041"',
        rb'"A\u0042C"',
        rb'"\u00df"',
        rb'"\u00DF"',
        rb'"\u00dF"',
        rb'"\/"',
        rb'"\\"',
        rb'"\""',
    ),
    *(rb'"\b\f\n\r\t"', rb'"\\u0041"', rb'"\\\u0041"', rb'"\\\\u0041"', rb'"\ud83d\ude00"', rb'"\uD83D\uDE00"'),
    *(rb'"\uFFFF"', rb'"\ufffe"', rb'"\ufeff"', rb'"\udbff\udfff"', rb'"\ud800\udc00"', rb'"e\u0301"', rb'"\u007f"'),
    *(rb'"\u004eaN"', rb'"Infinit\u0079"', rb'"\u002dInfinity"', rb'"\u2028"', b'"\x7f"'),
)
"""Strings by their JSON text: every escape there is."""

SURROGATES: tuple[bytes, ...] = (
    *(rb'"\ud800"', rb'"\udbff"', rb'"\udc00"', rb'"\udfff"', rb'"a\ud83d"', rb'"\ude00\ud83d"', rb'"\ud800A"'),
    *(rb'"\ud83d\ud83d\ude00"', rb'"\ud83d\ude00\ude00"', rb'"\ud83d\\ude00"', rb'"\uD800\u0041"', rb'"\ud83d \ude00"'),
)
"""Strings that hold half a surrogate pair: legal JSON, no legal value."""

# ---- numbers

INTEGERS: tuple[bytes, ...] = tuple(
    str(number).encode()
    for number in (
        *(0, 1, -1, 2, 3, 7, 10, 99, -100, 127, 128, -128, -129, 255, 256, 32767, 32768, -32769, 65535, 65536),
        *(sign * (1 << power) + off for power in (24, 31, 32, 53) for sign in (1, -1) for off in (-1, 0, 1, 2, 3)),
        *(1 << 62, (1 << 63) - 1, (1 << 63) - 2, -(1 << 63), 1 - (1 << 63), -(1 << 62), 999_999_999_999_999_999),
    )
)
"""Integer literals inside int64."""

TIMESTAMPS: tuple[bytes, ...] = tuple(
    str(milliseconds).encode()
    for milliseconds in (
        *(0, 1, -1, 999, 1000, -1000, 86_399_999, 86_400_000, -86_400_000, 951_782_400_000, 951_868_799_999),
        *(1_709_164_800_000, 1_709_251_200_000, 4_107_456_000_000, 4_107_542_400_000, -2_208_988_800_000),
        *(1_483_228_799_999, 1_483_228_800_000, 2_147_483_647_000, 2_147_483_648_000, -2_147_483_649_000),
        *(253_402_300_799_999, 253_402_300_800_000, -62_135_596_800_000, -62_135_596_800_001, -62_167_219_200_000),
        *(8_640_000_000_000_000, 8_640_000_000_000_001, -8_640_000_000_000_001, 1_262_304_000_000, -30_610_224_000_000),
    )
)
"""Milliseconds: the epoch, leap days of 2000, 2024 and none in 2100, a leap second, the ends of other calendars."""

WIDE_INTEGERS: tuple[bytes, ...] = (
    *(b"9223372036854775808", b"-9223372036854775809", b"18446744073709551615", b"18446744073709551616", b"-0"),
    *(
        b"10000000000000000000000000000000",
        b"-99999999999999999999999999999",
        b"1" + b"0" * 308,
        b"9" * 400,
        b"9" * 1000,
    ),
    b"-" + b"9" * 999,
)
"""Integer literals beyond int64, and the one that is not the integer it looks like."""

DECIMALS: tuple[bytes, ...] = (
    *(
        b"0.0",
        b"-0.0",
        b"0.5",
        b"-0.5",
        b"0.1",
        b"1.0",
        b"-1.5",
        b"1e3",
        b"1E3",
        b"1e+3",
        b"1e-3",
        b"1E-0",
        b"1e00",
        b"0e0",
    ),
    *(b"-0e0", b"0e400", b"0.0e-999999999", b"1.0e0", b"3.14159265358979323846264338327950288", b"100e-2"),
    # Around float32: the smallest, half of it, the largest, and what rounds up to infinity.
    *(b"1e-45", b"1.4e-45", b"7.006492321624085e-46", b"7.006492321624086e-46", b"-1e-46", b"1.1754943508222875e-38"),
    *(b"1.1754942106924411e-38", b"3.4028234663852886e38", b"3.4028235677973362e38", b"3.4028235677973366e38"),
    *(b"3.4028236e38", b"-3.4028235677973366e38", b"16777217.0", b"16777219.0", b"33554433.5"),
    # Around float64.
    *(b"5e-324", b"2.5e-324", b"2.4703282292062327e-324", b"2.4703282292062328e-324", b"-5e-324", b"1e-400"),
    *(b"1e-999999999999", b"2.2250738585072014e-308", b"2.2250738585072011e-308", b"2.225073858507201e-308"),
    *(b"1.7976931348623157e308", b"-1.7976931348623157e308", b"1.7976931348623158e308", b"1.7976931348623159e308"),
    *(
        b"179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330"
        b"286416692887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069"
        b"855571366959622842914819860834936475292719074168444365510704342711559699508093042880.0",
    ),
    *(
        b"1e309",
        b"-1e309",
        b"1e400",
        b"1e1000000",
        b"1e99999999999999999999",
        b"9007199254740993.0",
        b"9007199254740992.5",
    ),
    # Two roundings differ from one: just above the middle of two float32s, nearer to it than float64 can tell.
    *(b"1.00000005960464477539062500000000001", b"1.00000017881393432617187499999999999", b"1.0000000596046448"),
    *(b"8589973504.000001", b"8589973504", b"0.500000029802322387695312500000000000001", b"1.4012984643248171e-45"),
    *(b"0.3e-44", b"1e23", b"9e22", b"8.41e21", b"4.35", b"0.000001", b"123456789012345678901234567890.123456789"),
    *(b"0." + b"0" * 307 + b"1", b"0." + b"3" * 17, b"0." + b"9" * 998, b"1." + b"0" * 998, b"1" * 500 + b"e-500"),
)
"""Literals with a point or an exponent."""

NAMED_NUMBERS: tuple[bytes, ...] = (b'"NaN"', b'"Infinity"', b'"-Infinity"')
"""What a float that declares `nonfinite` takes beside literals."""

NEAR_NUMBERS: tuple[bytes, ...] = (
    *(b'"nan"', b'"NAN"', b'"Nan"', b'"infinity"', b'"INFINITY"', b'"Inf"', b'"+Infinity"', b'"-infinity"', b'"-NaN"'),
    *(b'" NaN"', b'"NaN "', b'"1"', b'"1.5"', b'"0x1p3"', b'"1e5"', b'""', '"−1"'.encode(), '"١"'.encode()),
)
"""Strings that some parsers take for numbers."""

# ---- the rest

WORDS: tuple[bytes, ...] = (b"true", b"false")

CONTAINERS: tuple[bytes, ...] = (
    *(b"[]", b"{}", b"[[]]", b"[{}]", b"[null]", b'{"":null}', b'{"value":1}', b"[0]", b'["a"]', b"[true]", b"[0,[1]]"),
    *(b"[0,null]", b'["a",null]', b"[" * 40 + b"]" * 40, b'{"a":' * 40 + b"1" + b"}" * 40, b'["a",1,true]'),
)

ATOMS: tuple[bytes, ...] = tuple(
    dict.fromkeys(
        (
            *(json.dumps(text, ensure_ascii=False).encode() for text in TEXTS),
            *SPELLED,
            *SURROGATES,
            *INTEGERS,
            *TIMESTAMPS,
            *WIDE_INTEGERS,
            *DECIMALS,
            *NAMED_NUMBERS,
            *NEAR_NUMBERS,
            *WORDS,
            *CONTAINERS,
        )
    )
)
"""The JSON texts of all values above but the long ones; what is a good value for one dtype is a bad one for another."""

NO_TEXT: tuple[bytes, ...] = (
    *(
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"-NaN",
        b"nan",
        b"True",
        b"None",
        b"undefined",
        b"nul",
        b"nulll",
        b"tru",
        b"01",
    ),
    *(
        b"-01",
        b"+1",
        b".5",
        b"1.",
        b"-",
        b"-.5",
        b"1e",
        b"1e+",
        b"0x10",
        b"1_000",
        b"1,5",
        b"1f",
        b"--1",
        b"00",
        b"- 1",
    ),
    *(b"'a'", b"`a`", b'"a', b'a"', b'"\\x41"', b'"\\u12"', b'"\\u00g0"', b'"\\', b'"\\"', b'"\\U00000041"', b'"\\0"'),
    *(b'"\n"', b'"\t"', b'"\x00"', b'"\x1f"', b"[1,]", b"[,1]", b"[1 2]", b'{"a"}', b'{"a":}', b'{"a":1,}', b"{a:1}"),
    *(b"{1:1}", b'{"a":1 "b":2}', b'{"a"=1}', b"/*c*/1", b"1//c", b"#", b"[", b"{", b"]", b"}", b"", b"9" * 1001),
    *(b"0." + b"0" * 999, b"1e" + b"0" * 999, b'{"a":1,"a":1}', b'{"a":1,"\\u0061":2}', b'{"":1,"":1}'),
    # Escapes whose digits are others' letters: of U+0141 the low byte is that of an A, U+FF10 is a wide zero.
    *(
        b'"\\u000\\udd44"',
        '"\\u000\u0141"'.encode(),
        '"\\u\uff10\uff10\uff14\uff11"'.encode(),
        '"\\u004\u0661"'.encode(),
    ),
    # No UTF-8: stray and missing continuation bytes, overlong forms, encoded surrogates, beyond the last plane.
    *(
        b'"\x80"',
        b'"\xbf"',
        b'"\xc3"',
        b'"\xe2\x82"',
        b'"\xf0\x9f\x98"',
        b'"\xc0\x80"',
        b'"\xc1\xbf"',
        b'"\xe0\x80\x80"',
    ),
    *(
        b'"\xf0\x80\x80\x80"',
        b'"\xed\xa0\x80"',
        b'"\xed\xbf\xbf"',
        b'"\xed\xa0\xbd\xed\xb8\x80"',
        b'"\xf4\x90\x80\x80"',
    ),
    *(b'"\xf8\x88\x80\x80\x80"', b'"\xfe"', b'"\xff"', b'"\xe9"', b'"a\xcc"', b'"\xef\xbf"'),
)
"""Texts in a value's place that are no JSON: all of them are `invalid_json`, wherever they stand."""

GOOD_K: tuple[bytes, ...] = (
    *(
        b"null",
        b"0",
        b"1",
        b"2",
        b"-0",
        b"10",
        b"100",
        b"2147483647",
        b"2147483648",
        b"4294967296",
        b"9223372036854775807",
    ),
    *(b"9223372036854775808", b"18446744073709551617", b"1" + b"0" * 100),
)
"""Values of `k` that are allowed; those beyond n mean all."""

BAD_K: tuple[bytes, ...] = (
    *(
        b"-1",
        b"-2147483648",
        b"-9223372036854775809",
        b"1.0",
        b"1e0",
        b"-0.0",
        b"0.0",
        b"1e400",
        b'"1"',
        b'""',
        b"true",
    ),
    *(b"false", b"[]", b"[1]", b"{}", b'"NaN"'),
)

WRONG_OBJECTS: tuple[bytes, ...] = (b"null", b"[]", b"[{}]", b'""', b'"{}"', b"0", b"-1.5", b"true", b"false")
"""What stands where an object is required."""

WRONG_ARRAYS: tuple[bytes, ...] = (b"null", b"{}", b'{"0":{}}', b'""', b'"[]"', b"0", b"1e9", b"true", b"false")
"""What stands where an array is required."""

STRANGE_NAMES: tuple[bytes, ...] = (
    *(
        b'""',
        b'" "',
        b'"k"',
        b'"context"',
        b'"candidates"',
        b'"__proto__"',
        b'"x-note"',
        b'"id"',
        b'"_"',
        b'"9a"',
        b'"a.b"',
    ),
    *(b'"a b"', b'"a-b"', b'"\\u0000"', b'"\\ud800"', '"é"'.encode(), '"ſ"'.encode(), b'"' + b"n" * 64 + b'"'),
    *(b'"' + b"n" * 65 + b'"', b'"' + b"n" * 5000 + b'"', b'"NaN"', b'"state"', b'"values"', b'"\\n"', b'"a\\n"'),
)
"""Names of fields that no schema is likely to have; `unknown_feature` tells only those that could be a feature's."""


@dataclass(frozen=True)
class Sorted:
    """The atoms as one kind of value sees them.

    Attributes:
        good: texts of legal values.
        bad: texts of illegal values, by the code that refuses them.
    """

    good: tuple[bytes, ...]
    bad: Mapping[str, tuple[bytes, ...]]


@lru_cache(maxsize=32)
def sorted_for(dtype: DType, nonfinite: bool) -> Sorted:
    """Return what a scalar of this dtype makes of every atom; the reader itself is asked."""
    schema = Schema((Feature("v", "candidate", dtype, nonfinite=nonfinite),))
    good: list[bytes] = []
    bad: dict[str, list[bytes]] = {}
    for atom in ATOMS:
        code = code_of(b'{"context":{},"candidates":[{"v":%b}]}' % atom, schema, 1)
        if code is None:
            good.append(atom)
        else:
            bad.setdefault(code, []).append(atom)
    return Sorted(tuple(good), {code: tuple(atoms) for code, atoms in bad.items()})


def code_of(raw: bytes, schema: Schema, max_candidates: int) -> str | None:
    """Return the code with which the Python reader refuses a request; None if it takes it."""
    try:
        read_request(raw, schema, max_candidates=max_candidates)
    except ScoringError as error:
        return error.code
    return None


def near_misses(entry: str) -> Iterator[str]:
    """Yield strings that differ from a vocabulary's entry by what a careless reader would fold away."""
    from unicodedata import normalize

    forms = (
        entry.lower(),
        entry.upper(),
        entry.title(),
        entry.swapcase(),
        entry.casefold(),
        entry.strip(),
        f" {entry}",
    )
    marks = (f"{entry} ", f"{entry}\0", f"\ufeff{entry}", f"{entry}\u0301", f"{entry}\u200d", entry[:-1], entry[1:])
    normal = (normalize(form, entry) for form in ("NFC", "NFD", "NFKC", "NFKD"))
    yield from dict.fromkeys(form for form in (*forms, *marks, *normal, entry * 2) if form != entry)
