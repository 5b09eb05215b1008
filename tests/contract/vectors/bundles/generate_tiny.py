"""Makes tiny/1, a hand-made bundle that every reader can open within milliseconds and no host computes differently.

It holds every dtype, plain and grouped lists and vectors in both placements, every policy, counts of unseen values, a
float64 head, a head that gives NaN, a score that gives NaN and ties, and goldens of zero, one and many candidates and
of refusals. Its graph selects, converts, adds and multiplies single values only: operations that IEEE 754 rounds in one
way, so any host class agrees.

Its evidence names the host class of sixty-four zeros, which no host has: a reader that requires bits refuses it as it
lies here (``host_class_mismatch``), one that accepts ``reference`` opens it everywhere. Tests that want
``verified-bits`` reseal a copy with their own host class (../../hostile/README.md). ``--check`` compares instead of
writing.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from twinrank.export.bundle import (
    Draft,
    Evidence,
    Expectation,
    Golden,
    Head,
    Runner,
    SessionSettings,
    Tolerance,
    bundle_files,
    order_of,
    unseen_outputs,
)
from twinrank.training.schema import Packing, Schema, ScoringError, pack, read_request, string_key

HERE = Path(__file__).resolve().parent
TARGET = HERE / "tiny" / "1"
RELEASE = "1.29.0"
MOST = 20
UNSEEN_ROW = 2
ERROR = {"policy": "error"}
OWN_ROW = {"policy": "own_row"}


def default(value: object) -> dict[str, object]:
    """The policy that substitutes ``value``."""
    return {"policy": "default", "value": value}


def feature(
    name: str, placement: str, dtype: str, missing: object = ERROR, invalid: object = ERROR, **more: object
) -> dict[str, object]:
    """One feature in the manifest's form."""
    return {"name": name, "placement": placement, "dtype": dtype, **more, "missing": missing, "invalid": invalid}


HISTORY = {"group": "history", "list": {"max_length": 4, "keep": "last"}}
PARTS = {"group": "parts", "list": {"max_length": 3, "keep": "first"}}
EMPTY = default([])
SCHEMA = Schema.from_json(
    {
        "features": [
            feature("user", "context", "string", missing=OWN_ROW),
            feature("age", "context", "int64", missing=OWN_ROW, invalid=default(18)),
            feature("active", "context", "bool", missing=default(True)),
            feature("bias", "context", "float32", missing=default(0.5), invalid=default("-Infinity"), nonfinite=True),
            feature("when", "context", "timestamp"),
            feature("budget", "context", "float64", invalid=OWN_ROW),
            feature("tags", "context", "string", missing=EMPTY, list={"max_length": 3, "keep": "first"}),
            feature(
                "recent", "context", "float32", missing=EMPTY, invalid=EMPTY, list={"max_length": 2, "keep": "last"}
            ),
            feature("history_item", "context", "string", missing=EMPTY, **HISTORY),
            feature("history_weight", "context", "float32", missing=EMPTY, **HISTORY),
            feature("history_price", "context", "float64", missing=EMPTY, **HISTORY),
            feature("profile", "context", "float32", missing=default([0.5, -0.5, 0]), vector={"length": 3}),
            feature("region", "context", "string", missing=OWN_ROW, invalid=OWN_ROW, unseen=ERROR),
            feature(
                "labels",
                "context",
                "string",
                missing=EMPTY,
                list={"max_length": 2, "keep": "first"},
                unseen=ERROR,
            ),
            feature("item", "candidate", "string", missing=OWN_ROW, invalid=OWN_ROW),
            feature("stock", "candidate", "int64"),
            feature("fresh", "candidate", "bool", missing=default(False), invalid=default(False)),
            feature("seen", "candidate", "timestamp", missing=default(-1)),
            feature("price", "candidate", "float32", missing=default(1.5), invalid=OWN_ROW),
            feature("quality", "candidate", "float32", nonfinite=True),
            feature("margin", "candidate", "float64", nonfinite=True),
            feature("codes", "candidate", "int64", missing=EMPTY, list={"max_length": 3, "keep": "last"}),
            feature("ratios", "candidate", "float64", missing=EMPTY, list={"max_length": 2, "keep": "first"}),
            feature("part_key", "candidate", "string", missing=EMPTY, invalid=EMPTY, **PARTS),
            feature("part_count", "candidate", "int64", missing=EMPTY, invalid=EMPTY, **PARTS),
            feature("part_gain", "candidate", "float32", missing=EMPTY, invalid=EMPTY, **PARTS),
            feature("part_cost", "candidate", "float64", missing=EMPTY, invalid=EMPTY, **PARTS),
            feature(
                "embedding",
                "candidate",
                "float64",
                missing=default([0, 0]),
                invalid=default([1, "Infinity"]),
                vector={"length": 2},
                nonfinite=True,
            ),
            feature("size", "candidate", "int64", missing=default([0, 0, 0]), vector={"length": 3}),
            feature("shelf", "candidate", "int64", missing=OWN_ROW, unseen=ERROR),
            feature("brand", "candidate", "string", missing=OWN_ROW, unseen=default("bread")),
        ]
    }
)
PACKING = Packing.of(SCHEMA)
ITEMS = ("apple", "bread", "crème", "", "😀", "a\0b")
USERS = ("ann", "bob")
REGIONS = ("north", "south")
SHELVES = (3, -4)


