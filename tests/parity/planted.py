"""Differences planted between a baseline and a route, and the table that says how each was found, located and named.

`python tests/parity/planted.py` runs all plants and prints the table; `--quick` leaves out what needs a JVM or another
environment. Exit status 0 if every difference was found and named as its plant says.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import planted_bundles as made
from planted_bundles import NET_REQUESTS, net, other_graph
from planted_routes import (
    Faulty,
    HiddenLowering,
    Lowering,
    Noisy,
    OneByOne,
    OtherBuild,
    OtherHost,
    OtherRelease,
    Printing,
    Refusing,
    Straight,
    Threads,
    Ties,
    Unstable,
)

from twinrank.bridge import RouteError, RouteFailedError, RouteOptions, Scored, Scorer
from twinrank.bridge._cases import Case
from twinrank.bridge._environments import make_environment
from twinrank.bridge._findings import Finding
from twinrank.bridge._java import find_jar, find_java
from twinrank.bridge._scorer import packed_digest
from twinrank.bridge.explain import explain, explain_refusal, graph_testee
from twinrank.bridge.explain._explain import equal_answers
from twinrank.bridge.routes import route
from twinrank.bridge.routes.probe import Pipe, open_command
from twinrank.export.bundle import SessionSettings

OTHER_RELEASE = "1.23.2"
TREE_REQUESTS = [made.tree_request(n, seed) for n, seed in ((1, 3), (37, 1), (300, 2))]


# Just above the middle of two float32s: its nearest float64 is the middle, which goes to the even one below.
TIE = re.sub(rb'"tenure": [0-9.]+', b'"tenure": 1.000000059604644776', made.net_request(5, 1))


@dataclass(frozen=True)
class Plant:
    """One planted difference, and what an explanation must say about it.

    Attributes:
        name: what is planted.
        code: the cause that must come first; None where the routes are equal.
        words: parts that the first cause's sentence or evidence must hold.
        place: the node where it must begin; None where there is no node to find.
        open: yields (bundle, deployed, route name, scorer); None for what is refused before it is open.
        requests: what is asked.
        proven: whether the cause must be proven.
        tier: `default`, or `ci` where a JVM or another environment is needed.
    """

    name: str
    code: str | None
    words: tuple[str, ...]
    place: str | None
    open: Callable[[Path], contextlib.AbstractContextManager[tuple[Path, Path, str, Scorer]]] | None
    requests: Sequence[bytes]
    proven: bool = True
    tier: str = "default"


@dataclass(frozen=True)
class Result:
    """What became of a planted difference.

    Attributes:
        plant: what was planted.
        differed: whether the two sides differed at all.
        finding: what was said; None where nothing was to say.
        seconds: what the explanation took.
    """

    plant: Plant
    differed: bool
    finding: Finding | None
    seconds: float

    @property
    def problems(self) -> list[str]:
        """What is not as the plant demands; empty where all is."""
        plant, finding = self.plant, self.finding
        if plant.code is None:
            return ["equal routes got a finding"] if self.differed or finding is not None else []
        if not self.differed or finding is None:
            return ["not found"]
        cause = finding.causes[0]
        text = "\n".join((cause.said, *cause.evidence))
        problems = [] if cause.code == plant.code else [f"named {cause.code}, not {plant.code}"]
        problems += [f"does not say {word!r}" for word in plant.words if word not in text]
        problems += [] if cause.proven == plant.proven else [f"proven is {cause.proven}"]
        problems += [f"a step failed: {note}" for note in finding.notes if "failed with" in note]
        place = None if finding.place is None else finding.place.node
        problems += [] if place == plant.place else [f"located at {place}, not {plant.place}"]
        return problems


JAR = Plant(
    "a JVM with another runtime's jar",
    "other_release",
    ("runtime_mismatch", OTHER_RELEASE, "begins at normal"),
    "normal",
    None,
    (),
    tier="ci",
)


def orchard(folder: Path, model: Any = None, name: str = "orchard", settings: SessionSettings | None = None) -> Path:
    return made.make_bundle(folder, name, made.ORCHARD, model or made.tree_model(), TREE_REQUESTS, settings=settings)


def faulty(bundle: Callable[[Path], Path], kind: type[Faulty]) -> Callable[..., Any]:
    """One bundle behind both sides, the route with a fault."""

    @contextlib.contextmanager
    def opened(folder: Path) -> Iterator[tuple[Path, Path, str, Scorer]]:
        path = bundle(folder)
        with kind(path) as scorer:
            yield path, path, "faulty", scorer

    return opened


def deployed(
    bundle: Callable[[Path], Path],
    other: Callable[[Path], Path],
    name: str = "ort",
    options: RouteOptions | None = None,
) -> Callable[..., Any]:
    """Another bundle behind the route."""

    @contextlib.contextmanager
    def opened(folder: Path) -> Iterator[tuple[Path, Path, str, Scorer]]:
        path, theirs = bundle(folder / "exported"), other(folder / "deployed")
        with route(name).open(theirs, options or RouteOptions()) as scorer:
            yield path, theirs, name, scorer

    return opened


def flipped(folder: Path) -> Path:
    """The net with one bit of one weight the other way."""
    import onnx

    model = made.net_model()
    tensor = next(each for each in model.graph.initializer if each.name == "hidden.weight")
    values = np.array(onnx.numpy_helper.to_array(tensor))
    values.view(np.uint32)[17, 9] ^= 1 << 7
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    return net(folder, model)


def permuted(folder: Path) -> Path:
    """The net whose vocabulary of countries was sorted by somebody."""
    return net(folder, made.net_model(sorted(made.COUNTRIES)))


def rounded(folder: Path) -> Path:
    return orchard(folder, made.tree_model(thresholds32=True))


def single(folder: Path) -> Path:
    return orchard(folder, made.tree_model(short=True))


def threaded(folder: Path) -> Path:
    return orchard(folder, settings=SessionSettings(intra_op_num_threads=4))


@contextlib.contextmanager
def process(folder: Path) -> Iterator[tuple[Path, Path, str, Scorer]]:
    """A testee in a process of its own, whose reader lower-cases."""
    path = net(folder)
    command = [sys.executable, str(Path(__file__).parent / "faulty_testee.py")]
    with open_command(command, path, RouteOptions()) as scorer:
        yield path, path, "probe", scorer


@contextlib.contextmanager
def release(folder: Path) -> Iterator[tuple[Path, Path, str, Scorer]]:
    """Another release of the runtime, in a Python environment of its own."""
    path = net(folder)
    options = RouteOptions(python=make_environment(OTHER_RELEASE).python)
    with route("python").open(path, options) as scorer:
        yield path, path, "python", scorer


def other_jar(folder: Path) -> Path:
    """Another release's jar, from the registry that Maven is set up with."""
    local = Path.home() / ".m2" / "repository" / "com" / "microsoft" / "onnxruntime" / "onnxruntime" / OTHER_RELEASE
    name = f"onnxruntime-{OTHER_RELEASE}.jar"
    if (local / name).exists():
        return local / name
    artifact = f"com.microsoft.onnxruntime:onnxruntime:{OTHER_RELEASE}"
    command = ["mvn", "-q", "-B", f"-Dartifact={artifact}", f"-DoutputDirectory={folder}", "-Dtransitive=false"]
    subprocess.run([*command, "org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy"], check=True, timeout=300)
    return folder / name


