"""`twinrank train` and `twinrank data` as a person uses them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from twinrank.training.cli import data, train

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TWINRANK_CACHE", str(tmp_path / "cache"))

    def call(settings: dict[str, Any], *arguments: str) -> Result:
        config = tmp_path / "run.yaml"
        config.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
        return CliRunner().invoke(train, [str(config), "--out", str(tmp_path / "run"), *arguments])

    return call


def test_training_prints_epochs_and_the_table_and_a_second_call_says_that_it_reuses(
    settings: dict[str, Any], invoke: Invoke
) -> None:
    first = invoke(settings)
    assert first.exit_code == 0, first.output
    assert "epoch 3: loss" in first.stderr
    for text in ("ranker", "popularity", "recent popularity", "EASE", "ndcg@5", "recall@5", "auc"):
        assert text in first.stdout
    second = invoke(settings)
    assert second.exit_code == 0
    assert "already trained: reused, nothing was computed" in second.stderr
    assert "epoch 1" not in second.stderr
    assert second.stdout == first.stdout


def test_wrong_configuration_is_exit_code_2_and_wrong_data_1(
    settings: dict[str, Any], invoke: Invoke, folder: Path
) -> None:
    settings["training"]["negativs"] = 4
    result = invoke(settings)
    assert (result.exit_code, "did you mean 'negatives'" in result.stderr) == (2, True)
    del settings["training"]["negativs"]
    (folder / "events.tsv").unlink()
    result = invoke(settings)
    assert (result.exit_code, "events.tsv cannot be read" in result.stderr) == (1, True)
    settings["data"] = {**settings["data"], "set": "ml1000k", "path": None}
    result = invoke(settings)
    assert (result.exit_code, "there is no packaged data set 'ml1000k'" in result.stderr) == (1, True)


def test_another_run_in_the_directory_needs_force(settings: dict[str, Any], invoke: Invoke) -> None:
    assert invoke(settings).exit_code == 0
    refused = invoke(settings, "--seed", "9")
    assert (refused.exit_code, "--force" in refused.stderr) == (1, True)
    assert invoke(settings, "--seed", "9", "--force").exit_code == 0
    assert invoke(settings, "--resume", "--force").exit_code == 2


def test_an_unknown_data_set_is_wrong_usage() -> None:
    result = CliRunner().invoke(data, ["fetch", "ml1000k"])
    assert result.exit_code == 2
    assert "there are ml100k" in result.stderr
