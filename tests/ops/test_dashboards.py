"""What the dashboard and the alert rules ask for is what a server under mixed traffic publishes."""

import json
import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from twinrank.bridge._java import JavaMissingError, find_jar, find_java

ROOT = Path(__file__).resolve().parents[2]
DASHBOARDS = ROOT / "java-serving" / "server" / "dashboards"
MODELS = ROOT / "tests" / "contract" / "vectors" / "bundles"
METRIC = re.compile(r"\b(?:rec|jvm|process)_[a-z_]+")
START_SECONDS = 120


def _absent(reason: str) -> None:
    if os.environ.get("CI") == "true" or os.environ.get("TWINRANK_TIER") == "ci":
        pytest.fail(f"the tests of operations must run here, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of the fixture bundle, whose evidence names no real host class."""
    try:
        java, jar = find_java(), find_jar("server")
    except JavaMissingError as error:
        _absent(str(error))
    ports = tmp_path_factory.mktemp("service") / "port"
    options = ["--models", str(MODELS), "--port", "0", "--require", "reference", "--port-file", str(ports)]
    process = subprocess.Popen([str(java.command), "-jar", str(jar), *options])
    try:
        end = time.monotonic() + START_SECONDS
        while not ports.exists():
            assert process.poll() is None, "the server ended before it was ready; its log is above"
            assert time.monotonic() < end, "the server is not ready"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{ports.read_text(encoding='ascii').strip()}"
    finally:
        process.terminate()
        process.wait(60)


def _post(url: str, body: bytes) -> int:
    request = urllib.request.Request(url, body, {"content-type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  loopback
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def _named() -> set[str]:
    dashboard = json.loads((DASHBOARDS / "grafana.json").read_bytes())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [mark["expr"] for mark in dashboard["annotations"]["list"]]
    rules = (DASHBOARDS / "alerts.yml").read_text(encoding="utf-8")
    asked += re.findall(r"^\s*expr: (.*)$", rules, re.MULTILINE)
    return {name for each in asked for name in METRIC.findall(each)}


def test_every_metric_that_is_asked_for_is_published(service: str) -> None:
    lines = (MODELS / "tiny" / "1" / "goldens" / "requests.jsonl").read_bytes().splitlines()
    answers = [_post(f"{service}/v1/models/tiny:rank", line) for line in (*lines, b"{")]
    assert 200 in answers
    assert answers[-1] == 400
    with urllib.request.urlopen(f"{service}/metrics", timeout=30) as answer:  # noqa: S310  loopback
        text = answer.read().decode()
    published = set(re.findall(r"^([a-z_]+)[{ ]", text, re.MULTILINE))
    named = _named()
    assert {"rec_requests_total", "rec_shed_total"} <= named
    assert named - published == set()


@pytest.mark.ci
def test_the_rules_pass_their_unit_tests() -> None:
    if shutil.which("promtool") is None:
        _absent("there is no promtool: it is in Debian's package prometheus")
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"]):
        done = subprocess.run(["promtool", *command], cwd=DASHBOARDS, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
