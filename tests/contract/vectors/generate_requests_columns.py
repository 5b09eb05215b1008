"""Make requests_columns.json: candidates that come feature by feature, and which of their problems is the answer."""

from typing import Any

from _requests_case import OWN_ROW, Case, default, error, feature, finish_requests, key, listed, packed, tensor, vector

PAIR = [feature("item", "candidate", "int64"), feature("price", "candidate", "float64", missing=OWN_ROW)]
GROUP = [
    feature("g", "candidate", "int64", list=listed(2, "last"), group="pair"),
    feature("h", "candidate", "string", list=listed(2, "last"), group="pair"),
    feature("x", "candidate", "int64"),
]


def body(columns: str, rest: str = "") -> str:
    """A request with these candidates and an empty context."""
    return '{"context":{},"candidates":' + columns + rest + "}"


def pair(items: list[int], prices: list[float], states: list[int], k: int | None = None) -> dict[str, Any]:
    """What candidates of `PAIR` pack to."""
    n = len(items)
    wide = [value for row in zip(items, states, strict=True) for value in row]
    return packed(
        n,
        k,
        {"candidate.i64": tensor("int64", [n, 2], wide), "candidate.f64": tensor("float64", [n, 1], prices)},
    )


def taken() -> list[Case]:
    """What columns say."""
    two = pair([7, 8], [1.5, 0.0], [1, 0])
    every = [
        feature("t", "candidate", "timestamp"),
        feature("s", "candidate", "string", missing=OWN_ROW),
        feature("b", "candidate", "bool"),
        feature("f", "candidate", "float32", nonfinite=True),
        feature("v", "candidate", "float32", vector=vector(2), missing=default([0, 0])),
        feature("l", "candidate", "int64", list=listed(2), missing=default([]), invalid=default([])),
    ]
    absorbing = [feature("x", "candidate", "int64", missing=OWN_ROW, invalid=OWN_ROW)]
    return [
        Case("two columns", PAIR, body('{"item":[7,8],"price":[1.5,null]}'), two),
        Case("columns in another order than the schema's", PAIR, body('{"price":[1.5,null],"item":[7,8]}'), two),
        Case("white space everywhere", PAIR, body(' { "item" : [ 7 , 8 ] , "price" : [ 1.5 , null ] } '), two),
        Case("an escape in a column's name", PAIR, body('{"it\\u0065m":[7,8],"price":[1.5,null]}'), two),
        Case("a column that is left out", PAIR, body('{"item":[7,8]}'), pair([7, 8], [0.0, 0.0], [0, 0])),
        Case(
            "the first column tells how many",
            PAIR,
            body('{"price":[null,2],"item":[7,8]}'),
            pair([7, 8], [0, 2], [0, 1]),
        ),
        Case("columns and k", PAIR, body('{"item":[7,8]}', ',"k":1'), pair([7, 8], [0, 0], [0, 0], 1)),
        Case(
            "columns before the context", PAIR, '{"k":null,"candidates":{"item":[7]},"context":{}}', pair([7], [0], [0])
        ),
        Case("no columns are no candidates", PAIR, body("{}"), pair([], [], [])),
        Case("no columns and k", PAIR, body("{}", ',"k":3'), pair([], [], [], 0)),
        Case("empty columns", PAIR, body('{"item":[],"price":[]}'), pair([], [], [])),
        Case("one empty column", PAIR, body('{"price":[]}'), pair([], [], [])),
        Case("exactly max_candidates in a column", PAIR, body('{"item":[1,2]}'), pair([1, 2], [0, 0], [0, 0]), 2),
        Case(
            "a column of every kind",
            every,
            body(
                '{"s":["a",null,""],"t":[1,-2,3],"f":[0.1,"NaN",-0],"b":[true,false,true],'
                '"v":[[1,2],null,[0.5,-1]],"l":[[],[1,2,3],[1,null]]}'
            ),
            packed(
                3,
                None,
                {
                    # t, s, its state, b, v's state, l's two values, its length, its state.
                    "candidate.i64": tensor(
                        "int64",
                        [3, 9],
                        [1, key("a"), 1, 1, 1, 0, 0, 0, 1, -2, 0, 0, 0, 0, 1, 2, 2, 1, 3, key(""), 1, 1, 1, 0, 0, 0, 2],
                    ),
                    "candidate.f32": tensor(
                        "float32", [3, 3], ["3dcccccd", 1.0, 2.0, "7fc00000", 0.0, 0.0, "80000000", 0.5, -1.0]
                    ),
                },
            ),
        ),
        Case(
            "groups in columns",
            GROUP,
            body('{"h":[["a"],["b","c","d"]],"x":[5,6],"g":[[1],[2,3,4]]}'),
            packed(
                2,
                None,
                {
                    "candidate.i64": tensor("int64", [2, 2], [1, 5, 2, 6]),
                    "candidate.pair.i64": tensor("int64", [2, 2, 2], [1, key("a"), 0, 0, 3, key("c"), 4, key("d")]),
                },
            ),
        ),
        Case(
            "a policy absorbs elements of a column",
            absorbing,
            body('{"x":[1,"no",null,1.5,[2],{"y":[]}]}'),
            packed(6, None, {"candidate.i64": tensor("int64", [6, 2], [1, 1, 0, 2, 0, 0, 0, 2, 0, 2, 0, 2])}),
            6,
        ),
    ]