class Graph:
    """A graph of exact operators over the packed blocks. Scalars of the context have shape [1], of candidates [n]."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self._count = 0

    def constant(self, value: object, dtype: str) -> str:
        array = np.array(value, dtype=dtype)
        name = f"const_{len(self.constants)}"
        for known, tensor in self.constants.items():
            stored = numpy_helper.to_array(tensor)
            if stored.dtype == array.dtype and stored.shape == array.shape and stored.tobytes() == array.tobytes():
                return known
        self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def node(self, op: str, *inputs: str, out: str | None = None, domain: str = "", **attributes: object) -> str:
        self._count += 1
        name = out or f"v{self._count}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=f"n{self._count}", domain=domain, **attributes))
        return name

    def cell(self, name: str, role: str, position: int = 0) -> str:
        """One cell of a block; ``position`` counts within a list or along a group's sequence."""
        for block in PACKING.blocks:
            for column in block.columns:
                if name in (column.feature, column.group) and column.role == role:
                    offset = column.offset + (position if role == "values" else 0)
                    found = self.node("Gather", block.name, self.constant(offset, "int64"), axis=-1)
                    if len(block.shape) == 3:
                        found = self.node("Gather", found, self.constant(position, "int64"), axis=1)
                    return found
        raise SystemExit(f"{name} has no column of role {role}")

    def add(self, *terms: str, out: str | None = None) -> str:
        total = terms[0]
        for position, term in enumerate(terms[1:], start=2):
            total = self.node("Add", total, term, out=out if position == len(terms) else None)
        return total

    def cast(self, value: str, dtype: str) -> str:
        return self.node("Cast", value, to=TensorProto.FLOAT if dtype == "float32" else TensorProto.DOUBLE)

    def where(self, condition: str, yes: str, no: str) -> str:
        return self.node("Where", condition, yes, no)

    def state_is(self, name: str, state: int) -> str:
        return self.node("Equal", self.cell(name, "state"), self.constant(state, "int64"))

    def imputed(self, name: str, dtype: str, missing: object, invalid: object) -> str:
        """A scalar whose missing and invalid forms become the given numbers."""
        value = self.where(self.state_is(name, 0), self.constant(missing, dtype), self.cell(name, "value"))
        return self.where(self.state_is(name, 2), self.constant(invalid, dtype), value)

    def row(self, keys: tuple[str, ...] | tuple[int, ...], cell: str, unseen: int = UNSEEN_ROW) -> str:
        """The row of a key: 3 and up in the order of ``keys``, else ``unseen``."""
        known = [key if isinstance(key, int) else string_key(key) for key in keys]
        encode = {
            "keys_tensor": numpy_helper.from_array(np.array(known, dtype=np.int64)),
            "values_tensor": numpy_helper.from_array(np.arange(3, 3 + len(keys), dtype=np.int64)),
            "default_tensor": numpy_helper.from_array(np.array([unseen], dtype=np.int64)),
        }
        return self.node("LabelEncoder", cell, domain="ai.onnx.ml", **encode)

    def looked_up(
        self,
        name: str,
        keys: tuple[str, ...] | tuple[int, ...],
        rows: list[float],
        cell: str | None = None,
        unseen: int = UNSEEN_ROW,
    ) -> str:
        """The float32 row of a key: rows are missing, invalid, out of vocabulary, then the keys in order."""
        row = self.row(keys, cell or self.cell(name, "value"), unseen)
        if cell is None:
            row = self.where(self.state_is(name, 0), self.constant(0, "int64"), row)
            row = self.where(self.state_is(name, 2), self.constant(1, "int64"), row)
        return self.node("Gather", self.constant(rows, "float32"), row)

    def unseen(self, keys: tuple[str, ...] | tuple[int, ...], cell: str, counts: str) -> str:
        """1 where the key is not among ``keys`` and ``counts`` is true, else 0."""
        strange = self.node("Equal", self.row(keys, cell), self.constant(UNSEEN_ROW, "int64"))
        return self.node("Cast", self.node("And", strange, counts), to=TensorProto.INT64)

    def columns(self, counts: list[str], out: str) -> str:
        """Vectors side by side as the columns of a matrix."""
        axis = self.constant([1], "int64")
        return self.node("Concat", *(self.node("Unsqueeze", count, axis) for count in counts), out=out, axis=1)

    def summed(self, values: list[str], length: str, dtype: str) -> str:
        """The sum of the first ``length`` of the values, in order."""
        zero = self.constant(0, dtype)
        kept = []
        for position, value in enumerate(values):
            inside = self.node("Less", self.constant(position, "int64"), length)
            kept.append(self.where(inside, value, zero))
        return self.add(*kept)

    def list_sum(self, name: str, owner: str, role: str, dtype: str, count: int, factor: float = 1.0) -> str:
        values = [self.cell(name, role, position) for position in range(count)]
        if dtype == "key":
            values = [self.looked_up(name, ITEMS, [0, 0, 0.125, 1, 2, 3, 4, 5, 6], cell) for cell in values]
            dtype = "float32"
        elif dtype == "int64":
            values = [self.cast(value, "float32") for value in values]
            dtype = "float32"
        total = self.summed(values, self.cell(owner, "length"), dtype)
        return self.node("Mul", total, self.constant(factor, dtype))

    def vector_sum(self, name: str, dtype: str, missing: list[float], invalid: list[float] | None = None) -> str:
        """The sum of a vector's values, whose missing and invalid forms are the given numbers; float64 for int64."""
        parts = []
        for position, value in enumerate(missing):
            cell = self.cell(name, "values", position)
            cell = self.where(self.state_is(name, 0), self.constant(value, dtype), cell)
            if invalid is not None:
                cell = self.where(self.state_is(name, 2), self.constant(invalid[position], dtype), cell)
            parts.append(cell if dtype != "int64" else self.cast(cell, "float64"))
        return self.add(*parts)


