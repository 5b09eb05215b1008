"""Make requests_lists.json: lists, aligned groups, and a schema that uses every block."""

from typing import Any

from _requests_case import Case, default, error, feature, finish_requests, key, listed, packed, tensor


def lists() -> list[Case]:
    """Truncation, and elements beyond the kept end."""

    def ints(keep: str, literal: str, values: list[int], length: int) -> Case:
        name = f"int64 list of 3, keep {keep}: {literal}"
        block = {"candidate.i64": tensor("int64", [1, 4], [*values, length])}
        return Case(name, of("int64", keep), body(literal), packed(1, None, block))

    def of(dtype: str, keep: str = "first", **more: Any) -> list[dict[str, Any]]:
        return [feature("v", "candidate", dtype, list=listed(3, keep), **more)]

    def body(literal: str) -> str:
        return f'{{"context":{{}},"candidates":[{{"v":{literal}}}]}}'

    def refused(name: str, dtype: str, literal: str, code: str, keep: str = "first") -> Case:
        return Case(name, of(dtype, keep), body(literal), error(code, "v", 0))

    absorbing = of("int64", "last", missing=default([]), invalid=default([]))

    def state(literal: str, state: int) -> Case:
        block = {"candidate.i64": tensor("int64", [1, 5], [0, 0, 0, 0, state])}
        return Case(f"a list under default: {literal}", absorbing, body(literal), packed(1, None, block))

    return [
        ints("first", "[]", [0, 0, 0], 0),
        ints("first", "[7]", [7, 0, 0], 1),
        ints("first", "[1,2,3]", [1, 2, 3], 3),
        ints("first", "[1,2,3,4]", [1, 2, 3], 3),
        ints("last", "[7]", [7, 0, 0], 1),
        ints("last", "[1,2,3,4,5]", [3, 4, 5], 3),
        ints("first", "[0,0]", [0, 0, 0], 2),
        refused("a bad element beyond the kept first", "int64", "[1,2,3,4.5]", "wrong_type"),
        refused("a bad element before the kept last", "int64", "[4.5,1,2,3]", "wrong_type", "last"),
        refused("the first bad element names the code", "int64", "[1,9223372036854775808,true]", "out_of_range"),
        refused(
            "the first bad element names the code, the other way round",
            "int64",
            "[true,9223372036854775808]",
            "wrong_type",
        ),
        refused("null in a list", "int64", "[1,null]", "wrong_type"),
        refused("a scalar for a list", "int64", "1", "wrong_type"),
        refused("a string for a list of strings", "string", '"a"', "wrong_type"),
        refused("an object for a list", "string", '{"0":"a"}', "wrong_type"),
        refused("a list in a list", "int64", "[[1]]", "wrong_type"),
        refused("a lone surrogate beyond the kept first", "string", '["a","b","c","\\ud800"]', "invalid_string"),
        refused("a word for a number in a list", "float32", '[1,"Infinity"]', "non_finite"),
        refused("float32 overflow in a list", "float32", "[1e39]", "out_of_range"),
        state("null", 0),
        state("[1,null]", 2),
        state("5", 2),
        state("[1,2,3,4.5]", 2),
        state("[9223372036854775808]", 2),
        Case(
            "a list under default: []",
            absorbing,
            body("[]"),
            packed(1, None, {"candidate.i64": tensor("int64", [1, 5], [0, 0, 0, 0, 1])}),
        ),
        Case(
            "a list under default, absent",
            absorbing,
            '{"context":{},"candidates":[{}]}',
            packed(1, None, {"candidate.i64": tensor("int64", [1, 5], [0, 0, 0, 0, 0])}),
        ),
        Case(
            "strings, cut at the front",
            of("string", "last"),
            body('["a","b","","c"]'),
            packed(1, None, {"candidate.i64": tensor("int64", [1, 4], [key("b"), key(""), key("c"), 3])}),
        ),
        Case(
            "floats: -0 is kept, padding is +0",
            of("float32"),
            body("[-0,0.5]"),
            packed(
                1,
                None,
                {
                    "candidate.i64": tensor("int64", [1, 1], [2]),
                    "candidate.f32": tensor("float32", [1, 3], ["80000000", 0.5, "00000000"]),
                },
            ),
        ),
        Case(
            "bools",
            of("bool"),
            body("[true,false,true,true]"),
            packed(1, None, {"candidate.i64": tensor("int64", [1, 4], [1, 0, 1, 3])}),
        ),
        Case(
            "rows of different length",
            of("int64"),
            '{"context":{},"candidates":[{"v":[1]},{"v":[]},{"v":[1,2,3,4]}]}',
            packed(3, None, {"candidate.i64": tensor("int64", [3, 4], [1, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 3])}),
        ),
    ]