def refused() -> list[Case]:
    """What is wrong with columns, and which of several problems is the answer."""

    def no(name: str, columns: str, *expected: Any, limit: int = 4) -> Case:
        return Case(name, PAIR, body(columns), error(*expected), limit)

    shape = "invalid_request"
    return [
        no("a column is null", '{"item":null}', shape, "item"),
        no("a column is an object", '{"item":{"0":1}}', shape, "item"),
        no("a column is a scalar", '{"item":7}', shape, "item"),
        no("the second column is no array", '{"item":[7],"price":1.5}', shape, "price"),
        no("an unknown column", '{"item":[7],"no":[1]}', "unknown_feature", "no"),
        no("an unknown column that is no array", '{"no":1,"item":[7]}', "unknown_feature", "no"),
        no("an unknown column that could not be a feature", '{"n o":[1]}', "unknown_feature"),
        Case(
            "a column of the context's feature",
            [*PAIR, feature("age", "context", "int64", missing=OWN_ROW)],
            body('{"age":[1]}'),
            error("unknown_feature", "age"),
        ),
        no("a column twice", '{"item":[7],"item":[7]}', "invalid_json"),
        no("a column twice, once escaped", '{"item":[7],"ite\\u006d":[7]}', "invalid_json"),
        no("a column that does not end", '{"item":[7}', "invalid_json"),
        no("text comes before everything", '{"no":[7],"item":[7', "invalid_json"),
        no("a longer column", '{"item":[7,8],"price":[1,2,3]}', shape, "price", 2),
        no("a column longer by two", '{"item":[7],"price":[1,2,3]}', shape, "price", 1),
        no("a shorter column", '{"item":[7,8,9],"price":[1]}', shape, "price", 1),
        no("an empty column after another", '{"item":[7,8],"price":[]}', shape, "price", 0),
        no("a column after an empty one", '{"price":[],"item":[7]}', shape, "item", 0),
        no("what is too much is not looked at", '{"item":[7],"price":[1,"x"]}', shape, "price", 1),
        no("a wrong value before what is too much", '{"item":[7],"price":["x",1]}', "wrong_type", "price", 0),
        no(
            "a wrong value before the end that comes too early",
            '{"item":[7,8],"price":["x"]}',
            "wrong_type",
            "price",
            0,
        ),
        no("a longer column before an unknown one", '{"item":[7],"price":[1,2],"no":[1]}', shape, "price", 1),
        no("one more than max_candidates in a column", '{"item":[1,2,3]}', "too_many_candidates", None, 2, limit=2),
        no(
            "the element of a column beyond the limit is not looked at",
            '{"item":[1,2,"x"]}',
            "too_many_candidates",
            None,
            2,
            limit=2,
        ),
        no(
            "a problem of a column before the limit comes first", '{"item":[1,"x",3]}', "wrong_type", "item", 1, limit=2
        ),
        no("a later column beyond the limit is too long", '{"item":[1,2],"price":[1,2,3]}', shape, "price", 2, limit=2),
        no("a wrong value in a column", '{"item":[7,8.5]}', "wrong_type", "item", 1),
        no("a candidate where a value should be", '{"item":[{"item":7}]}', "wrong_type", "item", 0),
        no("a value of a column out of range", '{"item":[9223372036854775808]}', "out_of_range", "item", 0),
        no("null in a column that must have a value", '{"item":[7,null,null]}', "missing_feature", "item", 1),
        no("a column that must be there", '{"price":[1,2]}', "missing_feature", "item", 0),
        no(
            "a wrong value anywhere before an absent one", '{"item":[null,7],"price":[1,"x"]}', "wrong_type", "price", 1
        ),
        Case(
            "of absent values, the first candidate's, then the schema's first",
            [feature("a", "candidate", "int64"), feature("b", "candidate", "int64")],
            body('{"b":[1,null,null],"a":[1,2,null]}'),
            error("missing_feature", "b", 1),
        ),
        Case(
            "of two absent values of one candidate, the schema's first",
            [feature("a", "candidate", "int64"), feature("b", "candidate", "int64")],
            body('{"b":[1,null],"a":[1,null]}'),
            error("missing_feature", "a", 1),
        ),
        Case(
            "lengths of groups, candidate by candidate",
            GROUP,
            body('{"g":[[1],[2]],"h":[["a"],["b","c"]],"x":[1,2]}'),
            error("length_mismatch", "h", 1),
        ),
        Case(
            "a mismatch of an earlier candidate before an absent value",
            GROUP,
            body('{"g":[[1],[2]],"h":[[],["b"]],"x":[1,null]}'),
            error("length_mismatch", "h", 0),
        ),
        Case(
            "an absent value of an earlier candidate before a mismatch",
            GROUP,
            body('{"g":[[1],[2]],"h":[["a"],[]],"x":[null,1]}'),
            error("missing_feature", "x", 0),
        ),
        Case(
            "a column that is too short before lengths and absent values",
            GROUP,
            body('{"g":[[1],[2]],"h":[["a"],[]],"x":[null]}'),
            error("invalid_request", "x", 1),
        ),
        Case(
            "columns nest one deeper: 64 levels",
            PAIR,
            body('{"item":[' + "[" * 61 + "]" * 61 + "]}"),
            error("wrong_type", "item", 0),
        ),
        Case(
            "columns nest one deeper: 65 levels",
            PAIR,
            body('{"item":[' + "[" * 62 + "]" * 62 + "]}"),
            error("invalid_json"),
        ),
    ]


if __name__ == "__main__":
    raise SystemExit(finish_requests("columns", [*taken(), *refused()]))
