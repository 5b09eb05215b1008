"""Make packing.json: schemas with the packing each must give, written by hand, and schemas that must be refused."""

from typing import Any

from _vectors import finish

ERROR = {"policy": "error"}
OWN_ROW = {"policy": "own_row"}


def feature(name: str, placement: str, dtype: str, **more: Any) -> dict[str, Any]:
    """A feature in manifest form; both policies are `error` unless given."""
    return {"name": name, "placement": placement, "dtype": dtype, "missing": ERROR, "invalid": ERROR} | more


def default(value: Any) -> dict[str, Any]:
    """The policy `default`."""
    return {"policy": "default", "value": value}


def listed(length: int, keep: str = "first") -> dict[str, Any]:
    """A list specification."""
    return {"max_length": length, "keep": keep}


def vector(length: int) -> dict[str, Any]:
    """A vector specification."""
    return {"length": length}


def block(name: str, shape: list[int], *columns: tuple[str, str, int, int]) -> dict[str, Any]:
    """A block; a column is (owner, role, offset, width), and an owner `group:x` is a group."""
    dtype = {"i64": "int64", "f32": "float32", "f64": "float64"}[name.rsplit(".", 1)[1]]
    entries = []
    for owner, role, offset, width in columns:
        key, _, group = owner.partition(":")
        named = {"group": group} if key == "group" else {"feature": owner}
        entries.append(named | {"role": role, "offset": offset, "width": width})
    return {"name": name, "dtype": dtype, "placement": name.split(".")[0], "shape": shape, "columns": entries}


ITEM = feature("item", "candidate", "int64")
ITEM_BLOCK = block("candidate.i64", [-1, 1], ("item", "value", 0, 1))