def groups() -> list[Case]:
    """Alignment by position and length."""

    def pair(**more: Any) -> list[dict[str, Any]]:
        return [
            feature("g", "context", "string", list=listed(2, "last"), group="pair", **more),
            feature("h", "context", "float32", list=listed(2, "last"), group="pair", **more),
            feature("x", "candidate", "int64"),
        ]

    def body(context: str) -> str:
        return f'{{"context":{{{context}}},"candidates":[]}}'

    def expect(i64: list[int], keys: list[int], numbers: list[float]) -> dict[str, Any]:
        return packed(
            0,
            None,
            {
                "context.i64": tensor("int64", [1, len(i64)], i64),
                "context.pair.i64": tensor("int64", [1, 2, 1], keys),
                "context.pair.f32": tensor("float32", [1, 2, 1], numbers),
                "candidate.i64": tensor("int64", [0, 1], []),
            },
        )

    plain, soft = pair(), pair(missing=default([]), invalid=default([]))
    three = [feature(name, "candidate", "int64", list=listed(2), group="t") for name in ("p", "q", "r")]
    two_groups = [
        feature("b1", "candidate", "int64", list=listed(2), group="b"),
        feature("a1", "candidate", "int64", list=listed(2), group="a"),
        feature("a2", "candidate", "int64", list=listed(2), group="a"),
        feature("b2", "candidate", "int64", list=listed(2), group="b"),
    ]
    mismatch = error("length_mismatch", "h")
    return [
        Case("a group", plain, body('"g":["a"],"h":[0.5]'), expect([1], [key("a"), 0], [0.5, 0.0])),
        Case(
            "a group, cut at the front",
            plain,
            body('"h":[1,2,3],"g":["a","b","c"]'),
            expect([2], [key("b"), key("c")], [2.0, 3.0]),
        ),
        Case("an empty group", plain, body('"g":[],"h":[]'), expect([0], [0, 0], [0.0, 0.0])),
        Case("members differ in length", plain, body('"g":["a"],"h":[1,2]'), mismatch),
        Case("members differ before truncation only", plain, body('"g":["a","b","c"],"h":[1,2,3,4]'), mismatch),
        Case(
            "the member named is the first that differs from the first",
            three,
            '{"context":{},"candidates":[{"p":[1],"q":[1],"r":[]},{"p":[],"q":[1],"r":[1]}]}',
            error("length_mismatch", "r", 0),
        ),
        Case(
            "the first member differs from two equal ones",
            three,
            '{"context":{},"candidates":[{"r":[1],"q":[1],"p":[]}]}',
            error("length_mismatch", "q", 0),
        ),
        Case(
            "of two groups that differ, the first in the schema",
            two_groups,
            '{"context":{},"candidates":[{"a1":[1],"a2":[],"b1":[1],"b2":[]}]}',
            error("length_mismatch", "b2", 0),
        ),
        Case("a member under default that is missing counts as empty", soft, body('"g":["a"]'), mismatch),
        Case("all members missing under default", soft, body(""), expect([0, 0, 0], [0, 0], [0.0, 0.0])),
        Case("a missing and an empty member", soft, body('"h":[]'), expect([0, 0, 1], [0, 0], [0.0, 0.0])),
        Case("an invalid member counts as empty", soft, body('"g":["a"],"h":["x"]'), mismatch),
        Case("an invalid first member counts as empty", soft, body('"g":[5],"h":[0.5]'), mismatch),
        Case("an invalid and an empty member", soft, body('"g":[5],"h":[]'), expect([0, 2, 1], [0, 0], [0.0, 0.0])),
        Case("one bad element makes the whole member invalid", soft, body('"g":["a","b"],"h":[1,true]'), mismatch),
        Case(
            "all members present under default",
            soft,
            body('"g":["a"],"h":[-1.5]'),
            expect([1, 1, 1], [key("a"), 0], [-1.5, 0.0]),
        ),
    ]


