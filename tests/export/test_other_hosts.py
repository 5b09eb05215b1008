"""A real bundle on other processors, by qemu's models of them: other host classes, attested there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from twinrank.export.bundle import host_class, open_bundle

pytestmark = pytest.mark.ci

# AVX2 with fused multiply-add, and AVX without: both run other kernels than a processor with AVX-512.
PROCESSORS = ("Haswell", "SandyBridge")
LOOK = """
import json, sys
from twinrank.export.bundle import BundleError, host_class, open_bundle
told = {"class": host_class()}
for require in ("bits", "reference"):
    try:
        bundle = open_bundle(sys.argv[1], require=require)
        told[require] = [bundle.verification, bundle.attested]
    except BundleError as e:
        told[require] = e.code
print(json.dumps(told))
"""


def under(processor: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    emulator = shutil.which("qemu-x86_64")
    assert emulator is not None, "the CI tier installs qemu-user"
    command = [emulator, "-cpu", processor, os.path.realpath(sys.executable), *map(str, arguments)]
    # The interpreter itself is emulated, so it must find the environment's packages without the environment's launcher.
    env = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=env, check=False)


def look(processor: str, bundle: Path) -> dict[str, Any]:
    done = under(processor, "-c", LOOK, bundle)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def attest(processor: str, bundle: Path) -> subprocess.CompletedProcess[str]:
    return under(processor, "-c", "from twinrank.bridge.cli import main; main()", "attest", bundle)


@pytest.fixture(scope="module")
def bundle(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("elsewhere") / "small" / "1"
    shutil.copytree(exported, root)
    return root


def test_other_processors_prove_bits_once_they_are_attested(bundle: Path) -> None:
    seen: dict[str, dict[str, Any]] = {}
    for processor in PROCESSORS:
        before = look(processor, bundle)
        if before["class"] == host_class():
            # This machine's own kernels: nothing to attest, and nothing refused.
            assert (before["bits"], before["reference"]) == (["verified-bits", False],) * 2
            assert "nothing_to_attest" in attest(processor, bundle).stderr
            continue
        assert before["bits"] == "host_class_mismatch"
        assert before["reference"] == ["verified-reference", False]
        done = attest(processor, bundle)
        assert done.returncode == 0, done.stderr
        assert "verified-bits, attested" in done.stdout
        after = look(processor, bundle)
        assert after == {
            "class": before["class"],
            "bits": ["verified-bits", True],
            "reference": ["verified-bits", True],
        }
        seen[processor] = before
    assert seen, "at least one of two kinds of processor is not this one"
    classes = {told["class"] for told in seen.values()} | {host_class()}
    assert len(classes) == len(seen) + 1, "each processor has a class of its own"
    folder = bundle.parent / "1.attest"
    assert {path.stem for path in folder.iterdir()} == classes - {host_class()}
    here = open_bundle(bundle)
    assert (here.verification, here.attested) == ("verified-bits", False)
    # Without fused multiply-add the sums are rounded twice; a network's outputs must show it, or nothing was tested.
    texts = [json.loads(path.read_bytes())["goldens"] for path in sorted(folder.iterdir())]
    own = [
        json.loads(line)["score"]
        for line in (bundle / "goldens/rankings.jsonl").read_text().splitlines()
        if json.loads(line).get("n", 0) > 0
    ]
    scores = {json.dumps(own), *(json.dumps([golden["score"] for golden in text]) for text in texts)}
    assert len(scores) > 1


def test_an_attestation_of_one_processor_is_refused_on_another(bundle: Path, tmp_path: Path) -> None:
    root = tmp_path / "small" / "1"
    shutil.copytree(bundle, root)
    processor = PROCESSORS[-1]
    assert attest(processor, root).returncode == 0
    (written,) = (root.parent / "1.attest").iterdir()
    wrong = json.loads(written.read_bytes())
    own = {
        entry["golden"]: entry
        for entry in map(json.loads, (root / "goldens/rankings.jsonl").read_text().splitlines())
        if entry.get("n", 0) > 0
    }
    for entry in wrong["goldens"]:
        entry |= {name: own[entry["golden"]][name] for name in ("heads", "score", "order", "dropped")}
    written.write_text(json.dumps(wrong), encoding="utf-8")
    told = look(processor, root)
    assert (told["bits"], told["reference"]) == ("golden_mismatch", "golden_mismatch")