def good() -> list[tuple[str, list[dict[str, Any]], list[dict[str, Any]]]]:
    """Name, features, blocks."""
    return [
        ("one candidate feature, no context block", [ITEM], [ITEM_BLOCK]),
        ("fields that begin with x- are ignored", [ITEM | {"x-unit": "m"}], [ITEM_BLOCK]),
        (
            "every dtype goes to its block, in schema order whatever the placement's order in the schema",
            [
                feature("s", "candidate", "string"),
                feature("f", "candidate", "float32"),
                feature("c", "context", "string"),
                feature("d", "candidate", "float64"),
                feature("i", "candidate", "int64"),
                feature("t", "candidate", "timestamp"),
                feature("b", "candidate", "bool"),
                feature("g", "candidate", "float32", nonfinite=True),
            ],
            [
                block("context.i64", [1, 1], ("c", "value", 0, 1)),
                block(
                    "candidate.i64",
                    [-1, 4],
                    ("s", "value", 0, 1),
                    ("i", "value", 1, 1),
                    ("t", "value", 2, 1),
                    ("b", "value", 3, 1),
                ),
                block("candidate.f32", [-1, 2], ("f", "value", 0, 1), ("g", "value", 1, 1)),
                block("candidate.f64", [-1, 1], ("d", "value", 0, 1)),
            ],
        ),
        (
            "a state follows its feature's value, and lives in the i64 block even if the value does not",
            [
                feature("a", "context", "int64", missing=OWN_ROW),
                feature("x", "context", "float32", invalid=default(0.5)),
                feature("b", "context", "bool"),
                feature("y", "context", "float64", missing=default(0), invalid=OWN_ROW),
                ITEM,
            ],
            [
                block(
                    "context.i64",
                    [1, 5],
                    ("a", "value", 0, 1),
                    ("a", "state", 1, 1),
                    ("x", "state", 2, 1),
                    ("b", "value", 3, 1),
                    ("y", "state", 4, 1),
                ),
                block("context.f32", [1, 1], ("x", "value", 0, 1)),
                block("context.f64", [1, 1], ("y", "value", 0, 1)),
                ITEM_BLOCK,
            ],
        ),
        (
            "a list: values, then length, then state",
            [
                feature("a", "candidate", "string", list=listed(3), missing=default([])),
                feature("b", "candidate", "float32", list=listed(2, "last"), invalid=default([])),
                feature("c", "candidate", "int64"),
            ],
            [
                block(
                    "candidate.i64",
                    [-1, 8],
                    ("a", "values", 0, 3),
                    ("a", "length", 3, 1),
                    ("a", "state", 4, 1),
                    ("b", "length", 5, 1),
                    ("b", "state", 6, 1),
                    ("c", "value", 7, 1),
                ),
                block("candidate.f32", [-1, 2], ("b", "values", 0, 2)),
            ],
        ),
        (
            "groups: the first member gives the length; blocks follow in order of first members",
            [
                feature("w", "context", "float32", list=listed(4, "last"), group="views"),
                feature("h", "context", "string", list=listed(5), group="history"),
                feature("u", "context", "int64"),
                feature("v", "context", "string", list=listed(4, "last"), group="views", missing=default([])),
                feature("r", "context", "float64", list=listed(5), group="history"),
                feature("q", "context", "timestamp", list=listed(5), group="history", invalid=default([])),
                ITEM,
                feature("p", "candidate", "bool", list=listed(2), group="parts"),
            ],
            [
                block(
                    "context.i64",
                    [1, 5],
                    ("group:views", "length", 0, 1),
                    ("group:history", "length", 1, 1),
                    ("u", "value", 2, 1),
                    ("v", "state", 3, 1),
                    ("q", "state", 4, 1),
                ),
                block("context.views.i64", [1, 4, 1], ("v", "value", 0, 1)),
                block("context.views.f32", [1, 4, 1], ("w", "value", 0, 1)),
                block("context.history.i64", [1, 5, 2], ("h", "value", 0, 1), ("q", "value", 1, 1)),
                block("context.history.f64", [1, 5, 1], ("r", "value", 0, 1)),
                block("candidate.i64", [-1, 2], ("item", "value", 0, 1), ("group:parts", "length", 1, 1)),
                block("candidate.parts.i64", [-1, 2, 1], ("p", "value", 0, 1)),
            ],
        ),
        (
            "the first member's state comes after the group's length",
            [
                feature("a", "candidate", "int64", list=listed(2), group="g", missing=default([]), invalid=default([])),
                feature("b", "candidate", "int64", list=listed(2), group="g"),
            ],
            [
                block("candidate.i64", [-1, 2], ("group:g", "length", 0, 1), ("a", "state", 1, 1)),
                block("candidate.g.i64", [-1, 2, 2], ("a", "value", 0, 1), ("b", "value", 1, 1)),
            ],
        ),
        (
            "vectors: adjacent columns of the block of their dtype, no length, then the state",
            [
                feature("a", "candidate", "float32"),
                feature("v", "candidate", "float32", vector=vector(3), missing=default([0, 0.5, -1])),
                feature("i", "candidate", "int64", vector=vector(2), invalid=default([-5, 9223372036854775807])),
                feature("d", "candidate", "float64", vector=vector(1)),
                feature("b", "candidate", "float32"),
                feature("l", "candidate", "int64", list=listed(2)),
                feature("c", "context", "float32", vector=vector(2), nonfinite=True, missing=default(["NaN", 1])),
            ],
            [
                block("context.i64", [1, 1], ("c", "state", 0, 1)),
                block("context.f32", [1, 2], ("c", "values", 0, 2)),
                block(
                    "candidate.i64",
                    [-1, 7],
                    ("v", "state", 0, 1),
                    ("i", "values", 1, 2),
                    ("i", "state", 3, 1),
                    ("l", "values", 4, 2),
                    ("l", "length", 6, 1),
                ),
                block("candidate.f32", [-1, 5], ("a", "value", 0, 1), ("v", "values", 1, 3), ("b", "value", 4, 1)),
                block("candidate.f64", [-1, 1], ("d", "values", 0, 1)),
            ],
        ),
        (
            "a vector of 4096",
            [feature("v", "candidate", "float64", vector=vector(4096))],
            [block("candidate.f64", [-1, 4096], ("v", "values", 0, 4096))],
        ),
        (
            "unseen policies leave the packing alone: they are no state",
            [
                feature("a", "candidate", "string", unseen={"policy": "error"}),
                feature("b", "candidate", "int64", unseen=default(-7)),
                feature("c", "context", "string", unseen=default("")),
                feature("l", "candidate", "string", list=listed(2), unseen=default("other"), missing=default([])),
            ],
            [
                block("context.i64", [1, 1], ("c", "value", 0, 1)),
                block(
                    "candidate.i64",
                    [-1, 6],
                    ("a", "value", 0, 1),
                    ("b", "value", 1, 1),
                    ("l", "values", 2, 2),
                    ("l", "length", 4, 1),
                    ("l", "state", 5, 1),
                ),
            ],
        ),
        (
            "a group may carry a feature's name",
            [feature("a", "candidate", "int64"), feature("b", "candidate", "int64", list=listed(1), group="a")],
            [
                block("candidate.i64", [-1, 2], ("a", "value", 0, 1), ("group:a", "length", 1, 1)),
                block("candidate.a.i64", [-1, 1, 1], ("b", "value", 0, 1)),
            ],
        ),
    ]


