"""Make requests_values.json: scalars of every dtype, strings, and the policies."""

from typing import Any

from _requests_case import OWN_ROW, Case, default, error, feature, finish_requests, key, packed, tensor

BLOCK = {"float32": "candidate.f32", "float64": "candidate.f64"}


def one(dtype: str, literal: str, expect: dict[str, Any] | int | float | str, **more: Any) -> Case:
    """One candidate with one feature of this dtype; a number or bits expect a packed value."""
    shown = literal if len(literal) < 60 else literal[:57] + "..."
    name = f"{dtype}{' nonfinite' if more.get('nonfinite') else ''} {shown}"
    if not isinstance(expect, dict):
        block = BLOCK.get(dtype, "candidate.i64")
        expect = packed(1, None, {block: tensor(dtype if dtype in BLOCK else "int64", [1, 1], [expect])})
    return Case(
        name, [feature("x", "candidate", dtype, **more)], f'{{"context":{{}},"candidates":[{{"x":{literal}}}]}}', expect
    )


def text(name: str, literal: str, value: str) -> Case:
    """One candidate with one string, and its key."""
    features = [feature("s", "candidate", "string")]
    return Case(name, features, f'{{"context":{{}},"candidates":[{{"s":{literal}}}]}}', None, key=value)


def bad(code: str) -> dict[str, Any]:
    """The error of the only candidate's only feature."""
    return error(code, "x", 0)


def scalars() -> list[Case]:
    """Types and ranges, dtype by dtype."""
    made = []
    for dtype in ("int64", "timestamp"):
        made += [
            one(dtype, "9223372036854775807", 2**63 - 1),
            one(dtype, "-9223372036854775808", -(2**63)),
            one(dtype, "9223372036854775808", bad("out_of_range")),
            one(dtype, "-9223372036854775809", bad("out_of_range")),
            one(dtype, "1" * 1000, bad("out_of_range")),
            one(dtype, "-0", 0),
            one(dtype, "1.0", bad("wrong_type")),
            one(dtype, "1e3", bad("wrong_type")),
            one(dtype, "-0.0", bad("wrong_type")),
            one(dtype, '"1"', bad("wrong_type")),
            one(dtype, '"NaN"', bad("wrong_type")),
            one(dtype, "true", bad("wrong_type")),
            one(dtype, "[1]", bad("wrong_type")),
            one(dtype, "{}", bad("wrong_type")),
            one(dtype, "1e400", bad("wrong_type")),
        ]
    made += [
        one("bool", "true", 1),
        one("bool", "false", 0),
        one("bool", "1", bad("wrong_type")),
        one("bool", "0", bad("wrong_type")),
        one("bool", '"true"', bad("wrong_type")),
        one("bool", "[true]", bad("wrong_type")),
        one("string", "1", bad("wrong_type")),
        one("string", "true", bad("wrong_type")),
        one("string", '["a"]', bad("wrong_type")),
        one("string", '{"a":"b"}', bad("wrong_type")),
        one("string", "[]", bad("wrong_type")),
        one("float32", "0.1", "3dcccccd"),
        one("float64", "0.1", "3fb999999999999a"),
        one("float32", "1", "3f800000"),
        one("float32", "-0", "80000000"),
        one("float64", "-0", "8000000000000000"),
        one("float32", "-0.0", "80000000"),
        one("float64", "-0e7", "8000000000000000"),
        one("float64", "9007199254740993", "4340000000000000"),
        one("float32", "16777217", "4b800000"),
        one("float64", "1e400", bad("out_of_range")),
        one("float64", "-1e400", bad("out_of_range")),
        one("float64", "1" + "0" * 309, bad("out_of_range")),
        one("float64", "1e-400", "0000000000000000"),
        one("float64", "-1e-400", "8000000000000000"),
        one("float32", "1e39", bad("out_of_range")),
        one("float32", "1e400", bad("out_of_range")),
        one("float32", "340282356779733661637539395458142568448", bad("out_of_range")),
        one("float32", "3.4028234663852886e38", "7f7fffff"),
        one("float32", "1e-46", "00000000"),
        one("float32", "1.401298464324817e-45", "00000001"),
        # 1 + 2^-24 + 2^-80: float64 rounds onto the float32 tie, which goes to even; straight to float32 goes up.
        one(
            "float32",
            "1.000000059604644775390625000000827180612553027674871408692069962853565812110900878906250",
            "3f800000",
        ),
        one("float32", "true", bad("wrong_type")),
        one("float32", '"1.5"', bad("wrong_type")),
        one("float32", '""', bad("wrong_type")),
        one("float32", "[1.5]", bad("wrong_type")),
        one("float64", "{}", bad("wrong_type")),
    ]
    for dtype, nan, top, bottom in (
        ("float32", "7fc00000", "7f800000", "ff800000"),
        ("float64", "7ff8000000000000", "7ff0000000000000", "fff0000000000000"),
    ):
        made += [
            one(dtype, '"NaN"', bad("non_finite")),
            one(dtype, '"Infinity"', bad("non_finite")),
            one(dtype, '"-Infinity"', bad("non_finite")),
            one(dtype, '"NaN"', nan, nonfinite=True),
            one(dtype, '"Infinity"', top, nonfinite=True),
            one(dtype, '"-Infinity"', bottom, nonfinite=True),
            one(dtype, '"nan"', bad("wrong_type"), nonfinite=True),
            one(dtype, '"-NaN"', bad("wrong_type"), nonfinite=True),
            one(dtype, '"+Infinity"', bad("wrong_type"), nonfinite=True),
            one(dtype, '"inf"', bad("wrong_type"), nonfinite=True),
            one(dtype, '"NaN "', bad("wrong_type"), nonfinite=True),
            one(dtype, '"\\u004eaN"', nan, nonfinite=True),
            one(dtype, "1e999", bad("out_of_range"), nonfinite=True),
            one(dtype, "-1e999", bad("out_of_range"), nonfinite=True),
        ]
    return [*made, one("float32", "1e39", bad("out_of_range"), nonfinite=True)]


