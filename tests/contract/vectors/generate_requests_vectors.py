"""Make requests_vectors.json: features of a fixed number of values, and what refuses them."""

from typing import Any

from _requests_case import Case, default, error, feature, finish_requests, packed, tensor, vector


def one(dtype: str, **more: Any) -> list[dict[str, Any]]:
    """A candidate vector `v` of three."""
    return [feature("v", "candidate", dtype, vector=vector(3), **more)]


def body(literal: str) -> str:
    """A request of one candidate."""
    return f'{{"context":{{}},"candidates":[{{"v":{literal}}}]}}'


def plain() -> list[Case]:
    """Values of every dtype that may be a vector."""

    def taken(dtype: str, literal: str, values: list[int | float | str], **more: Any) -> Case:
        suffix = {"int64": "i64", "float32": "f32", "float64": "f64"}[dtype]
        block = {f"candidate.{suffix}": tensor(dtype, [1, 3], values)}
        return Case(f"{dtype} vector of 3: {literal}", one(dtype, **more), body(literal), packed(1, None, block))

    return [
        taken("float32", "[1,2.5,-3e-1]", [1.0, 2.5, "be99999a"]),
        taken("float32", "[0,-0,0.0]", ["00000000", "80000000", "00000000"]),
        # 1 + 2^-24 + 2^-60 rounds to the tie 1 + 2^-24 in float64, and that to even in float32.
        taken("float32", "[1.000000059604644775390625000867,1e-46,7e-46]", ["3f800000", "00000000", "00000000"]),
        taken("float64", "[0.1,-0.0,1e-400]", ["3fb999999999999a", "8000000000000000", "0000000000000000"]),
        taken("int64", "[9223372036854775807,-9223372036854775808,-0]", [2**63 - 1, -(2**63), 0]),
        taken("float32", '["NaN","-Infinity","Infinity"]', ["7fc00000", "ff800000", "7f800000"], nonfinite=True),
        taken(
            "float64",
            '["Infinity",1,"NaN"]',
            ["7ff0000000000000", 1.0, "7ff8000000000000"],
            nonfinite=True,
        ),
        Case(
            "vectors beside other features, in both placements, with a state of their own",
            [
                feature("a", "candidate", "float32"),
                feature("v", "candidate", "float32", vector=vector(2), missing=default([0.5, 1])),
                feature("i", "candidate", "int64", vector=vector(2), invalid=default([7, 8])),
                feature("b", "candidate", "float32"),
                feature("c", "context", "float64", vector=vector(1)),
            ],
            '{"candidates":[{"i":[1,2],"v":[3,4],"a":1,"b":2},{"b":6,"a":5,"i":[true]}],"context":{"c":[0.25]}}',
            packed(
                2,
                None,
                {
                    "context.f64": tensor("float64", [1, 1], [0.25]),
                    # state of v, i, i, state of i
                    "candidate.i64": tensor("int64", [2, 4], [1, 1, 2, 1, 0, 0, 0, 2]),
                    "candidate.f32": tensor("float32", [2, 4], [1.0, 3.0, 4.0, 2.0, 5.0, 0.0, 0.0, 6.0]),
                },
            ),
        ),
        Case(
            "a vector in an empty slate",
            one("float32"),
            '{"context":{},"candidates":[]}',
            packed(0, None, {"candidate.f32": tensor("float32", [0, 3], [])}),
        ),
    ]