def bad() -> list[tuple[str, dict[str, Any]]]:
    """Name and schema document of what must be refused as `manifest_invalid`."""

    def with_item(*features: dict[str, Any]) -> dict[str, Any]:
        return {"features": [ITEM, *features]}

    without_missing = {key: value for key, value in ITEM.items() if key != "missing"}
    return [
        ("no features", {"features": []}),
        ("no candidate feature", {"features": [feature("u", "context", "int64")]}),
        ("features is an object", {"features": {}}),
        ("an unknown field of the schema", {"features": [ITEM], "version": 1}),
        ("an unknown field of a feature", with_item(feature("a", "candidate", "int64", unit="m"))),
        ("a name with a dash", with_item(feature("a-b", "candidate", "int64"))),
        ("a name that begins with a digit", with_item(feature("1a", "candidate", "int64"))),
        ("an empty name", with_item(feature("", "candidate", "int64"))),
        ("a name of 65 characters", with_item(feature("a" * 65, "candidate", "int64"))),
        ("a name with a line feed at its end", with_item(feature("a\n", "candidate", "int64"))),
        ("a name twice", with_item(feature("item", "candidate", "string"))),
        ("a name twice across the placements", with_item(feature("item", "context", "int64"))),
        ("an unknown placement", with_item(feature("a", "user", "int64"))),
        ("an unknown dtype", with_item(feature("a", "candidate", "int32"))),
        ("no missing policy", {"features": [without_missing]}),
        ("an unknown policy", with_item(feature("a", "candidate", "int64", missing={"policy": "ignore"}))),
        ("a default without a value", with_item(feature("a", "candidate", "int64", missing={"policy": "default"}))),
        ("a value without default", with_item(feature("a", "candidate", "int64", missing=OWN_ROW | {"value": 1}))),
        ("a default of another type", with_item(feature("a", "candidate", "int64", missing=default("1")))),
        ("a float default of an int feature", with_item(feature("a", "candidate", "int64", missing=default(1.5)))),
        ("an integer default of a bool feature", with_item(feature("a", "candidate", "bool", missing=default(1)))),
        ("a bool default of a float feature", with_item(feature("a", "candidate", "float32", missing=default(True)))),
        ("a default beyond float32", with_item(feature("a", "candidate", "float32", missing=default(1e39)))),
        ("a non-finite default", with_item(feature("a", "candidate", "float32", missing=default("NaN")))),
        ("a lone surrogate as default", with_item(feature("a", "candidate", "string", missing=default("\ud800")))),
        ("a null default", with_item(feature("a", "candidate", "string", missing=default(None)))),
        ("nonfinite for an int", with_item(feature("a", "candidate", "int64", nonfinite=True))),
        ("nonfinite is a number", with_item(feature("a", "candidate", "float32", nonfinite=1))),
        ("a null list", with_item(feature("a", "candidate", "int64", list=None))),
        ("a null group", with_item(feature("a", "candidate", "int64", group=None))),
        ("a list of length 0", with_item(feature("a", "candidate", "int64", list=listed(0)))),
        ("a list of length 4097", with_item(feature("a", "candidate", "int64", list=listed(4097)))),
        ("a list without an end", with_item(feature("a", "candidate", "int64", list={"max_length": 3}))),
        ("a list that keeps the middle", with_item(feature("a", "candidate", "int64", list=listed(3, "middle")))),
        ("a list with own_row", with_item(feature("a", "candidate", "int64", list=listed(3), missing=OWN_ROW))),
        (
            "a list with own_row for invalid",
            with_item(feature("a", "candidate", "int64", list=listed(3), invalid=OWN_ROW)),
        ),
        (
            "a list whose default is not []",
            with_item(feature("a", "candidate", "int64", list=listed(3), missing=default([1]))),
        ),
        ("a group of a scalar", with_item(feature("a", "candidate", "int64", group="g"))),
        ("a group in upper case", with_item(feature("a", "candidate", "int64", list=listed(3), group="G"))),
        ("a group named like a block", with_item(feature("a", "candidate", "int64", list=listed(3), group="i64"))),
        (
            "a group of two lengths",
            with_item(
                feature("a", "candidate", "int64", list=listed(3), group="g"),
                feature("b", "candidate", "int64", list=listed(4), group="g"),
            ),
        ),
        (
            "a group that keeps both ends",
            with_item(
                feature("a", "candidate", "int64", list=listed(3), group="g"),
                feature("b", "candidate", "int64", list=listed(3, "last"), group="g"),
            ),
        ),
        ("a null vector", with_item(feature("a", "candidate", "float32", vector=None))),
        ("a vector that is a number", with_item(feature("a", "candidate", "float32", vector=3))),
        ("a vector without a length", with_item(feature("a", "candidate", "float32", vector={}))),
        ("an unknown field of a vector", with_item(feature("a", "candidate", "float32", vector=listed(3)))),
        ("a vector of length 0", with_item(feature("a", "candidate", "float32", vector=vector(0)))),
        ("a vector of length 4097", with_item(feature("a", "candidate", "float32", vector=vector(4097)))),
        ("a vector of a bool length", with_item(feature("a", "candidate", "float32", vector={"length": True}))),
        ("a vector of strings", with_item(feature("a", "candidate", "string", vector=vector(3)))),
        ("a vector of bools", with_item(feature("a", "candidate", "bool", vector=vector(3)))),
        ("a vector of timestamps", with_item(feature("a", "candidate", "timestamp", vector=vector(3)))),
        ("a vector that is a list", with_item(feature("a", "candidate", "int64", vector=vector(3), list=listed(3)))),
        ("a vector in a group", with_item(feature("a", "candidate", "int64", vector=vector(3), group="g"))),
        ("a vector with own_row", with_item(feature("a", "candidate", "int64", vector=vector(3), missing=OWN_ROW))),
        (
            "a vector with own_row for invalid",
            with_item(feature("a", "candidate", "int64", vector=vector(3), invalid=OWN_ROW)),
        ),
        (
            "a vector whose default is a number",
            with_item(feature("a", "candidate", "int64", vector=vector(1), missing=default(1))),
        ),
        (
            "a vector whose default is too short",
            with_item(feature("a", "candidate", "int64", vector=vector(3), missing=default([1, 2]))),
        ),
        (
            "a vector whose default is too long",
            with_item(feature("a", "candidate", "int64", vector=vector(1), missing=default([1, 2]))),
        ),
        (
            "a vector whose default is empty",
            with_item(feature("a", "candidate", "int64", vector=vector(1), missing=default([]))),
        ),
        (
            "a vector whose default has a point",
            with_item(feature("a", "candidate", "int64", vector=vector(2), invalid=default([1, 2.0]))),
        ),
        (
            "a vector whose default is beyond float32",
            with_item(feature("a", "candidate", "float32", vector=vector(2), missing=default([1, 1e39]))),
        ),
        (
            "a vector whose default is not finite",
            with_item(feature("a", "candidate", "float32", vector=vector(2), missing=default([1, "NaN"]))),
        ),
        (
            "a vector whose default holds null",
            with_item(feature("a", "candidate", "float32", vector=vector(2), missing=default([1, None]))),
        ),
        ("a null unseen policy", with_item(feature("a", "candidate", "string", unseen=None))),
        ("an unseen policy that is a word", with_item(feature("a", "candidate", "string", unseen="error"))),
        ("an unknown unseen policy", with_item(feature("a", "candidate", "string", unseen={"policy": "drop"}))),
        ("unseen error for a float", with_item(feature("a", "candidate", "float32", unseen=ERROR))),
        ("unseen error for a bool", with_item(feature("a", "candidate", "bool", unseen=ERROR))),
        ("unseen error for a timestamp", with_item(feature("a", "candidate", "timestamp", unseen=ERROR))),
        ("unseen default for a float", with_item(feature("a", "candidate", "float64", unseen=default(0.5)))),
        (
            "unseen default without a value",
            with_item(feature("a", "candidate", "string", unseen={"policy": "default"})),
        ),
        (
            "an unseen value without default",
            with_item(feature("a", "candidate", "string", unseen=ERROR | {"value": "a"})),
        ),
        ("an unseen value of another type", with_item(feature("a", "candidate", "string", unseen=default(1)))),
        ("an unseen value that is null", with_item(feature("a", "candidate", "string", unseen=default(None)))),
        ("an unseen value with a point", with_item(feature("a", "candidate", "int64", unseen=default(1.0)))),
        ("an unseen value beyond int64", with_item(feature("a", "candidate", "int64", unseen=default(2**63)))),
        (
            "an unseen value with a lone surrogate",
            with_item(feature("a", "candidate", "string", unseen=default("\ud800"))),
        ),
        (
            "an unseen value that is a list, for a list",
            with_item(feature("a", "candidate", "string", list=listed(3), unseen=default(["a"]))),
        ),
        (
            "an unseen value that is the empty list, for a list",
            with_item(feature("a", "candidate", "string", list=listed(3), unseen=default([]))),
        ),
        (
            "a group in both placements",
            with_item(
                feature("a", "candidate", "int64", list=listed(3), group="g"),
                feature("b", "context", "int64", list=listed(3), group="g"),
            ),
        ),
    ]


def main() -> int:
    """Write or check the file."""
    about = (
        "Schemas and the packing each must give; schemas that a reader must refuse as manifest_invalid. A lone "
        "surrogate is found before that in the text of a whole manifest: manifest_invalid_json (section 3)."
    )
    cases = [{"name": name, "schema": {"features": fs}, "packing": {"inputs": blocks}} for name, fs, blocks in good()]
    refused = [{"name": name, "schema": schema} for name, schema in bad()]
    provenance = "generate_packing.py: written by hand from sections 4 and 5; no implementation of twinrank takes part"
    return finish("packing.json", {"about": about, "provenance": provenance, "cases": cases, "refused": refused})


if __name__ == "__main__":
    raise SystemExit(main())