def model() -> onnx.ModelProto:
    """The slate graph: outputs head.watched, head.risky, head.margin, score, unseen.context and unseen.candidate."""
    g = Graph()
    hour = g.node(
        "Mod", g.node("Div", g.cell("when", "value"), g.constant(3_600_000, "int64")), g.constant(24, "int64")
    )
    user = g.add(
        g.looked_up("user", USERS, [8, 0, 9, 10, 11]),
        g.node("Mul", g.cast(g.imputed("age", "int64", -1, 18), "float32"), g.constant(0.25, "float32")),
        g.cast(
            g.node("Max", g.cell("active", "value"), g.node("Sub", g.constant(1, "int64"), g.cell("active", "state"))),
            "float32",
        ),
        g.cast(hour, "float32"),
        g.list_sum("tags", "tags", "values", "key", 3, 0.5),
        g.list_sum("recent", "recent", "values", "float32", 2),
        g.list_sum("history_item", "history", "value", "key", 4, 0.25),
        g.list_sum("history_weight", "history", "value", "float32", 4),
        g.vector_sum("profile", "float32", [0.5, -0.5, 0]),
        g.looked_up("region", REGIONS, [0, 0.25, 0, 0.5, 0.75]),
        g.list_sum("labels", "labels", "values", "key", 2),
    )
    biased = g.add(user, g.imputed("bias", "float32", 0.5, -np.inf))
    stock = g.node("Clip", g.cell("stock", "value"), g.constant(-1000, "int64"), g.constant(1000, "int64"))
    seen = g.node("Greater", g.imputed("seen", "int64", -1, -1), g.cell("when", "value"))
    item = g.add(
        g.looked_up("item", ITEMS, [0.5, 0.75, 0.25, 1, 2, 3, 4, 5, 6]),
        g.cast(stock, "float32"),
        g.cast(g.imputed("fresh", "int64", 0, 0), "float32"),
        g.cast(seen, "float32"),
        g.imputed("price", "float32", 1.5, -2.0),
        g.list_sum("codes", "codes", "values", "int64", 3, 0.125),
        g.list_sum("part_key", "parts", "value", "key", 3),
        g.list_sum("part_count", "parts", "value", "int64", 3),
        g.list_sum("part_gain", "parts", "value", "float32", 3),
        g.looked_up("shelf", SHELVES, [0, 0, 0, 0.5, 1.5]),
        # What the vocabulary does not hold is read as "bread", the second of the items.
        g.looked_up("brand", ITEMS, [0, 0, 0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75], unseen=4),
    )
    watched = g.add(item, user, out="head.watched")
    # Infinity minus infinity, and anything with NaN, is NaN: quality decides who is dropped.
    quality = g.cell("quality", "value")
    g.node("Sub", g.node("Mul", quality, biased), g.node("Mul", quality, g.constant(2.0, "float32")), out="head.risky")
    budget = g.where(g.state_is("budget", 2), g.constant(-7.0, "float64"), g.cell("budget", "value"))
    g.add(
        g.node("Mul", g.cell("margin", "value"), g.constant(3.0, "float64")),
        budget,
        g.list_sum("ratios", "ratios", "values", "float64", 2),
        g.list_sum("history_price", "history", "value", "float64", 4),
        g.list_sum("part_cost", "parts", "value", "float64", 3),
        g.vector_sum("embedding", "float64", [0, 0], [1, np.inf]),
        g.vector_sum("size", "int64", [0, 0, 0]),
        g.cast(watched, "float64"),
        out="head.margin",
    )
    g.node("Add", g.cast(stock, "float32"), quality, out="score")
    labels = [
        g.unseen(
            ITEMS,
            g.cell("labels", "values", position),
            g.node("Less", g.constant(position, "int64"), g.cell("labels", "length")),
        )
        for position in range(2)
    ]
    region = g.unseen(REGIONS, g.cell("region", "value"), g.state_is("region", 1))
    g.columns([region, g.add(*labels)], "unseen.context")
    shelf = g.unseen(SHELVES, g.cell("shelf", "value"), g.state_is("shelf", 1))
    g.columns([shelf], "unseen.candidate")
    inputs = []
    types = {"int64": TensorProto.INT64, "float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}
    for block in PACKING.blocks:
        shape = ["n" if dim == -1 else dim for dim in block.shape]
        inputs.append(helper.make_tensor_value_info(block.name, types[block.dtype], shape))
    outputs = [helper.make_tensor_value_info(head.output, types[head.dtype], ["n"]) for head in (*HEADS, SCORE)]
    for unseen in unseen_outputs(SCHEMA):
        shape = ["n" if dim == -1 else dim for dim in unseen.shape]
        outputs.append(helper.make_tensor_value_info(unseen.output, TensorProto.INT64, shape))
    graph = helper.make_graph(g.nodes, "tiny", inputs, outputs, list(g.constants.values()))
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 4)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="twinrank")
    onnx.checker.check_model(made, full_check=True)
    return made