def strings() -> list[Case]:
    """Strings and their keys."""
    lone = [
        ("a lone high surrogate", '"\\ud83d"'),
        ("a lone low surrogate", '"\\ude00"'),
        ("a pair in reverse", '"\\ude00\\ud83d"'),
        ("a high surrogate before a letter", '"\\ud83dx"'),
        ("a high surrogate before another pair", '"\\ud83d\\ud83d\\ude00"'),
        ("a high surrogate before an escaped letter", '"a\\ud83d\\u0041"'),
        ("a lone surrogate after an emoji", '"\U0001f600\\udc00"'),
    ]
    made = [one("string", literal, bad("invalid_string")) for _, literal in lone]
    for item, (name, _) in zip(made, lone, strict=True):
        item.name = f"string: {name}"
    return [
        *made,
        text("the empty string", '""', ""),
        text("U+0000 by an escape", '"a\\u0000b"', "a\0b"),
        text("an emoji, raw", '"\U0001f600"', "\U0001f600"),
        text("an emoji by escapes", '"\\ud83d\\uDE00"', "\U0001f600"),
        text("all the short escapes", '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t'),
        text("a composed letter", '"\u00e9"', "\u00e9"),
        text("a combining mark is not composed", '"e\u0301"', "e\u0301"),
        text("white space is kept", '" a "', " a "),
        text("a byte order mark inside", '"\ufeff"', "\ufeff"),
        text("U+007F, U+2028 and U+FFFF raw", '"\x7f\u2028\uffff"', "\x7f\u2028\uffff"),
        text("a value that looks like NaN", '"NaN"', "NaN"),
        text("a value that looks like null", '"null"', "null"),
        text("a long string", '"' + "ab" * 600 + '"', "ab" * 600),
        text("backslashes before the last quote", '"' + "\\\\" * 3 + '"', "\\" * 3),
    ]