def jar_before_ours(folder: Path) -> Result:
    """A JVM whose class path has another runtime's jar before ours: its reader must refuse the bundle."""
    path = net(folder)
    java = find_java()
    command = [str(java.command), *java.flags(), "-cp"]
    command += [os.pathsep.join((str(other_jar(folder)), str(find_jar("probe")))), "dev.twinrank.probe.ProbeMain"]
    options = RouteOptions()
    try:
        with open_command(command, path, options):
            return Result(JAR, False, None, 0.0)
    except RouteFailedError as failure:
        refused = failure
    case = Case("file", 1, NET_REQUESTS[-1])
    began = time.perf_counter()
    with route("ort").open(path, options) as baseline, graph_testee("probe", Pipe(command), options) as testee:
        finding = explain_refusal("probe", refused, bundle=path, case=case, baseline=baseline, testee=testee)
    return Result(JAR, True, finding, time.perf_counter() - began)


PLANTS: tuple[Plant, ...] = (
    Plant("nothing", None, (), None, faulty(net, Faulty), NET_REQUESTS),
    Plant(
        "one flipped weight bit",
        "other_weights",
        ("one bit of one element of hidden.weight", "hidden.weight[17, 9]", "with this change alone"),
        "hidden",
        deployed(net, flipped),
        NET_REQUESTS,
    ),
    Plant(
        "a reordered vocabulary",
        "reordered_vocabulary",
        ("country", "keys lead to other rows"),
        "country.lookup",
        deployed(net, permuted),
        NET_REQUESTS,
    ),
    Plant("another epsilon", "other_graph", ("normal", "epsilon"), "normal", deployed(net, other_graph), NET_REQUESTS),
    Plant(
        "thresholds rounded to float32",
        "rounded_thresholds",
        ("rounded to float32", "thresholds"),
        "trees",
        deployed(orchard, rounded),
        TREE_REQUESTS,
    ),
    Plant(
        "float32 trees behind a cast",
        "rounded_thresholds",
        ("rounded to float32",),
        "trees",
        deployed(orchard, single),
        TREE_REQUESTS,
        proven=False,
    ),
    Plant(
        "a bundle with 4 intra-op threads",
        "intra_op_threads",
        ("intra_op_num_threads", "baseline 1, ort 4"),
        "trees",
        deployed(orchard, threaded),
        TREE_REQUESTS,
    ),
    Plant(
        "4 intra-op threads in the live session",
        "intra_op_threads",
        ("120 trees",),
        "trees",
        faulty(orchard, Threads),
        TREE_REQUESTS,
    ),
    Plant(
        "lower-cased strings",
        "string_encoding",
        ("lower-cased", "the route's key 0x", "country"),
        None,
        faulty(net, Lowering),
        NET_REQUESTS,
    ),
    Plant(
        "lower-cased strings, nothing shown",
        "string_encoding",
        ("lower-cased", "country"),
        None,
        faulty(net, HiddenLowering),
        NET_REQUESTS,
    ),
    Plant(
        "decimals straight to float32",
        "packing",
        ("straight to float32", "tenure"),
        None,
        faulty(net, Straight),
        [TIE],
    ),
    Plant(
        "scores printed with 6 digits",
        "output_rounding",
        ("6 significant digits",),
        None,
        faulty(net, Printing),
        NET_REQUESTS,
    ),
    Plant("ties reversed", "other_order", ("ties by index descending",), None, faulty(net, Ties), NET_REQUESTS),
    Plant(
        "candidates one by one",
        "row_dependent_kernel",
        ("one candidate at a time",),
        "head.spend",
        faulty(net, OneByOne),
        NET_REQUESTS,
    ),
    Plant(
        "another decision", "other_decision", ("invalid_string", "country"), None, faulty(net, Refusing), NET_REQUESTS
    ),
    Plant("another answer each time", "unstable", ("asked again",), None, faulty(net, Unstable), NET_REQUESTS),
    Plant(
        "noise in one row",
        "unknown",
        ("none of the known causes",),
        None,
        faulty(net, Noisy),
        NET_REQUESTS,
        proven=False,
    ),
    *(
        Plant(name, code, (said, "begins at normal"), "normal", faulty(net, kind), NET_REQUESTS)
        for name, code, said, kind in (
            ("another build of the runtime", "other_runtime_library", "another build of onnxruntime", OtherBuild),
            ("a release that says so", "other_release", "onnxruntime 1.27.0", OtherRelease),
            ("another host class", "other_host_class", "host class 0000", OtherHost),
        )
    ),
    Plant(
        "a process that lower-cases strings",
        "string_encoding",
        ("lower-cased", "the route's key 0x", "country"),
        None,
        process,
        NET_REQUESTS,
    ),
    Plant(
        "one flipped weight bit, in the probe",
        "other_weights",
        ("one bit of one element of hidden.weight",),
        "hidden",
        deployed(net, flipped, "probe"),
        NET_REQUESTS,
        tier="ci",
    ),
    Plant(
        "one flipped weight bit, in a server",
        "other_weights",
        ("one bit of one element of hidden.weight",),
        "hidden",
        deployed(net, flipped, "http"),
        NET_REQUESTS,
        tier="ci",
    ),
    Plant(
        "another release of the runtime",
        "other_release",
        (f"onnxruntime {OTHER_RELEASE}", "begins at normal"),
        "normal",
        release,
        NET_REQUESTS,
        tier="ci",
    ),
    JAR,
)


