"""Every route over the contract's bundle: the same bits, orders, tensors and refusals as Python's ONNX Runtime."""

import subprocess
import sys
from pathlib import Path

import pytest

from twinrank.export.bundle import host_class

pytestmark = pytest.mark.parity

JAVA_ROUTES = ("probe", "jpype", "py4j", "http")
OUTPUTS = ["watched", "risky", "margin", "score"]


@pytest.fixture(scope="module")
def done(tiny: Path, verify):  # type: ignore[no-untyped-def]
    """One run over all routes: their JVMs start once, and the one inside Python meets everything else there."""
    return verify(tiny)


def test_all_routes_are_equal_in_one_run(done) -> None:  # type: ignore[no-untyped-def]
    assert done.code == 0, done.out + done.err
    assert done.out.count("EQUAL  0 differing bits between ort and http, jpype, probe, py4j in 103 rows") == 1
    assert sorted(side["route"] for side in done.report["routes"]) == sorted(JAVA_ROUTES)
    tensors = {
        f"oip-{way}": f"the server of the route http once more: --route oip-{way} asks it by tensors"
        for way in ("grpc", "http")
    }
    trees = {
        library.lower(): f"this bundle's scores are not {library}'s" for library in ("CatBoost", "LightGBM", "XGBoost")
    }
    others = {"python": "needs --python COMMAND", "torch": "needs --run RUN"}
    assert done.report["left_out"] == tensors | trees | others


@pytest.mark.parametrize("name", JAVA_ROUTES)
def test_a_route_gives_the_same_bits(name: str, done) -> None:  # type: ignore[no-untyped-def]
    side = done.route(name)
    assert side["status"] == "equal"
    assert side["level"] == "bits"
    assert [head["name"] for head in side["heads"]] == OUTPUTS
    # One golden asks for its best candidates only, so a ranking service does not show the others.
    assert {head["rows"] for head in side["heads"]} == {25 if name == "http" else 26}
    assert {head["differing_bits"] for head in side["heads"]} == {0}
    assert side["order"] == {"compared": 8, "equal": 8, "tied": 0, "swaps": []}
    assert side["errors"] == {"compared": 17, "agreed": 17}
    assert side["packed"] == ({"compared": 0, "equal": 0} if name == "http" else {"compared": 8, "equal": 8})
    assert side["facts"]["host_class"] == host_class()
    assert side["facts"]["verification"] == "verified-bits"
    assert side["facts"]["bundle"] == done.report["bundle"]["digest"]
    assert side["facts"]["runtime"] == "onnxruntime 1.29.0"


TWO_RUNTIMES = """
import re, sys
from pathlib import Path
import numpy as np
from twinrank.bridge import RouteOptions, RouteScores
from twinrank.bridge.routes import route

bundle = Path(sys.argv[1])
requests = (bundle / "goldens" / "requests.jsonl").read_bytes().split(b"\\n")[:-1]
def bits(answer):
    if not isinstance(answer, RouteScores):
        return str(answer)
    return [values.tobytes() for values in answer.outputs.values()] + [answer.order]
with route("ort").open(bundle, RouteOptions()) as python:
    before = [bits(python.score(raw)) for raw in requests]
    with route("jpype").open(bundle, RouteOptions()) as java:
        for _ in range(20):
            for raw, expected in zip(requests, before, strict=True):
                assert bits(java.score(raw)) == expected
                assert bits(python.score(raw)) == expected
        with route("jpype").open(bundle, RouteOptions()) as second:
            assert bits(second.score(requests[0])) == before[0], "one JVM serves several scorers"
    after = [bits(python.score(raw)) for raw in requests]
assert before == after
maps = Path("/proc/self/maps")
if maps.exists():
    # Python links the runtime into its extension module; Java loads libonnxruntime.so, and deletes the file.
    lines = [line.removesuffix(" (deleted)") for line in maps.read_text().splitlines() if "onnxruntime" in line]
    found = {Path(line.split()[-1]).name for line in lines}
    assert any("pybind11_state" in name for name in found), found
    assert any(re.match(r"libonnxruntime\\.", name) for name in found), found
print("both")
"""


def test_python_and_java_runtimes_live_in_one_process(tiny: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TWO_RUNTIMES, str(tiny)], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "both\n"
