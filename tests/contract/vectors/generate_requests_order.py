"""Make requests_order.json: which of several problems is the answer, shapes, k and max_candidates."""

from _requests_case import OWN_ROW, TINY, Case, default, error, feature, finish_requests, listed, packed, tensor

SHAPE = error("invalid_request")


def tiny(items: list[int], k: int | None = None) -> dict[str, object]:
    """What a request with user 1 and these items packs to."""
    blocks = {"context.i64": tensor("int64", [1, 1], [1])}
    return packed(len(items), k, blocks | {"candidate.i64": tensor("int64", [len(items), 1], items)})


def cases() -> list[Case]:
    """The cases, each with its reason as its name."""
    three = [
        feature("a", "context", "int64"),
        feature("b", "context", "int64"),
        feature("c", "context", "int64"),
        feature("x", "candidate", "int64"),
        feature("y", "candidate", "int64"),
    ]
    free = [feature("x", "candidate", "int64", missing=OWN_ROW)]
    group = [
        feature("g", "context", "int64", list=listed(2), group="pair"),
        feature("h", "context", "int64", list=listed(2), group="pair"),
        feature("u", "context", "int64"),
        feature("x", "candidate", "int64"),
    ]

    def with_k(literal: str) -> str:
        return '{"context":{"user":1},"candidates":[{"item":2},{"item":3}],"k":' + literal + "}"

    made = [
        Case("the top level is null", TINY, "null", SHAPE),
        Case("the top level is an array", TINY, "[]", SHAPE),
        Case("the top level is a number", TINY, "3", SHAPE),
        Case("the top level is a string", TINY, '"context"', SHAPE),
        Case("an empty object", TINY, "{}", SHAPE),
        Case("no context", TINY, '{"candidates":[{"item":2}]}', SHAPE),
        Case("no candidates", TINY, '{"context":{"user":1}}', SHAPE),
        Case("context is null", TINY, '{"context":null,"candidates":[{"item":2}]}', SHAPE),
        Case("context is an array", TINY, '{"context":[],"candidates":[{"item":2}]}', SHAPE),
        Case("candidates is null", TINY, '{"context":{"user":1},"candidates":null}', SHAPE),
        Case("candidates is a number", TINY, '{"context":{"user":1},"candidates":0}', SHAPE),
        Case("candidates is a string", TINY, '{"context":{"user":1},"candidates":""}', SHAPE),
        Case(
            "a candidate is null",
            TINY,
            '{"context":{"user":1},"candidates":[{"item":2},null]}',
            error("invalid_request", candidate=1),
        ),
        Case(
            "a candidate is a number",
            TINY,
            '{"context":{"user":1},"candidates":[2]}',
            error("invalid_request", candidate=0),
        ),
        Case(
            "a candidate is an array",
            TINY,
            '{"context":{"user":1},"candidates":[["item",2]]}',
            error("invalid_request", candidate=0),
        ),
        Case("an unknown field at the top", TINY, '{"context":{"user":1},"candidates":[{"item":2}],"limit":3}', SHAPE),
        Case("names are case-sensitive", TINY, '{"Context":{"user":1},"candidates":[{"item":2}]}', SHAPE),
        Case(
            "a lone surrogate in a name at the top", TINY, '{"\\ud800":1,"context":{"user":1},"candidates":[]}', SHAPE
        ),
        Case("candidates before context", TINY, '{"candidates":[{"item":2}],"context":{"user":1}}', tiny([2])),
        Case("k first", TINY, '{"k":1,"candidates":[{"item":2},{"item":3}],"context":{"user":1}}', tiny([2, 3], 1)),
        Case("k is 0", TINY, with_k("0"), tiny([2, 3], 0)),
        Case("k is -0, an integer literal >= 0", TINY, with_k("-0"), tiny([2, 3], 0)),
        Case("k is n", TINY, with_k("2"), tiny([2, 3], 2)),
        Case("k is above n and means all", TINY, with_k("3"), tiny([2, 3], 2)),
        Case("k is above int32", TINY, with_k("4294967296"), tiny([2, 3], 2)),
        Case("k is above int64", TINY, with_k("9223372036854775808"), tiny([2, 3], 2)),
        Case("k is a 30 digit literal", TINY, with_k("1" + "0" * 29), tiny([2, 3], 2)),
        Case("k is null and means all", TINY, with_k("null"), tiny([2, 3])),
        Case("k is negative", TINY, with_k("-1"), SHAPE),
        Case("k is a negative 30 digit literal", TINY, with_k("-1" + "0" * 29), SHAPE),
        Case("k is 1.0", TINY, with_k("1.0"), SHAPE),
        Case("k is 1e0", TINY, with_k("1e0"), SHAPE),
        Case("k is -0.0", TINY, with_k("-0.0"), SHAPE),
        Case("k is a string", TINY, with_k('"1"'), SHAPE),
        Case("k is a bool", TINY, with_k("true"), SHAPE),
        Case("k is an array", TINY, with_k("[1]"), SHAPE),
        Case("an empty slate", TINY, '{"context":{"user":1},"candidates":[]}', tiny([])),
        Case("an empty slate with k", TINY, '{"context":{"user":1},"candidates":[],"k":5}', tiny([], 0)),
        Case(
            "an empty slate does not excuse the context",
            TINY,
            '{"context":{},"candidates":[]}',
            error("missing_feature", "user"),
        ),
        Case(
            "an empty context where no feature is needed",
            free,
            '{"context":{},"candidates":[{}]}',
            packed(1, None, {"candidate.i64": tensor("int64", [1, 2], [0, 0])}),
        ),
        Case("a context is needed even without context features", free, '{"candidates":[{}]}', SHAPE),
        Case(
            "exactly max_candidates",
            TINY,
            '{"context":{"user":1},"candidates":[{"item":2},{"item":3}]}',
            tiny([2, 3]),
            2,
        ),
        Case(
            "one more than max_candidates",
            TINY,
            '{"context":{"user":1},"candidates":[{"item":2},{"item":3},{"item":4}]}',
            error("too_many_candidates", candidate=2),
            2,
        ),
        Case(
            "the element beyond the limit is not looked at",
            TINY,
            '{"context":{"user":1},"candidates":[{"item":2},{"item":3},0]}',
            error("too_many_candidates", candidate=2),
            2,
        ),
        Case(
            "a problem before the limit comes first",
            TINY,
            '{"context":{"user":1},"candidates":[{"item":2},{"no":3},{"item":4}]}',
            error("unknown_feature", "no", 1),
            2,
        ),
        Case(
            "too many candidates before a bad context that follows",
            TINY,
            '{"candidates":[{"item":2},{"item":3}],"context":{"user":"x"}}',
            error("too_many_candidates", candidate=1),
            1,
        ),
        Case(
            "an unknown feature in the context",
            TINY,
            '{"context":{"user":1,"age":3},"candidates":[]}',
            error("unknown_feature", "age"),
        ),
        Case(
            "an unknown feature whose value is null",
            TINY,
            '{"context":{"user":1,"age":null},"candidates":[]}',
            error("unknown_feature", "age"),
        ),
        Case(
            "a candidate feature in the context",
            TINY,
            '{"context":{"user":1,"item":3},"candidates":[]}',
            error("unknown_feature", "item"),
        ),
        Case(
            "a context feature in a candidate",
            TINY,
            '{"context":{"user":1},"candidates":[{"item":2},{"item":2,"user":1}]}',
            error("unknown_feature", "user", 1),
        ),
        Case(
            "an unknown feature that could not be a name",
            TINY,
            '{"context":{"user":1,"a b":3},"candidates":[]}',
            error("unknown_feature"),
        ),
        Case(
            "an unknown feature of 65 characters",
            TINY,
            '{"context":{"user":1,"' + "a" * 65 + '":3},"candidates":[]}',
            error("unknown_feature"),
        ),
        Case(
            "the empty name",
            TINY,
            '{"context":{"user":1},"candidates":[{"":3}]}',
            error("unknown_feature", candidate=0),
        ),
        Case(
            "a lone surrogate in a name",
            TINY,
            '{"context":{"us\\udc00er":1},"candidates":[]}',
            error("unknown_feature"),
        ),
        Case(
            "a group's name is no feature",
            group,
            '{"context":{"pair":[1]},"candidates":[]}',
            error("unknown_feature", "pair"),
        ),
        Case(
            "an absent feature",
            TINY,
            '{"context":{"user":1},"candidates":[{"item":2},{}]}',
            error("missing_feature", "item", 1),
        ),
        Case(
            "null is absent",
            TINY,
            '{"context":{"user":1},"candidates":[{"item":null}]}',
            error("missing_feature", "item", 0),
        ),
        Case(
            "of two absent features, the first in the schema",
            three,
            '{"context":{"c":1},"candidates":[]}',
            error("missing_feature", "a"),
        ),
        Case(
            "of a null and an absent one, the first in the schema",
            three,
            '{"context":{"b":null,"a":1},"candidates":[]}',
            error("missing_feature", "b"),
        ),
        Case(
            "of two wrong values, the first in the document",
            three,
            '{"context":{"c":"x","a":"y","b":1},"candidates":[]}',
            error("wrong_type", "c"),
        ),
        Case(
            "a wrong value comes before an absent feature",
            three,
            '{"context":{"c":"x"},"candidates":[]}',
            error("wrong_type", "c"),
        ),
        Case(
            "an unknown feature before a wrong value",
            three,
            '{"context":{"no":1,"a":"x"},"candidates":[]}',
            error("unknown_feature", "no"),
        ),
        Case(
            "a wrong value before an unknown feature",
            three,
            '{"context":{"a":"x","no":1},"candidates":[]}',
            error("wrong_type", "a"),
        ),
        Case(
            "an absent feature of candidate 0 before a wrong value of candidate 1",
            three,
            '{"context":{"a":1,"b":1,"c":1},"candidates":[{"x":1},{"x":"y"}]}',
            error("missing_feature", "y", 0),
        ),
        Case(
            "a wrong candidate before the context that follows",
            three,
            '{"candidates":[{"x":"s"}],"context":{"a":"x"}}',
            error("wrong_type", "x", 0),
        ),
        Case("an absent context is found last", three, '{"candidates":[{"x":"s"}]}', error("wrong_type", "x", 0)),
        Case(
            "an unknown field at the top comes when its turn comes",
            three,
            '{"context":{"a":"x"},"limit":1}',
            error("wrong_type", "a"),
        ),
        Case("an unknown field at the top before the rest", three, '{"limit":1,"context":{"a":"x"}}', SHAPE),
        Case(
            "a bad k before the candidates that follow",
            three,
            '{"context":{"a":1,"b":1,"c":1},"k":-1,"candidates":[{"x":"s"}]}',
            SHAPE,
        ),
        Case(
            "a wrong candidate before a bad k that follows",
            three,
            '{"context":{"a":1,"b":1,"c":1},"candidates":[{"x":"s"}],"k":-1}',
            error("wrong_type", "x", 0),
        ),
        Case(
            "an absent feature before a length mismatch",
            group,
            '{"context":{"g":[1],"h":[]},"candidates":[]}',
            error("missing_feature", "u"),
        ),
        Case(
            "a length mismatch of the context before the candidates",
            group,
            '{"context":{"g":[1],"h":[],"u":1},"candidates":[{"x":"s"}]}',
            error("length_mismatch", "h"),
        ),
        Case(
            "a default does not excuse an unknown name",
            [feature("x", "candidate", "int64", missing=default(1), invalid=default(2))],
            '{"context":{},"candidates":[{"z":1}]}',
            error("unknown_feature", "z", 0),
        ),
    ]
    return made


if __name__ == "__main__":
    raise SystemExit(finish_requests("order", cases()))
