"""ONNX's own backend tests, replayed: Java passes exactly what Python passes, with equal bits."""

import collections
import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from twinrank.bridge import _replay
from twinrank.bridge._java import find_jar, find_java
from twinrank.bridge._replay import PlainJava, Replayed
from twinrank.bridge.routes.probe import Pipe

EXCEPTIONS = Path(__file__).with_name("backend_exceptions.json")
SHIPPED = Path(onnx.__file__).parent / "backend" / "test" / "data"
"""The wheel's own folders; those of single nodes are made by backend_folders.py."""

SAMPLE = 8
"""The default tier replays every so many tests; the tier `ci` all."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    made = tmp_path_factory.mktemp("onnx") / "node"
    command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("backend_folders.py")), str(made)]
    subprocess.run(command, check=True, timeout=240)
    kinds = [made, *(SHIPPED / kind for kind in ("simple", "pytorch-converted", "pytorch-operator"))]
    found = [folder for kind in kinds for folder in sorted(kind.iterdir()) if (folder / "model.onnx").is_file()]
    assert len(found) > 1500, "the generator gave fewer tests than ONNX has"
    return found


def java() -> PlainJava:
    return PlainJava(Pipe(find_java().run_jar(find_jar("probe"))), 60.0)


def replayed(folders: list[Path]) -> list[Replayed]:
    with java() as side:
        return [found for folder in folders for found in _replay.replay(folder, side)]


def exceptions() -> dict[str, dict[str, str]]:
    return json.loads(EXCEPTIONS.read_text(encoding="utf-8"))


def check(found: list[Replayed], known: dict[str, dict[str, str]]) -> None:
    """Every outcome but equal bits, or refusal by both, is listed by name with its reason."""
    counts = _replay.summary(found)
    as_stored = collections.Counter(each.expected for each in found if each.outcome == "equal")
    print(f"\n{len(found)} data sets")
    for outcome, count in counts.items():
        print(f"{outcome:16}{count:6}")
    print(f"of the equal: {as_stored[True]} as stored, {as_stored[False]} other values than stored in both")
    seen = {each.model.name: each for each in found if each.outcome not in ("equal", "both_refuse", "in_neither")}
    unexpected = {
        name: f"{each.outcome}: {each.detail}"
        for name, each in seen.items()
        if known.get(name, {}).get("outcome") != each.outcome
    }
    assert not unexpected, json.dumps(unexpected, indent=1)
    names = {each.model.name for each in found}
    stale = sorted(name for name in known if name in names and name not in seen)
    assert not stale, f"these are equal now, take them out of {EXCEPTIONS.name}: {stale}"


def test_java_passes_a_sample_of_what_python_passes(folders: list[Path]) -> None:
    found = replayed(folders[::SAMPLE])
    check(found, exceptions())
    assert _replay.summary(found)["equal"] > 100


@pytest.mark.ci
def test_java_passes_exactly_what_python_passes(folders: list[Path]) -> None:
    found = replayed(folders)
    known = exceptions()
    check(found, known)
    names = {each.model.name for each in found}
    assert set(known) <= names, f"no such tests any more: {sorted(set(known) - names)}"
    assert _replay.summary(found)["equal"] > 1000


def test_a_flipped_input_bit_on_one_side_is_a_difference(folders: list[Path], tmp_path: Path) -> None:
    """The comparison can fail: Java reads another file than Python."""
    folder = next(folder for folder in folders if folder.name == "test_abs")
    with java() as side:
        assert [found.outcome for found in _replay.replay(folder, side)] == ["equal"]
        copy = tmp_path / "test_data_set_0"
        copy.mkdir()
        data = bytearray((folder / "test_data_set_0" / "input_0.pb").read_bytes())
        data[-4] ^= 1  # the lowest bit of the last float: raw_data ends the message
        (copy / "input_0.pb").write_bytes(data)
        side.open(folder / "model.onnx")
        theirs = side.replay(copy)["y"]
        ours = side.replay(folder / "test_data_set_0")["y"]
    assert _replay.difference(ours, theirs).startswith("1 of 60 values, first at 59")