HEADS = (
    Head("watched", "head.watched", "float32"),
    Head("risky", "head.risky", "float32"),
    Head("margin", "head.margin", "float64"),
)
SCORE = Head("score", "score", "float32")


def many(count: int) -> dict[str, object]:
    """A slate with ties, both zeros, infinities, NaN scores, and lists of every length."""
    qualities = (0.5, -0.5, "NaN", "Infinity", "-Infinity", 0.0, -0.0, 2.5)
    candidates = []
    for i in range(count):
        one: dict[str, object] = {
            "item": ITEMS[i % 6] if i % 5 else None,
            "stock": (i * 7) % 3 - 1,
            "quality": qualities[i % 8],
            "margin": i / 10,
            "price": (0.1 * i) if i % 4 else ("x" if i % 8 else None),
            "fresh": bool(i % 2),
            "seen": 1_700_000_000_000 * (i % 3),
            "codes": list(range(i % 5)),
            "ratios": [0.1] * (i % 4),
        }
        if i % 3:
            parts = i % 5
            one |= {
                "part_key": [ITEMS[(i + j) % 6] for j in range(parts)],
                "part_count": [j - i for j in range(parts)],
                "part_gain": [j / 3 for j in range(parts)],
                "part_cost": [j / 7 for j in range(parts)],
            }
        candidates.append(one)
    context = {
        "user": "ann",
        "age": 41,
        "active": True,
        "bias": 0.1,
        "when": 1_600_000_000_000,
        "budget": 0.1,
        "tags": ["apple", "zebra", "crème", "beyond the end"],
        "recent": [0.1, 0.2, 0.3],
        "history_item": ["apple", "bread", "", "😀", "a\0b"],
        "history_weight": [1, 0.1, 1e-45, 16777217, -0.0],
        "history_price": [1, 0.1, 5e-324, 9007199254740993, -0.0],
    }
    return {"context": context, "candidates": candidates}