def refused() -> list[Case]:
    """Wrong lengths, and elements that are wrong before the length is."""

    def bad(name: str, literal: str, code: str, dtype: str = "float32", **more: Any) -> Case:
        return Case(name, one(dtype, **more), body(literal), error(code, "v", 0))

    return [
        bad("a vector of 2 where 3 are declared", "[1,2]", "wrong_length"),
        bad("a vector of 4 where 3 are declared", "[1,2,3,4]", "wrong_length"),
        bad("an empty vector", "[]", "wrong_length"),
        bad("an int64 vector of 4 where 3 are declared", "[1,2,3,4]", "wrong_length", "int64"),
        bad("a scalar for a vector", "1", "wrong_type"),
        bad("a string for a vector", '"123"', "wrong_type"),
        bad("an object for a vector", '{"0":1}', "wrong_type"),
        bad("a list in a vector", "[[1],2,3]", "wrong_type"),
        bad("null in a vector", "[1,null,3]", "wrong_type"),
        bad("a bool in a vector", "[1,true,3]", "wrong_type"),
        bad("a point in an int64 vector", "[1,2.0,3]", "wrong_type", "int64"),
        bad("an integer beyond int64 in a vector", "[1,9223372036854775808,3]", "out_of_range", "int64"),
        bad("float32 overflow in a vector", "[1,2,1e39]", "out_of_range"),
        bad("a word in a vector that does not declare nonfinite", '[1,"NaN",3]', "non_finite"),
        bad("a bad element comes before a length that is short", "[true]", "wrong_type"),
        bad("a bad element beyond the length comes before the length", '[1,2,3,"x"]', "wrong_type"),
        bad("the first bad element of a vector names the code", '[1,1e39,"NaN",null]', "out_of_range"),
        bad("the first bad element names the code, beyond the length too", '[1,2,3,"NaN",null]', "non_finite"),
        Case("an absent vector", one("float32"), '{"context":{},"candidates":[{}]}', error("missing_feature", "v", 0)),
        Case("a null vector", one("float32"), body("null"), error("missing_feature", "v", 0)),
        Case(
            "a wrong length in the context",
            [feature("v", "context", "float64", vector=vector(2)), feature("x", "candidate", "int64")],
            '{"context":{"v":[1]},"candidates":[{"x":null}]}',
            error("wrong_length", "v"),
        ),
        Case(
            "a wrong length comes before an unknown field that follows it",
            one("float32"),
            '{"context":{},"candidates":[{"v":[1,2,3]},{"v":[1],"w":1}]}',
            error("wrong_length", "v", 1),
        ),
    ]


def absorbed() -> list[Case]:
    """Under an invalid policy: zeros and the state; the graph substitutes."""
    soft = one("float32", missing=default([1, 2, 3]), invalid=default([0.5, 0.5, 0.5]))

    def state(literal: str, values: list[float], number: int) -> Case:
        blocks = {
            "candidate.i64": tensor("int64", [1, 1], [number]),
            "candidate.f32": tensor("float32", [1, 3], values),
        }
        return Case(f"a vector under default: {literal}", soft, body(literal), packed(1, None, blocks))

    return [
        state("[4,5,6]", [4.0, 5.0, 6.0], 1),
        state("[0,0,0]", [0.0, 0.0, 0.0], 1),
        state("null", [0.0, 0.0, 0.0], 0),
        state("[4,5]", [0.0, 0.0, 0.0], 2),
        state("[4,5,6,7]", [0.0, 0.0, 0.0], 2),
        state("[]", [0.0, 0.0, 0.0], 2),
        state("[4,5,1e39]", [0.0, 0.0, 0.0], 2),
        state('[4,5,"NaN"]', [0.0, 0.0, 0.0], 2),
        state("[4,5,null]", [0.0, 0.0, 0.0], 2),
        state("4", [0.0, 0.0, 0.0], 2),
        Case(
            "an absent vector under default",
            soft,
            '{"context":{},"candidates":[{}]}',
            packed(
                1,
                None,
                {
                    "candidate.i64": tensor("int64", [1, 1], [0]),
                    "candidate.f32": tensor("float32", [1, 3], [0.0, 0.0, 0.0]),
                },
            ),
        ),
        Case(
            "a wrong length is absorbed, an absence is not",
            one("float32", invalid=default([1, 2, 3])),
            '{"context":{},"candidates":[{"v":[1]},{}]}',
            error("missing_feature", "v", 1),
        ),
    ]


def unseen() -> list[Case]:
    """A policy for unseen values changes nothing that a reader packs; `error`, which needs a graph, is in goldens."""
    features = [
        feature("item", "candidate", "int64", unseen={"policy": "own_row"}),
        feature("shop", "context", "int64", unseen=default(5), missing={"policy": "own_row"}),
    ]
    blocks = {
        "context.i64": tensor("int64", [1, 2], [0, 0]),
        "candidate.i64": tensor("int64", [2, 1], [7, -1]),
    }
    request = '{"context":{},"candidates":[{"item":7},{"item":-1}]}'
    return [Case("unseen policies do not change the packing", features, request, packed(2, None, blocks))]


def cases() -> list[Case]:
    """All cases of this file."""
    return [*plain(), *refused(), *absorbed(), *unseen()]


if __name__ == "__main__":
    raise SystemExit(finish_requests("vectors", cases()))