def policies() -> list[Case]:
    """Missing and invalid values that a policy absorbs: zeros and a state."""
    full = [
        feature("own", "candidate", "int64", missing=OWN_ROW, invalid=OWN_ROW),
        feature("num", "candidate", "float32", missing=default(-1.5), invalid=default(2)),
        feature("str", "candidate", "string", missing=default("none")),
        feature("flag", "candidate", "bool", invalid=OWN_ROW),
    ]
    body = '{"context":{},"candidates":['

    def rows(*values: tuple[list[int], float]) -> dict[str, Any]:
        """Per row: own, its state, the state of num, str, its state, flag, its state; and num."""
        n = len(values)
        flat = [cell for row, _ in values for cell in row]
        numbers = [number for _, number in values]
        return packed(
            n,
            None,
            {"candidate.i64": tensor("int64", [n, 7], flat), "candidate.f32": tensor("float32", [n, 1], numbers)},
        )

    here = [5, 1, 1, key("a"), 1, 1, 1]
    absorbed = [
        ("a wrong type", '"x"'),
        ("out of range", "9223372036854775808"),
        ("a float for an int", "5.0"),
        ("a list for a scalar", "[5]"),
    ]
    made = [
        Case("all present", full, body + '{"own":5,"num":0.5,"str":"a","flag":true}]}', rows((here, 0.5))),
        Case("all that may be missing are", full, body + '{"flag":false}]}', rows(([0, 0, 0, 0, 0, 0, 1], 0.0))),
        Case(
            "null is missing",
            full,
            body + '{"own":null,"num":null,"str":null,"flag":false}]}',
            rows(([0, 0, 0, 0, 0, 0, 1], 0.0)),
        ),
        Case(
            "a feature whose missing policy is error stays required",
            full,
            body + '{"own":5,"num":0.5,"str":"a"}]}',
            error("missing_feature", "flag", 0),
        ),
        Case(
            "null where only invalid has a policy", full, body + '{"flag":null}]}', error("missing_feature", "flag", 0)
        ),
        Case(
            "an invalid value is not a missing one",
            full,
            body + '{"own":5,"num":0.5,"str":"a","flag":1}]}',
            rows(([5, 1, 1, key("a"), 1, 0, 2], 0.5)),
        ),
        Case(
            "invalid where only missing has a policy",
            full,
            body + '{"flag":true,"str":5}]}',
            error("wrong_type", "str", 0),
        ),
        Case(
            "a lone surrogate where only missing has a policy",
            full,
            body + '{"flag":true,"str":"\\ud800"}]}',
            error("invalid_string", "str", 0),
        ),
        Case(
            "float32 overflow is absorbed",
            full,
            body + '{"own":5,"num":1e39,"str":"a","flag":true}]}',
            rows(([5, 1, 2, key("a"), 1, 1, 1], 0.0)),
        ),
        Case(
            "a non-finite word is absorbed",
            full,
            body + '{"own":5,"num":"NaN","str":"a","flag":true}]}',
            rows(([5, 1, 2, key("a"), 1, 1, 1], 0.0)),
        ),
        Case(
            "zero is a value like any other",
            full,
            body + '{"own":0,"num":0,"str":"","flag":false}]}',
            rows(([0, 1, 1, key(""), 1, 0, 1], 0.0)),
        ),
        Case(
            "rows keep their own states",
            full,
            body + '{"own":5,"num":0.5,"str":"a","flag":true},{"flag":false},{"own":"","num":"","flag":""},'
            '{"own":5,"num":0.5,"str":"a","flag":true}]}',
            rows((here, 0.5), ([0, 0, 0, 0, 0, 0, 1], 0.0), ([0, 2, 2, 0, 0, 0, 2], 0.0), (here, 0.5)),
        ),
        Case(
            "a lone surrogate is absorbed by an invalid policy",
            [feature("s", "context", "string", invalid=OWN_ROW), full[0]],
            '{"context":{"s":"\\udfff"},"candidates":[]}',
            packed(
                0, None, {"context.i64": tensor("int64", [1, 2], [0, 2]), "candidate.i64": tensor("int64", [0, 2], [])}
            ),
        ),
        Case(
            "a nonfinite default",
            [feature("x", "candidate", "float64", nonfinite=True, missing=default("NaN"))],
            '{"context":{},"candidates":[{}]}',
            packed(
                1,
                None,
                {"candidate.i64": tensor("int64", [1, 1], [0]), "candidate.f64": tensor("float64", [1, 1], [0.0])},
            ),
        ),
    ]
    for name, literal in absorbed:
        made.append(
            Case(
                f"{name} is absorbed",
                full,
                body + f'{{"own":{literal},"num":0.5,"str":"a","flag":true}}]}}',
                rows(([0, 2, 1, key("a"), 1, 1, 1], 0.5)),
            )
        )
    return made


def cases() -> list[Case]:
    """All cases of this file."""
    return [*scalars(), *strings(), *policies()]


if __name__ == "__main__":
    raise SystemExit(finish_requests("values", cases()))