LEAST = {"context": {"when": 0, "budget": 0}, "candidates": [{"stock": 0, "quality": 0, "margin": 0}]}


def line(value: object) -> bytes:
    """A request as JSON on one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def changed(place: str, **fields: object) -> bytes:
    """LEAST with some fields of its context or its candidate replaced."""
    request = json.loads(json.dumps(LEAST))
    (request["context"] if place == "context" else request["candidates"][0]).update(fields)
    return line(request)


def extremes() -> bytes:
    """The ends of every number, written so that a reader must parse them exactly."""
    context = (
        b'{"user":"never seen","age":-9223372036854775808,"active":false,"bias":"NaN","when":-9223372036854775808,'
        b'"budget":-0,"tags":[],"history_item":["a\\u0000b"],"history_weight":[-0],"history_price":[4.9e-324]}'
    )
    # Nearest float64 first, then nearest-even float32, gives 1.0; straight to float32 would give 1.0000001.
    first = (
        b'{"item":"\\uD83D\\uDE00","stock":9223372036854775807,"quality":1.00000005960464483,"margin":1e308,"seen":9223372036854775807,'
        b'"price":1.17549435e-38,"codes":[-9223372036854775808,9223372036854775807]}'
    )
    second = b'{"stock":-9223372036854775808,"quality":-0.0,"margin":"-Infinity","price":3.5e38,"fresh":1,"item":7}'
    return b'{"candidates":[' + first + b"," + second + b'],"context":' + context + b',"k":1}'


def strange() -> bytes:
    """Vectors of every policy, and values that vocabularies do not hold where that is no error."""
    context = {
        "profile": [0.1, 1e-45, 3],
        "region": "south",
        "labels": ["bread", "apple", "beyond the end"],
    }
    candidates = [
        {"embedding": [0.1, -0.0], "size": [2**62, -1, 9007199254740993], "shelf": -4, "brand": "no such brand"},
        {"embedding": [0.1], "shelf": None, "brand": "😀"},
        {"embedding": [0.3, 1e-300], "size": [1, 20, 300], "shelf": 3, "brand": "crème"},
        {"embedding": ["Infinity", "-Infinity"], "brand": None},
        {"embedding": None, "size": None},
    ]
    least = LEAST["candidates"][0]
    return line({"context": LEAST["context"] | context, "candidates": [least | one for one in candidates]})


REQUESTS: tuple[bytes, ...] = (
    line(LEAST),
    line(many(16)),
    extremes(),
    line({"context": LEAST["context"], "candidates": []}),
    changed("context", budget="much", recent=["x"], age=1.5),
    b'{"context":{"when":0,"budget":0},"candidates":[',
    b'{"context":{"when":0,"when":0,"budget":0},"candidates":[]}',
    line([LEAST]),
    changed("candidate", colour="red"),
    line({"context": {"budget": 0}, "candidates": []}),
    changed("context", when=1.0),
    changed("candidate", stock=2**63),
    changed("context", history_price=["NaN"], history_item=["apple"], history_weight=[1]),
    b'{"context":{"when":0,"budget":0,"user":"\\ud800"},"candidates":[]}',
    changed("candidate", part_key=["apple"]),
    line({"context": LEAST["context"], "candidates": LEAST["candidates"] * (MOST + 1)}),
    strange(),
    changed("context", profile=[1, 2]),
    changed("candidate", size=[1, 2, 3, 4]),
    changed("context", profile=["x", 2]),
    changed("context", region="west"),
    changed("context", labels=["apple", "west"]),
    changed("context", region=7, labels=[]),
    line({"context": LEAST["context"], "candidates": [*LEAST["candidates"], LEAST["candidates"][0] | {"shelf": 0}]}),
    line({"context": LEAST["context"] | {"region": "west"}, "candidates": []}),
)


def golden(request: bytes, runner: Runner) -> Golden:
    """The request with what it gives on this host; the graph is exact, so every host agrees."""
    try:
        checked = read_request(request, SCHEMA, max_candidates=MOST)
    except ScoringError as e:
        return Golden(request, Expectation(n=-1, error=e.code))
    if checked.n == 0:
        return Golden(request, Expectation(n=0))
    blocks = pack(checked, PACKING)
    outputs = tuple(runner.run(blocks))
    counts, outputs = outputs[len(HEADS) + 1 :], outputs[: len(HEADS) + 1]
    if any(count.any() for count in counts):
        return Golden(request, Expectation(n=-1, error="unseen_value"))
    order, dropped = order_of(outputs[-1])
    inputs = tuple(blocks[block.name] for block in PACKING.blocks)
    return Golden(
        request, Expectation(checked.n, None, inputs, outputs, tuple(order.tolist()), tuple(dropped.tolist()))
    )


def files() -> dict[str, bytes]:
    """Every file of tiny/1."""
    graph = model()
    runner = Runner(graph.SerializeToString(deterministic=True), SessionSettings())
    exact = Tolerance(a=1e-6, max_abs=0.0, max_ulp=0)
    names = [head.name for head in HEADS] + ["score"]
    draft = Draft(
        name="tiny",
        schema=SCHEMA,
        heads=HEADS,
        score=SCORE,
        model=graph,
        goldens=tuple(golden(request, runner) for request in REQUESTS),
        evidence=Evidence("0" * 64, 19, dict.fromkeys(names, exact), (1, 2, 16), 80),
        provenance={"made_by": "tests/contract/vectors/bundles/generate_tiny.py"},
        max_candidates=MOST,
        release=RELEASE,
    )
    return bundle_files(draft)


def main() -> int:
    """Writes the bundle, or with ``--check`` says what differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    made = files()
    present = (
        {str(path.relative_to(TARGET)) for path in TARGET.rglob("*") if path.is_file()} if TARGET.exists() else set()
    )
    if check:
        differing = sorted(
            path
            for path in made.keys() | present
            if path not in present or (TARGET / path).read_bytes() != made.get(path)
        )
        for path in differing:
            print(f"tiny/1/{path} differs from its generator: run generate_tiny.py", file=sys.stderr)
        return 1 if differing else 0
    # A folder without files would be one more thing that the manifest does not list.
    shutil.rmtree(TARGET, ignore_errors=True)
    for path, content in made.items():
        (TARGET / path).parent.mkdir(parents=True, exist_ok=True)
        (TARGET / path).write_bytes(content)
    print(f"tiny/1: {len(made)} files, {sum(map(len, made.values()))} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
