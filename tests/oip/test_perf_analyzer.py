"""Unmodified perf_analyzer against our server: it ends well, and both count the same requests."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from serving import Running

pytestmark = pytest.mark.ci

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tools" / "service" / "perf_analyzer.sh"
SECONDS = 300


@pytest.fixture(scope="module")
def requests(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The goldens that have all of the model's tensors that a request must have, as perf_analyzer reads them."""
    told: list[dict[str, Any]] = []
    for golden in server.goldens:
        if golden.encoded.n == 0:
            continue
        told.append(
            {
                each.name: {
                    "content": [
                        value.decode() if isinstance(value, bytes) else value for value in each.values.ravel().tolist()
                    ],
                    "shape": list(each.values.shape),
                }
                for each in golden.encoded.inputs
                if each.values.size
            }
        )
        # Goldens that this tool can read have no strings of their own.
        told[-1]["user"] = {"content": ["ann é漢"], "shape": [1]}
        told[-1]["item"] = {"content": ["apple"] * golden.encoded.n, "shape": [golden.encoded.n]}
    # Strings of no bytes and numbers that JSON lacks are not what this tool reads.
    plain = [each for each in told if "NaN" not in json.dumps(each) and "Infinity" not in json.dumps(each)]
    assert plain
    path = tmp_path_factory.mktemp("perf") / "requests.json"
    path.write_text(json.dumps({"data": plain[:1]}), encoding="utf-8")
    return path


def counted(server: Running) -> Mapping[str, int]:
    """Return what the server's own metrics say: requests by outcome."""
    text = httpx.get(f"{server.http}/metrics", trust_env=False).text
    found = re.findall(r'rec_requests_total\{[^}]*outcome="([^"]+)"[^}]*\} ([0-9.]+)', text)
    totals: dict[str, int] = {}
    for outcome, count in found:
        totals[outcome] = totals.get(outcome, 0) + int(float(count))
    return totals


def stated(server: Running) -> int:
    """Return how many inferences the protocol's own statistics count."""
    told = httpx.get(f"{server.http}/v2/models/tiny/stats", trust_env=False).json()
    return sum(int(each["inference_count"]) for each in told["model_stats"])


MODES = {
    "http-sync": ["-i", "http", "--concurrency-range", "2"],
    "http-async": ["-i", "http", "--async", "--concurrency-range", "2"],
    "http-rate": ["-i", "http", "--request-rate-range", "50"],
    "grpc-sync": ["-i", "grpc", "--concurrency-range", "2"],
    "grpc-async": ["-i", "grpc", "--async", "--concurrency-range", "2"],
    "grpc-rate": ["-i", "grpc", "--request-rate-range", "50"],
}


@pytest.mark.parametrize("mode", MODES)
def test_perf_analyzer_ends_well_and_counts_as_we_do(server: Running, requests: Path, mode: str) -> None:
    if os.environ.get("TWINRANK_TIER") != "ci" and (shutil.which("mmdebstrap") is None or os.geteuid() != 0):
        pytest.skip("needs root and mmdebstrap")
    before, stated_before = counted(server), stated(server)
    done = subprocess.run(
        [SCRIPT, requests, "-m", "tiny", "-u", server.grpc, *MODES[mode], "--request-count", "200", "-v"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    after, stated_after = counted(server), stated(server)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Server:" in done.stdout, done.stdout
    own = int(re.findall(r"Request count: (\d+)", done.stdout)[0])
    seen = int(re.findall(r"Inference count: (\d+)", done.stdout)[0])
    # It begins to send before it asks for the statistics that it counts from: on a busy machine it misses the first.
    assert own // 2 < seen <= own, done.stdout
    assert set(after) - {"ok"} == set(before) - {"ok"}, after
    # The warm-up, and what was under way when a window ended, are asked too, and nothing else is.
    asked = after["ok"] - before.get("ok", 0)
    assert asked >= own >= 200, (before, after, done.stdout)
    assert stated_after - stated_before == asked, (stated_before, stated_after, asked)
