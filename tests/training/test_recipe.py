"""From a run file to a run directory: the same bits each time, resumable, reused, and never trained on tomorrow."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from twinrank.training.config import ConfigError
from twinrank.training.recipe import RecipeError, train
from twinrank.training.run import RunError, load_run
from twinrank.training.schema import pack, read_request
from twinrank.training.trainer import CheckpointError, Encoder
from twinrank.training.transforms import Lookup


class Killed(BaseException):
    """As abrupt as a signal: no handler of Exception sees it."""


def go(text: str, out: Path, listener: Any, **options: Any) -> Any:
    return train(text, out, cache=out.parent / "cache", listener=listener, **options)


def contents(path: Path) -> dict[str, str]:
    return {
        str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


def test_the_same_run_file_gives_the_same_bytes(run_file: str, listener: Any, tmp_path: Path) -> None:
    before = torch.get_rng_state()
    go(run_file, tmp_path / "a", listener)
    torch.rand(7)
    go(run_file, tmp_path / "b", listener)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert "weights.safetensors" in contents(tmp_path / "a")
    assert not (tmp_path / "a" / "checkpoint").exists()
    torch.set_rng_state(before)


def test_another_seed_gives_other_weights_and_says_so(run_file: str, listener: Any, tmp_path: Path) -> None:
    go(run_file, tmp_path / "a", listener)
    go(run_file, tmp_path / "b", listener, seed=4)
    assert contents(tmp_path / "a")["weights.safetensors"] != contents(tmp_path / "b")["weights.safetensors"]
    assert yaml.safe_load((tmp_path / "b" / "config.yaml").read_text(encoding="utf-8"))["seed"] == 4
    assert load_run(tmp_path / "b").provenance["seed"] == 4


@pytest.mark.parametrize("steps", [1, 9, 14])
def test_a_killed_run_resumes_to_the_same_bytes(run_file: str, listener: Any, tmp_path: Path, steps: int) -> None:
    go(run_file, tmp_path / "whole", listener)
    total = listener.steps

    def kill(_epoch: int, step: int, of: int, _loss: float) -> None:
        assert 1 <= step <= of
        listener.steps += 1
        if listener.steps == total + steps:
            raise Killed

    listener.step = kill
    with pytest.raises(Killed):
        go(run_file, tmp_path / "killed", listener)
    assert not (tmp_path / "killed" / "run.json").exists()
    with pytest.raises(RunError, match="holds no finished run"):
        load_run(tmp_path / "killed")
    if (tmp_path / "killed" / "checkpoint").exists():
        with pytest.raises(RecipeError, match="go on with --resume, or begin anew with --force"):
            go(run_file, tmp_path / "killed", listener)
    seen = len(listener.epochs)
    torch.rand(3)
    go(run_file, tmp_path / "killed", listener, resume=True)
    assert contents(tmp_path / "whole") == contents(tmp_path / "killed")
    resumed = [report.epoch for report in listener.epochs[seen:]]
    assert resumed == list(range(seen - 3 + 1, 4)), "finished epochs are not trained again"


def test_a_checkpoint_of_another_configuration_is_refused(
    run_file: str, settings: dict[str, Any], listener: Any, tmp_path: Path
) -> None:
    def kill(epoch: int, *_: Any) -> None:
        if epoch == 2:
            raise Killed

    listener.step = kill
    with pytest.raises(Killed):
        go(run_file, tmp_path / "run", listener)
    settings["training"]["learning_rate"] = 0.02
    with pytest.raises(CheckpointError, match="another configuration"):
        go(yaml.safe_dump(settings), tmp_path / "run", listener, resume=True)
    tensors = next((tmp_path / "run" / "checkpoint").glob("*/tensors.safetensors"))
    tensors.write_bytes(tensors.read_bytes()[:-1] + b"!")
    with pytest.raises(CheckpointError, match="differs from its digest"):
        go(run_file, tmp_path / "run", listener, resume=True)


def test_a_finished_run_is_reused_and_another_one_never_overwritten(
    run_file: str, settings: dict[str, Any], listener: Any, tmp_path: Path
) -> None:
    first = go(run_file, tmp_path / "run", listener)
    steps = listener.steps
    again = go(run_file, tmp_path / "run", listener)
    assert (first.reused, again.reused, listener.steps) == (False, True, steps)
    assert again.metrics == first.metrics
    settings["seed"] = 5
    with pytest.raises(RecipeError, match="holds a finished run of another configuration"):
        go(yaml.safe_dump(settings), tmp_path / "run", listener)
    assert not go(yaml.safe_dump(settings), tmp_path / "run", listener, force=True).reused


def test_changed_data_are_another_run(run_file: str, folder: Path, listener: Any, tmp_path: Path) -> None:
    go(run_file, tmp_path / "run", listener)
    events = folder / "events.tsv"
    events.write_text(events.read_text(encoding="utf-8").replace("\t5.0\t", "\t4.5\t", 1), encoding="utf-8")
    with pytest.raises(RecipeError, match="other data"):
        go(run_file, tmp_path / "run", listener)


def test_foreign_files_are_not_touched(run_file: str, listener: Any, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    for force in (False, True):
        with pytest.raises(RecipeError, match=r"files that are no run's \(.*thesis.txt\)"):
            go(run_file, tmp_path, listener, force=force)


@pytest.mark.parametrize("file", ["weights.safetensors", "front/front.json", "requests.jsonl"])
def test_a_damaged_run_is_refused_with_the_file(run_file: str, listener: Any, tmp_path: Path, file: str) -> None:
    go(run_file, tmp_path / "run", listener)
    damaged = tmp_path / "run" / file
    damaged.write_bytes(damaged.read_bytes() + b" ")
    with pytest.raises(RunError, match=f"{file} differs from the digest"):
        load_run(tmp_path / "run")
    damaged.unlink()
    with pytest.raises(RunError, match=f"{file} is missing"):
        load_run(tmp_path / "run")


def test_the_ranker_learns_the_two_tastes(settings: dict[str, Any], listener: Any, tmp_path: Path) -> None:
    settings["training"]["epochs"] = 12
    settings["training"]["patience"] = 12
    metrics = go(yaml.safe_dump(settings), tmp_path / "run", listener).metrics
    assert set(metrics["test"]) == {"ranker", "popularity", "recent popularity", "EASE"}
    assert metrics["test"]["ranker"]["ndcg@5"] > metrics["test"]["popularity"]["ndcg@5"] + 0.05
    assert metrics["best_epoch"] == max(metrics["epochs"], key=lambda each: each["validation"])["epoch"]


def test_the_loaded_module_is_in_eval_mode_and_scores_the_samples(run_file: str, listener: Any, tmp_path: Path) -> None:
    go(run_file, tmp_path / "run", listener)
    run = load_run(tmp_path / "run")
    assert not run.module.training
    assert (run.name, run.heads, run.max_candidates) == ("small", ("watched", "liked"), 100)
    sizes, lengths, states = set(), set(), set()
    for raw in run.requests:
        request = read_request(raw, run.schema, max_candidates=run.max_candidates)
        sizes.add(request.n)
        lengths.add(len(request.values("seen_item")[0]))
        states |= set(request.states("year"))
        if request.n:
            encoded = run.front.encode(pack(request, run.front.packing))
            with torch.no_grad():
                outputs = run.module(**{name: torch.from_numpy(value) for name, value in encoded.items()})
            assert list(outputs) == ["watched", "liked", "score"]
            assert all(value.shape == (request.n,) and torch.isfinite(value).all() for value in outputs.values())
    assert {0, 1, 30} <= sizes, "no, one and all candidates"
    assert {0, 6} <= lengths, "empty and cut histories"
    assert states == {0, 1}
    text = b"\n".join(run.requests).decode()
    assert "never seen" in text
    assert '"k":5' in text


def test_samples_say_what_was_watched_afterwards_and_titles_are_there(
    run_file: str, listener: Any, tmp_path: Path
) -> None:
    go(run_file, tmp_path / "run", listener)
    requests = [json.loads(line) for line in (tmp_path / "run" / "requests.jsonl").read_text("utf-8").splitlines()]
    after = [json.loads(line) for line in (tmp_path / "run" / "watched_after.jsonl").read_text("utf-8").splitlines()]
    titles = json.loads((tmp_path / "run" / "items.json").read_text("utf-8"))
    assert titles["i7"] == "Thing № 7"
    assert len(requests) == len(after) == 2 + 10 + 3 + 7
    for request, watched in zip(requests[:12], after[:12], strict=True):
        assert watched
        assert not set(watched) & set(request["context"]["seen_item"]), "every event is of a new item here"
        assert max(request["context"]["seen_time"], default=0) < request["context"]["now"]
        offered = {candidate["item"] for candidate in request["candidates"]}
        assert offered & set(watched), "each ordinary slate holds something that was watched"


def test_training_encodes_exactly_what_a_server_would(
    run_file: str, listener: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Any] = []
    original = Encoder.encode

    def spy(self: Encoder, requests: Any) -> Any:
        encoded = original(self, requests)
        kept.append((self._data, requests, encoded))
        return encoded

    monkeypatch.setattr(Encoder, "encode", spy)
    go(run_file, tmp_path / "run", listener)
    run = load_run(tmp_path / "run")
    data, requests, encoded = kept[-1]
    items = np.arange(30)
    for row in range(len(requests)):
        raw = data.raw_request(requests, row, items)
        served = run.front.encode(pack(read_request(raw, run.schema, max_candidates=100), run.front.packing))
        trained = encoded.batch(np.array([row]), items[None])
        for spec in run.front.outputs:
            expected = trained[spec.name] if spec.placement == "context" else trained[spec.name][0]
            assert served[spec.name].tobytes() == expected.numpy().tobytes(), (row, spec.name)


def test_a_run_file_says_unseen_policies_rows_vectors_and_cyclic_time(
    settings: dict[str, Any], folder: Path, listener: Any, tmp_path: Path
) -> None:
    rows = (folder / "items.tsv").read_text("utf-8").splitlines()
    looks = ["look", *("?" if place == 5 else f"{place / 8}|{-place}|0" for place in range(len(rows) - 1))]
    table = "\n".join(f"{row}\t{look}" for row, look in zip(rows, looks, strict=True))
    (folder / "items.tsv").write_text(table + "\n", "utf-8")
    look = {
        "name": "look",
        "placement": "candidate",
        "dtype": "float32",
        "vector": {"length": 3},
        "missing": {"policy": "default", "value": [0.5, 0, -1]},
        "source": {"kind": "items", "column": "look", "separator": "|", "absent": ["?"]},
    }
    settings["features"].append(look)
    by_name = {feature["name"]: feature for feature in settings["features"]}
    by_name["item"]["unseen"] = {"policy": "error"}
    by_name["tags"]["unseen"] = {"policy": "default", "value": "all"}
    settings["vocabularies"]["users"] |= {"oov_buckets": 3, "min_count": 1}
    settings["vocabularies"]["tags"] |= {"max_size": 2}
    settings["transforms"] += [
        {"kind": "Vector", "name": "look", "feature": "look"},
        {"kind": "CyclicTime", "name": "clock", "feature": "now", "part": "hour_of_day", "offset_minutes": 60},
        {"kind": "TimePart", "name": "weekday", "feature": "now", "part": "day_of_week"},
    ]
    go(yaml.safe_dump(settings), tmp_path / "run", listener)
    run = load_run(tmp_path / "run")
    assert run.front.unseen_outputs == ("unseen.candidate",)
    specs = {spec.name: spec for spec in run.front.outputs}
    assert (specs["user"].unseen_rows, specs["look"].shape, specs["clock"].is_vector) == (3, (-1, 3), True)
    [tags] = [transform for transform in run.front.transforms if transform.name == "tags"]
    assert isinstance(tags, Lookup)
    assert (len(tags.vocabulary.entries), tags.vocabulary.entries[0]) == (2, "all")
    for raw in run.requests:
        document = json.loads(raw)
        assert "never seen" not in json.dumps(document["candidates"])
        request = read_request(raw, run.schema, max_candidates=run.max_candidates)
        if request.n:
            encoded = run.front.encode(pack(request, run.front.packing))
            looks_of = {f"i{place}": [place / 8, -place, 0] for place in range(30)}
            for candidate, got in zip(document["candidates"], encoded["look"].tolist(), strict=True):
                known = candidate.get("look") is not None
                assert known or candidate["item"] == "i5" or "year" not in candidate or candidate["year"] is None
                assert got == (looks_of[candidate["item"]] if known else [0.5, 0, -1])
            with torch.no_grad():
                outputs = run.module(**{name: torch.from_numpy(value) for name, value in encoded.items()})
            assert torch.isfinite(outputs["score"]).all()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda s: s["vocabularies"]["users"].update(oov_buckets=0), "oov_buckets must be >= 1"),
        (lambda s: s["vocabularies"]["users"].update(max_size=0), "max_size must be >= 1"),
        (lambda s: s["features"][5].update(unseen={"policy": "maybe"}), r"features\[5\]\.unseen\.policy"),
        (lambda s: s["features"][7].update(unseen={"policy": "default", "value": "none"}), "does not hold"),
        (
            lambda s: s["transforms"].append(
                {"kind": "CyclicTime", "name": "clock", "feature": "now", "part": "hour_of_day", "zone": 1}
            ),
            "unknown key 'zone'",
        ),
    ],
)
def test_a_wrong_setting_is_refused(
    settings: dict[str, Any], listener: Any, tmp_path: Path, change: Any, problem: str
) -> None:
    change(settings)
    with pytest.raises(ConfigError, match=problem):
        go(yaml.safe_dump(settings), tmp_path / "run", listener)