def run(plant: Plant, folder: Path) -> Result:
    """Plant one difference and let it be explained."""
    if plant.open is None:
        return jar_before_ours(folder)
    with plant.open(folder) as (bundle, other, name, scorer), route("ort").open(bundle, RouteOptions()) as baseline:
        for line, raw in enumerate(plant.requests, start=1):
            expected, actual = (side.score_batch([raw])[0] for side in (baseline, scorer))
            expected = with_packing(baseline, raw, expected)
            if equal_answers(expected, actual):
                continue
            began = time.perf_counter()
            case = Case("file", line, raw)
            finding = explain(
                bundle, other, case, expected, actual, baseline, scorer, route=name, options=RouteOptions()
            )
            return Result(plant, True, finding, time.perf_counter() - began)
        case = Case("file", 1, plant.requests[0])
        expected = baseline.score_batch([case.raw])[0]
        nothing = explain(bundle, other, case, expected, expected, baseline, scorer, route=name)
        return Result(plant, False, nothing, 0.0)


def with_packing(baseline: Scorer, raw: bytes, scored: Scored) -> Scored:
    """The baseline's answer with its digest, whether its batches tell one or not."""
    blocks = baseline.pack(raw)
    if scored.packed is not None or blocks is None or isinstance(blocks, RouteError):
        return scored
    return Scored(scored.answer, packed_digest(blocks))


