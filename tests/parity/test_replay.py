"""`twinrank replay` on folders laid out by hand: what it says, and what it exits with."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from twinrank.bridge import _replay
from twinrank.bridge._command_replay import replay
from twinrank.bridge._errors import UserError

X = np.float32([1.5, -2.0, 0.25])


def folder(where: Path, *, output: np.ndarray | None = None) -> Path:
    """A model that negates three floats, with one data set."""
    graph = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])],
    )
    data = where / "test_data_set_0"
    data.mkdir(parents=True)
    onnx.save(
        helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)]), where / "model.onnx"
    )
    (data / "input_0.pb").write_bytes(numpy_helper.from_array(X, "x").SerializeToString())
    if output is not None:
        (data / "output_0.pb").write_bytes(numpy_helper.from_array(output, "y").SerializeToString())
    return where


def lines(output: str) -> list[str]:
    return [" ".join(line.split()) for line in output.splitlines()]


def test_each_folder_is_a_line_and_the_worst_decides(tmp_path: Path) -> None:
    stored = folder(tmp_path / "stored", output=-X)
    bare = folder(tmp_path / "bare")
    shutil.copytree(bare / "test_data_set_0", bare / "test_data_set_10")
    shutil.copytree(bare / "test_data_set_0", bare / "test_data_set_2")
    done = CliRunner().invoke(replay, [str(stored), str(bare)])
    assert lines(done.output) == [
        "equal as stored stored/test_data_set_0",
        "equal nothing stored to compare bare/test_data_set_0",
        "equal nothing stored to compare bare/test_data_set_2",
        "equal nothing stored to compare bare/test_data_set_10",
    ]
    assert done.exit_code == 0

    other = folder(tmp_path / "other", output=-X + np.float32(1))
    damaged = folder(tmp_path / "damaged", output=-X)
    (damaged / "test_data_set_0" / "output_0.pb").write_bytes(b"\xff")
    done = CliRunner().invoke(replay, [str(other), str(damaged), str(stored)])
    first, second, third = lines(done.output)
    assert first == "equal NOT as stored other/test_data_set_0"
    assert second.startswith("equal NOT as stored damaged/test_data_set_0: invalid_value: output_0.pb")
    assert third == "equal as stored stored/test_data_set_0"
    assert done.exit_code == 1


def test_what_neither_side_can_read_is_no_proof(tmp_path: Path) -> None:
    unreadable = folder(tmp_path / "unreadable")
    (unreadable / "test_data_set_0" / "input_0.pb").write_bytes(b"\xff")
    absent = folder(tmp_path / "absent")
    (absent / "test_data_set_0" / "input_0.pb").unlink()
    (absent / "test_data_set_0" / "input_0.pb").mkdir()
    broken = folder(tmp_path / "broken", output=-X)
    (broken / "model.onnx").write_bytes(b"hello")
    done = CliRunner().invoke(replay, [str(unreadable), str(absent), str(broken)])
    assert [line.split(": ")[:2] for line in lines(done.output)] == [
        ["both_refuse nothing stored to compare unreadable/test_data_set_0", "invalid_value"],
        ["both_refuse nothing stored to compare absent/test_data_set_0", "file_unreadable"],
        ["both_refuse nothing stored to compare broken/test_data_set_0", "graph_refused"],
    ]
    assert done.exit_code == 2


def test_a_folder_without_model_or_data_is_a_usage_error(tmp_path: Path) -> None:
    whole = folder(tmp_path / "whole")
    (whole / "model.onnx").unlink()
    empty = folder(tmp_path / "empty")
    shutil.rmtree(empty / "test_data_set_0")
    for wrong in (whole, empty):
        done = CliRunner().invoke(replay, [str(wrong)])
        assert isinstance(done.exception, UserError)
        assert (done.exception.code, done.exception.exit_code) == ("no_test_folder", 2)


def test_data_sets_go_by_number_and_none_is_left_out(tmp_path: Path) -> None:
    for name in ("10", "9", "x"):
        (tmp_path / f"test_data_set_{name}").mkdir()
    assert [path.name.removeprefix("test_data_set_") for path in _replay.data_sets(tmp_path)] == ["9", "x", "10"]


@pytest.mark.parametrize(("outcome", "expected", "status"), [("differs", True, 1), ("java_refuses", None, 1)])
def test_a_difference_is_no_success(
    outcome: _replay.Outcome, expected: bool | None, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = folder(tmp_path / "m", output=-X)
    found = _replay.Replayed(model, "test_data_set_0", outcome, "y: planted", expected)
    monkeypatch.setattr(_replay, "replay", lambda _model, _java: [found])
    done = CliRunner().invoke(replay, [str(model)])
    assert done.exit_code == status
    assert "planted" in done.output
