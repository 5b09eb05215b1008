"""What a testee may get wrong in a batch, planted one by one: a breach of the contract is told, and is no verdict."""

import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from twinrank.bridge import Route, RouteFailedError, RouteOptions, _frames
from twinrank.bridge._testee import FrameScorer
from twinrank.bridge._verify import ParityRun
from twinrank.export.bundle import SessionSettings, open_bundle

sys.path.insert(0, str(Path(__file__).parent))
from fake_testee import BATCH_FAULTS, DEEP, batch, spoiled

Parity = Callable[..., ParityRun]

DIFFERENT = {"batch_flipped_bit": "value", "batch_wrong_pack": "packed", "batch_swapped": "packed"}
"""Answers of the contract that are wrong: these differ, and of this kind."""


class Here:
    """The fake testee's batches in this process: no program to start."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def exchange(self, frame: bytes, timeout: float) -> tuple[dict[str, Any], bytes]:
        del timeout
        header, body = _frames.decode(frame)
        match header["op"]:
            case "hello":
                return {"ok": True, "protocol": 1, "ops": ["score_batch"], "runtime": "onnxruntime 1.29.0"}, b""
            case "load":
                self.bundle = open_bundle(header["bundle"], require=header["require"])
                told = {"bundle": self.bundle.digest, "verification": self.bundle.verification}
                heads = [{"name": head.name, "dtype": head.dtype} for head in self.bundle.heads]
                return {"ok": True, **told, "heads": heads, "score": {"dtype": self.bundle.manifest.score.dtype}}, b""
        assert header["op"] == "score_batch", header
        told, data = spoiled(self.fault, *batch(self.bundle, body))
        text = json.dumps(told).replace(json.dumps(DEEP), "[" * 100_000 + "]" * 100_000).encode()
        parts = struct.pack("<I", len(text)) + text + struct.pack("<I", len(data)) + data
        return _frames.decode(parts)

    def close(self) -> None:
        pass


def here(fault: str) -> Route:
    return Route(fault, "", "bits", lambda path, given: FrameScorer(fault, Here(fault), path, given))


def test_honest_batches_are_equal(parity: Parity, fake: Callable[[str], Route]) -> None:
    run = parity([here("batch_none"), fake("batch_none")])
    assert (run.verdict, run.exit_code) == ("equal", 0)
    for tally in run.routes:
        assert (tally.rows, tally.orders_equal, tally.errors_agreed) == (26, 8, 17)
        assert (tally.packed, tally.packed_equal) == (8, 8)


@pytest.mark.parametrize("fault", sorted(DIFFERENT))
def test_a_wrong_answer_in_a_batch_differs(fault: str, parity: Parity, fake: Callable[[str], Route]) -> None:
    run = parity([fake(fault)])
    assert (run.verdict, run.exit_code) == ("differs", 1)
    (tally,) = run.routes
    assert tally.first is not None
    assert tally.first.kind == DIFFERENT[fault]
    assert tally.failure is None


@pytest.mark.parametrize("fault", sorted(set(BATCH_FAULTS) - {"batch_none", *DIFFERENT}))
def test_a_batch_that_is_none_of_the_contract_proves_nothing(fault: str, parity: Parity) -> None:
    run = parity([here("batch_none"), here(fault)])
    assert (run.verdict, run.exit_code) == ("unknown", 2)
    honest, planted = run.routes
    assert honest.status == "equal"
    assert (planted.status, planted.first) == ("unknown", None)
    assert planted.failure is not None
    assert planted.failure.reason == "protocol"


@pytest.mark.parametrize("fault", ["batch_deep", "batch_short_body"])
def test_the_same_from_a_program(fault: str, parity: Parity, fake: Callable[[str], Route]) -> None:
    (tally,) = parity([fake(fault)]).routes
    assert tally.failure is not None
    assert (tally.status, tally.failure.reason) == ("unknown", "protocol")


class Says:
    """A testee of fixed answers."""

    HONEST: ClassVar[dict[str, dict[str, Any]]] = {
        "hello": {"ok": True, "protocol": 1, "ops": [], "facts": {}},
        "load": {"ok": True, "heads": [], "score": {"dtype": "float32"}},
        "score": {"ok": True, "n": 1, "order": [0], "dropped": []},
        "pack": {"ok": True, "n": 1, "inputs": [{"name": "x", "dtype": "float32", "shape": [1]}]},
        "open_onnx": {"ok": True},
        "run": {"ok": True, "outputs": [{"name": "y", "kind": "tensor", "dtype": "float32", "shape": [1]}]},
    }

    def __init__(self, op: str, change: dict[str, Any]) -> None:
        self.answers = {**self.HONEST, op: self.HONEST[op] | change}

    def exchange(self, frame: bytes, timeout: float) -> tuple[dict[str, Any], bytes]:
        del timeout
        op = _frames.decode(frame)[0]["op"]
        return self.answers[op], b"" if op in ("hello", "load", "open_onnx") else bytes(4)

    def close(self) -> None:
        pass


REFUSAL = {"ok": False, "family": "scoring", "code": "wrong_type", "feature": "age", "candidate": 1}


@pytest.mark.parametrize(
    ("op", "change"),
    [
        ("hello", {"ops": 5}),
        ("hello", {"ops": "score_batch"}),
        ("hello", {"facts": [1]}),
        ("load", {"heads": 5}),
        ("load", {"heads": [5]}),
        ("load", {"heads": [{"name": "a", "dtype": ["float32"]}]}),
        ("score", {"n": True}),
        ("score", {"n": float("nan")}),
        ("score", {"n": 1.0}),
        ("score", {"order": [0.0]}),
        ("score", {"dropped": {"0": 1}}),
        ("score", REFUSAL | {"code": 5}),
        ("score", REFUSAL | {"feature": 5}),
        ("score", REFUSAL | {"candidate": "1"}),
        ("pack", {"inputs": 5}),
        ("pack", {"inputs": [5]}),
        ("pack", {"inputs": [{"name": "x", "shape": [1]}]}),
        ("pack", {"inputs": [{"name": "x", "dtype": [], "shape": [1]}]}),
        ("pack", {"inputs": [{"name": "x", "dtype": "float32", "shape": [-1]}]}),
        ("pack", {"inputs": [{"name": "x", "dtype": "float32", "shape": [True]}]}),
        ("pack", {"inputs": [{"name": "x", "dtype": "float32", "shape": 1}]}),
        ("pack", {"inputs": [{"name": "x", "dtype": "float32", "shape": [0, 2**70]}]}),
        ("run", {"outputs": [{"name": "y", "kind": "map"}]}),
        ("run", {"outputs": [{"name": "y", "kind": "tensor", "dtype": "float32", "shape": [0, 2**70]}]}),
    ],
)
def test_a_member_of_another_type_is_a_breach_and_no_crash(op: str, change: dict[str, Any], tmp_path: Path) -> None:
    says = Says(op, change)
    if op == "run":
        says.answers["hello"] = says.HONEST["hello"] | {"ops": ["open_onnx", "run"]}

    def all_of_it() -> None:
        scorer = FrameScorer("says", says, tmp_path, RouteOptions())
        scorer.score(b"{}")
        scorer.pack(b"{}")
        scorer.run_graph(tmp_path / "m.onnx", SessionSettings(), [], {})

    with pytest.raises(RouteFailedError) as caught:
        all_of_it()
    assert caught.value.reason == "protocol"