def table(results: Sequence[Result]) -> str:
    """The results as people read them."""
    rows = [("planted", "found", "located", "named", "seconds", "")]
    for each in results:
        finding = each.finding
        named = (
            "-" if finding is None else finding.causes[0].code + ("" if finding.causes[0].proven else " (not proven)")
        )
        place = "-" if finding is None or finding.place is None else f"{finding.place.node} ({finding.place.op})"
        found = "yes" if each.differed else "equal" if each.plant.code is None else "NO"
        rows.append((each.plant.name, found, place, named, f"{each.seconds:.1f}", "; ".join(each.problems)))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[5]]).rstrip()
        for row in rows
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    results = []
    verbose = "-v" in arguments
    for plant in PLANTS:
        if "--quick" in arguments and plant.tier != "default":
            continue
        with tempfile.TemporaryDirectory(prefix="twinrank-planted-") as folder:
            results.append(run(plant, Path(folder)))
        if verbose and results[-1].finding is not None:
            print(plant.name, json.dumps(told(results[-1].finding), indent=1, ensure_ascii=False, default=str))
    print(table(results))
    return 1 if any(each.problems for each in results) else 0


def told(finding: Finding) -> dict[str, Any]:
    place = None if finding.place is None else vars(finding.place)
    return {"causes": [vars(cause) for cause in finding.causes], "place": place, "notes": finding.notes}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