def every_block() -> list[Case]:
    """One schema with every kind of block, packed by hand."""
    features = [
        feature("score", "candidate", "float64"),
        feature("user", "context", "string"),
        feature("item", "candidate", "string"),
        feature("when", "context", "timestamp"),
        feature("seen", "context", "string", list=listed(3, "last"), group="history"),
        feature("rate", "context", "float32", list=listed(3, "last"), group="history"),
        feature("dwell", "context", "float64", list=listed(3, "last"), group="history"),
        feature("age", "context", "float32", missing=default(0.5)),
        feature("lat", "context", "float64"),
        feature("tags", "candidate", "string", list=listed(2), missing=default([])),
        feature("new", "candidate", "bool"),
        feature("part", "candidate", "int64", list=listed(2), group="parts"),
        feature("size", "candidate", "float32", list=listed(2), group="parts"),
        feature("price", "candidate", "float32", nonfinite=True),
    ]
    request = (
        '{"k":1,"candidates":['
        '{"item":"i1","tags":["t1","t2","t3"],"new":true,"part":[1,2],"size":[1.5,2.5],"score":0.1,"price":"-Infinity"},'
        '{"price":2,"score":-0.0,"size":[],"part":[],"new":false,"item":"i2"}],'
        '"context":{"user":"u","when":-1,"seen":["a","b"],"rate":[5,4],"dwell":[0.25,0.5],"lat":52.5}}'
    )
    blocks = {
        # user, when, length of history, state of age
        "context.i64": tensor("int64", [1, 4], [key("u"), -1, 2, 0]),
        "context.f32": tensor("float32", [1, 1], [0.0]),
        "context.f64": tensor("float64", [1, 1], [52.5]),
        "context.history.i64": tensor("int64", [1, 3, 1], [key("a"), key("b"), 0]),
        "context.history.f32": tensor("float32", [1, 3, 1], [5.0, 4.0, 0.0]),
        "context.history.f64": tensor("float64", [1, 3, 1], [0.25, 0.5, 0.0]),
        # item, two tags, their length, their state, new, length of parts
        "candidate.i64": tensor(
            "int64", [2, 7], [key("i1"), key("t1"), key("t2"), 2, 1, 1, 2, key("i2"), 0, 0, 0, 0, 0, 0]
        ),
        "candidate.f32": tensor("float32", [2, 1], ["ff800000", 2.0]),
        "candidate.f64": tensor("float64", [2, 1], ["3fb999999999999a", "8000000000000000"]),
        "candidate.parts.i64": tensor("int64", [2, 2, 1], [1, 2, 0, 0]),
        "candidate.parts.f32": tensor("float32", [2, 2, 1], [1.5, 2.5, 0.0, 0.0]),
    }
    return [Case("every kind of block", features, request, packed(2, 1, blocks))]


def cases() -> list[Case]:
    """All cases of this file."""
    return [*lists(), *groups(), *every_block()]


if __name__ == "__main__":
    raise SystemExit(finish_requests("lists", cases()))
