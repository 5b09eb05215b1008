"""`twinrank train` and `twinrank data` as a person uses them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from twinrank.training.cli import data, schema, train

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


SCHEMA = """
features:
  - {name: user, placement: context, dtype: string, missing: {policy: own_row}}
  - {name: tags, placement: candidate, dtype: string, list: {max_length: 4, keep: first}, unseen: {policy: error}}
  - {name: price, placement: candidate, dtype: float32}
transforms:
  - {kind: lookup, name: user, feature: user, vocabulary: {entries: [u1, u2], oov_buckets: 8}}
  - {kind: lookup, name: tags, feature: tags, vocabulary: {entries: [red, blue]}}
  - {kind: bucketize, name: price, feature: price, boundaries: [5, 10]}
  - {kind: number, name: raw, feature: price, dtype: float32}
"""


def test_schema_shows_the_rows_of_every_encoded_tensor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows by hand: 8 unseen + missing + 2 entries; 1 unseen + 2 entries; 3 buckets."""
    monkeypatch.setenv("COLUMNS", "120")
    file = tmp_path / "schema.yaml"
    file.write_text(SCHEMA, encoding="utf-8")
    result = CliRunner().invoke(schema, [str(file), "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    found = [[item[key] for key in ("name", "placement", "dtype", "shape", "rows")] for item in document["encoded"]]
    assert found == [
        ["user", "context", "int64", [1], 11],
        ["tags", "candidate", "int64", ["n", 4], 3],
        ["price", "candidate", "int64", ["n"], 3],
        ["raw", "candidate", "float32", ["n"], None],
    ]
    assert [feature["name"] for feature in document["features"]] == ["user", "tags", "price"]
    assert document["counted"] == ["unseen.candidate"]
    page = CliRunner().invoke(schema, [str(file)]).stdout
    lines = {line.split("│")[1].strip(): line.split("│")[2:-1] for line in page.splitlines() if line.startswith("│")}
    assert [cell.strip() for cell in lines["tags"]] == ["Lookup of tags", "candidate", "int64", "[n, 4]", "3"]
    assert "string, list of 4, first kept" in page


def test_schema_lists_what_is_wrong_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "schema.yaml"
    wrong = SCHEMA.replace("[5, 10]", "[10, 5]").replace(
        "name: raw, feature: price, dtype: float32", "name: raw, feature: price, dtype: int64"
    )
    file.write_text(wrong, encoding="utf-8")
    result = CliRunner().invoke(schema, [str(file)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "transforms[2] (Bucketize 'price'): boundaries (10, 5) are not strictly increasing" in result.stderr
    assert "transforms[3] (Number 'raw')" in result.stderr
    file.write_text(SCHEMA.replace("boundaries: [5, 10]", "bounds: [5, 10]"), encoding="utf-8")
    result = CliRunner().invoke(schema, [str(file)])
    assert "transforms[2] ('price'): lacks the key 'boundaries'" in result.stderr
