"""Run files are read strictly: every problem at once, each with its place and what to do."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from twinrank.training.config import ConfigError, read_config
from twinrank.training.recipe import train


def problems(settings: dict[str, Any]) -> set[str]:
    with pytest.raises(ConfigError) as caught:
        read_config(yaml.safe_dump(settings))
    return set(caught.value.problems)


def test_the_shipped_configuration_is_valid() -> None:
    root = Path(__file__).resolve().parents[2]
    config, _ = read_config((root / "training/configs/ml100k.yaml").read_text(encoding="utf-8"))
    assert config.data.set == "ml100k"


def test_unknown_keys_are_errors_that_suggest_the_nearest(settings: dict[str, Any]) -> None:
    settings["sed"] = 3
    settings["training"]["learning_rat"] = 0.1
    assert problems(settings) == {
        "run: unknown key 'sed'; did you mean 'seed'?",
        "run.training: unknown key 'learning_rat'; did you mean 'learning_rate'?",
    }


def test_all_problems_are_reported_at_once(settings: dict[str, Any]) -> None:
    del settings["name"], settings["split"]["test_at"]
    settings["threads"] = "many"
    settings["requests"]["snapshot_hours"] = 0
    assert problems(settings) == {
        "run.threads: must be of type int, not 'many'",
        "run.split: required key 'test_at' is absent",
        "run.requests: all must be >= 1",
        "run: required key 'name' is absent",
    }


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("seed", True, "run.seed: must be of type int, not True"),
        ("seed", 2**63, "seed must be 0 to 9223372036854775807"),
        ("threads", 1_000_000, "threads must be 1 to 1024"),
        ("name", "../elsewhere", "name must be letters, digits"),
        ("name", ".tmp-1", "name must be letters, digits"),
        ("name", "", "name must be letters, digits"),
        ("training.learning_rate", float("inf"), "run.training.learning_rate: must be a finite number, not inf"),
        ("training.weight_decay", 10**400, "run.training.weight_decay: must be a finite number, not inf"),
        ("training.weight_decay", float("nan"), "run.training.weight_decay: must be a finite number, not nan"),
        ("evaluation.baselines.ease_regularisation", [float("nan")], r"regularisation\[0\]: must be a finite number"),
        ("model.heads", [{"name": "score", "score_weight": 1}], "a head's name must be letters, digits"),
        ("model.heads", [{"name": "a b", "score_weight": 1}], "a head's name must be letters, digits"),
        (
            "model.heads",
            [{"name": "a", "score_weight": 1}, {"name": "a", "score_weight": 1, "rating_at_least": 4}],
            "two heads have one name",
        ),
        ("training.learning_rate", "1e-3", "must be of type float, not '1e-3'"),
        ("training.patience", 0, "counts must be >= 1"),
        ("model.hidden", [8], "hidden must be two widths"),
        ("model.hidden", [8, "x"], r"run.model.hidden\[1\]: must be of type int"),
        ("model.dropout", 1.0, "rates must be at least 0 and below 1"),
        ("model.heads", [{"name": "a", "score_weight": 1, "rating_at_least": 4}], "must begin with the one that ranks"),
        ("model.heads", [{"name": "a", "score_weight": 1}] * 2, "must begin with the one that ranks"),
        ("model.heads", [], "must begin with the one that ranks"),
        ("data.set", "ml100k", "give either `set` or `path`"),
        ("data.interactions.time_unit", "h", "time_unit must be 's' or 'ms'"),
        ("samples.smallest", 10, "sizes must satisfy"),
        ("vocabularies", [], "must be a mapping with string keys"),
        ("evaluation.baselines.recent_days", [], "recent_days must be days"),
        ("model.item", None, "run.model.item: must be of type str"),
    ],
)
def test_values_are_checked_where_they_stand(settings: dict[str, Any], path: str, value: object, problem: str) -> None:
    *parents, key = path.split(".")
    target = settings
    for parent in parents:
        target = target[parent]
    target[key] = value
    with pytest.raises(ConfigError, match=problem):
        read_config(yaml.safe_dump(settings))


def test_a_key_given_twice_is_an_error(run_file: str) -> None:
    with pytest.raises(ConfigError, match="the key 'seed' is given twice"):
        read_config(run_file + "\nseed: 4\n")


@pytest.mark.parametrize("text", ["- a\n- b\n", "", "a: [1", "just text"])
def test_what_is_no_mapping_is_an_error(text: str) -> None:
    with pytest.raises(ConfigError):
        read_config(text)


def test_integers_are_numbers_too(settings: dict[str, Any]) -> None:
    settings["training"]["learning_rate"] = 1
    config, _ = read_config(yaml.safe_dump(settings))
    assert isinstance(config.training.learning_rate, float)


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("features.0.source", {"kind": "usr"}, r"run.features\[0\].source: kind must be one of"),
        ("features.0.source", {"kid": "user"}, "did you mean 'kind'"),
        ("features.0", {"name": "user"}, r"run.features\[0\]: must be a mapping with a `source`"),
        ("features.0.dtype", "text", "run.features: .*text"),
        ("transforms.0.kind", "Embed", r"run.transforms\[0\]: must be a mapping whose kind is one of"),
        ("transforms.0.vocabulary", "people", "there is no vocabulary 'people'; there are"),
        ("transforms.1", {"kind": "Bucketize", "name": "a", "feature": "age"}, r"required keys \['boundaries'\]"),
        ("transforms.0.featur", "user", "unknown key 'featur'; did you mean 'feature'"),
        ("vocabularies.users.features", ["now"], "run.vocabularies.users: .*nothing can be fitted"),
        ("vocabularies.users.features", ["nobody"], "run.vocabularies.users: 'nobody'"),
        ("transforms.0.feature", "item", "read by no transform"),
        ("model.item", "film", r"run.model: no transform makes \['film'\]"),
    ],
)
def test_features_transforms_and_roles_are_checked_before_training(
    settings: dict[str, Any], listener: Any, tmp_path: Path, path: str, value: object, problem: str
) -> None:
    changed = deepcopy(settings)
    *parents, key = path.split(".")
    target: Any = changed
    for parent in parents:
        target = target[int(parent) if parent.isdigit() else parent]
    target[int(key) if key.isdigit() else key] = value
    with pytest.raises(ConfigError, match=problem):
        train(yaml.safe_dump(changed), tmp_path / "run", cache=tmp_path / "cache", listener=listener)
    assert listener.steps == 0
