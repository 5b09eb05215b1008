"""Parity runs as the engine would hand them over, made by hand, for the report's tests and for looking at its pages.

`python tests/bridge/report_runs.py FOLDER` writes the report folder of every run below FOLDER.
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from twinrank.bridge._cases import Case
from twinrank.bridge._findings import Cause, Finding, Place, Shrunk, TapValue
from twinrank.bridge._outcomes import InvarianceTally, PairTally, RefusalTally, RunFacts, Split
from twinrank.bridge._parity import Difference, RouteTally
from twinrank.bridge._scorer import SCORE, Facts, Level, Route, RouteError, RouteFailedError, RouteScores, Scored
from twinrank.bridge._verify import BundleFacts, ParityRun

HOSTILE = "a\u202eelims\u202c\x00\x1b[2J<b>&\u2028\ud7ff\U0001f600"
"""What a request may hold: writing from right to left, controls, markup, a line separator, an emoji."""

MADE = RunFacts(
    started=datetime(2026, 11, 22, 17, 1, 2, 345000, tzinfo=UTC),
    ended=datetime(2026, 11, 22, 17, 1, 58, 1000, tzinfo=UTC),
    command=("twinrank", "verify", "build/models/shop/7", "--run", "build/runs/shop", "--fuzz", "2000", "--seed", "7"),
    fuzz=2_000,
    seed=7,
    report="build/report",
    host={
        "cpu": "AMD EPYC 9B14",
        "cores": "2",
        "os": "Linux 6.8.0 x86_64",
        "python": "CPython 3.11.9",
        "numpy": "2.3.1",
        "onnxruntime": "1.29.0",
        "onnxruntime library": "libonnxruntime.so.1.29.0",
        "onnxruntime library sha256": "5d" * 32,
    },
)

HOST = "ab" * 32
DIGEST = f"sha256:{'1f' * 32}"


def bundle(heads: int = 2) -> BundleFacts:
    names = [
        ("click", "purchase", "dwell_seconds_in_the_session")[place % 3] + ("" if place < 3 else f"_{place}")
        for place in range(heads)
    ]
    outputs = {**dict.fromkeys(names, "float32"), SCORE: "float32"}
    return BundleFacts(Path("build/models/shop/7"), "shop", "7", DIGEST, outputs, dict.fromkeys(outputs, 1e-6), HOST)


def facts(implementation: str = "twinrank-java/0.1.0", **changes: str) -> Facts:
    details = {
        "jvm": "OpenJDK 17.0.15",
        "runtime_library": "libonnxruntime.so",
        "runtime_library_sha256": "5d" * 32,
        "cpu": "AMD EPYC 9B14",
        "file.encoding": "UTF-8",
    }
    runtime = changes.pop("runtime", "onnxruntime 1.29.0")
    return Facts(
        implementation, runtime, changes.pop("host_class", HOST), "verified-bits", DIGEST, {**details, **changes}
    )


def ours() -> Facts:
    return replace(
        facts("twinrank-python/0.1.0"),
        details={"python": "3.11.9", "runtime_library_sha256": "5d" * 32, "cpu": "AMD EPYC 9B14", "signature": "valid"},
    )


def scores(heads: Mapping[str, str], n: int, seed: int) -> RouteScores:
    drawn = np.random.default_rng(seed)
    outputs = {name: drawn.normal(size=n).astype(dtype) for name, dtype in heads.items()}
    order = tuple(int(index) for index in np.argsort(-outputs[SCORE], kind="stable"))
    return RouteScores(n, outputs, order, (), np.ones(n, np.bool_))


def route(name: str, level: Level = "bits") -> Route:
    def never(*_: object) -> None:
        raise AssertionError("a made run opens nothing")

    return Route(name, f"the {name} route", level, never)  # type: ignore[arg-type]


def compared(
    name: str,
    about: BundleFacts,
    change: Callable[[RouteScores, int], RouteScores] | None = None,
    *,
    level: Level = "bits",
    requests: int = 40,
    raw: bytes | None = None,
) -> RouteTally:
    """Return the tally of a route that answers as the baseline does, but for `change(answer, line)`."""
    tally = RouteTally(route(name, level), level, about.heads, about.allowed)
    tally.facts = facts()
    for line in range(1, requests + 1):
        body = json.dumps({"context": {"user": line}, "candidates": [{"item_id": f"i{item}"} for item in range(25)]})
        case = Case("run", line, raw if raw is not None else body.encode())
        expected = scores(about.heads, 25, line)
        actual = expected if change is None else change(expected, line)
        tally.add(case, Scored(expected), Scored(actual))
        tally.seconds += 0.0012
    refused = RouteError("missing_feature", "age", 3)
    for line in range(3):
        case = Case("golden", line + 1, b'{"context": {}}')
        tally.add(case, Scored(refused), Scored(refused))
    return tally


def off_by(ulp: int, every: int = 3) -> Callable[[RouteScores, int], RouteScores]:
    def change(answer: RouteScores, line: int) -> RouteScores:
        if line % every:
            return answer
        outputs = {name: np.array(values) for name, values in answer.outputs.items()}
        for values in outputs.values():
            values.view(np.int32)[::2] += np.int32(ulp)
        order = tuple(int(index) for index in np.argsort(-outputs[SCORE], kind="stable"))
        return RouteScores(answer.n, outputs, order, answer.dropped, answer.known)

    return change


def tap(name: str, *, equal: bool, dtype: str = "float32", shape: tuple[int, ...] = (1, 64)) -> TapValue:
    actual = "0.1 (3dcccccd)" if equal else "0.10000001 (3dccccce)"
    return TapValue(
        name, dtype, shape, equal, "0.1 (3dcccccd)", actual, (0,) * len(shape), 0 if equal else 1, 0 if equal else 9
    )


def finding(name: str, **changes: object) -> Finding:
    raw = b'{"context":{},"candidates":[{"item_id":"i0"}]}'
    proven = Cause(
        "other_release",
        f"{name} runs ONNX Runtime 1.23.0, the baseline 1.29.0.",
        True,
        (
            "onnxruntime 1.23.0 in Python gives the route's bits 3dccccce",
            "onnxruntime 1.29.0 gives the baseline's 3dcccccd",
        ),
        "Install ONNX Runtime 1.29.0 there, or export and certify the bundle for 1.23.0.",
    )
    hint = Cause(
        "intra_op_threads",
        "The route may run trees on several threads.",
        False,
        ("facts name no thread count",),
        "Set intra_op_num_threads = 1.",
    )
    inputs = (
        tap("context_tower/relu", equal=True),
        tap("dense_1.weight", equal=True, shape=(64, 32)),
        tap("dense_1.bias", equal=True, shape=(32,)),
    )
    place = Place(
        "dense_1",
        "Gemm",
        11,
        57,
        inputs,
        tap("dense_1/out", equal=False, shape=(1, 32)),
        6,
        "taps keep the final outputs' bits on both sides",
    )
    command = f"twinrank verify build/models/shop/7 --route {name} --requests build/report/difference-{name}.json"
    notes = ("the route's packed tensors are the baseline's",)
    made = Finding(name, (proven, hint), place, Shrunk(raw, 1_204, 212, True), command, notes=notes)
    return replace(made, **changes)  # type: ignore[arg-type]


def run(about: BundleFacts, *tallies: RouteTally, **changes: object) -> ParityRun:
    requests = {"golden": 25, "run": 40}
    left_out = {"torch": "it compares the trained module: pass --run RUN"}
    made = ParityRun(about, ours(), 0.041, 1_000, requests, tallies, left_out, made=MADE)
    return replace(made, **changes)  # type: ignore[arg-type]


def equal() -> ParityRun:
    about = bundle()
    tallies = [compared(name, about) for name in ("jpype", "probe", "py4j", "http")]
    torch = compared("torch", about, off_by(1), level="reference")
    torch.facts = Facts("Module of run shop", "torch 2.9.0", details={"threads": "1"})
    return run(about, *tallies, torch, left_out={"python": "no other Python was named: pass --python COMMAND"})


def explained() -> ParityRun:
    """Findings, refusals that differ, pairs, invariance, a crash, and a request made to hurt."""
    about = bundle()
    wrong = compared("probe", about, off_by(3), raw=json.dumps({"q": HOSTILE}, ensure_ascii=False).encode())
    wrong.facts = facts(runtime="onnxruntime 1.23.0", runtime_library_sha256="77" * 32)
    wrong.finding = finding("probe")
    wrong.refusals.append(RefusalTally("invalid_json", None, 2, 0))
    wrong.refusals.append(RefusalTally(None, "invalid_value", 1, 0))
    wrong.errors += 3
    wrong.invariance = InvarianceTally(12, 900, 4, 9, "alone: run 3, candidate 2, click 3dcccccd / 3dccccce")
    good = compared("jpype", about)
    good.invariance = InvarianceTally(12, 900)
    crashed = compared("py4j", about, requests=2)
    crashed.fail(
        RouteFailedError(
            "py4j",
            "crashed",
            "the JVM left with exit code 134 (SIGABRT)",
            f"# SIGSEGV {HOSTILE}\n# Problematic frame: libonnxruntime.so",
        )
    )
    pairs = (
        PairTally("probe", "jpype", 1000, 169, 500, 43, 13),
        PairTally("probe", "py4j", 50, 0, 0, 5, 0),
        PairTally("jpype", "py4j", 50, 0, 0, 5, 0),
    )
    return run(about, wrong, good, crashed, pairs=pairs)


def split() -> ParityRun:
    about = bundle()
    refused = RouteTally(route("probe"), "bits", about.heads, about.allowed)
    detail = "digest_mismatch: model.onnx: the file's sha256 is 77…, the manifest says 1f…"
    refused.fail(RouteFailedError("probe", "refused", detail))
    return run(about, compared("jpype", about), refused, split=Split(("ort", "jpype"), {"probe": detail}))


def crashed() -> ParityRun:
    about = bundle()
    gone = RouteTally(route("probe"), "bits", about.heads, about.allowed)
    gone.fail(RouteFailedError("probe", "unavailable", "no jar twinrank-probe-*-all.jar: run make jar", ""))
    return run(about, compared("jpype", about), gone)


def variant() -> ParityRun:
    """A difference that is no distance between two sides' answers: other bits in another slate, from 10 routes on."""
    about = bundle()
    tally = compared("probe", about)
    said = Difference("value", Case("fuzz", 10, b"{}"), "-0.5", "-0.25 (alone)", "click", 3, "bf000000", "be800000")
    tally.differ(said)
    tally.invariance = InvarianceTally(3, 50, 1, 2, "alone: fuzz 10, candidate 3, click bf000000 / be800000")
    told = ("other slates do not give the route's bits",)
    unknown = Cause("unknown", "none of the known causes gives the route's bits", False, told, "compare by hand")
    tally.finding = Finding("probe", (unknown,), notes=told)
    others = [compared(f"r{place}", about, requests=2) for place in range(9)]
    pairs = tuple(PairTally("probe", f"r{place}", 50, 1, 2, 3, 1) for place in range(9))
    return run(about, tally, *others, pairs=pairs)


def wide() -> ParityRun:
    """Ten routes and sixty heads."""
    about = bundle(60)
    names = [
        "jpype",
        "probe",
        "py4j",
        "http",
        "oip",
        "grpc",
        "python",
        "lightgbm",
        "xgboost",
        "a_route_with_a_very_long_name",
    ]
    tallies = [
        compared(name, about, off_by(1 << place, 5) if place in {3, 9} else None, requests=10)
        for place, name in enumerate(names)
    ]
    pairs = tuple(PairTally(one, other, 250, 0, 0, 13, 0) for at, one in enumerate(names) for other in names[at + 1 :])
    return run(about, *tallies, pairs=pairs)


def refusing_baseline() -> ParityRun:
    """The baseline's reader refuses a bundle whose manifest nobody could read, and another reader serves it."""
    about = BundleFacts(Path("build/models/shop/7"), "shop", "7", "", {SCORE: "float32"}, {SCORE: 0.0}, "")
    served = RouteTally(route("probe"), "bits", about.heads, about.allowed)
    served.facts = facts()
    served.fail(RouteFailedError("probe", "unavailable", "nothing to compare it with: the baseline ort refused"))
    nobody = Facts("nobody: the baseline did not open the bundle", "-")
    parted = Split(("probe",), {"ort": "invalid_manifest: manifest.json: line 1 is no JSON"})
    return run(about, served, split=parted, baseline=nobody, baseline_rows=0, baseline_seconds=0.0)


RUNS = {
    "refusing_baseline": refusing_baseline,
    "variant": variant,
    "equal": equal,
    "explained": explained,
    "split": split,
    "crashed": crashed,
    "wide": wide,
}


if __name__ == "__main__":
    from twinrank.bridge._writing import write

    for name, make in RUNS.items():
        for path in write(make(), Path(sys.argv[1]) / name):
            print(path)
