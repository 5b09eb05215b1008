"""The pieces of the loop: sampling, the loss over heads, reproducibility, early stopping, checkpoints."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from twinrank.training.data import Interactions, place_requests
from twinrank.training.models import SlateRanker
from twinrank.training.trainer import (
    Batch,
    Checkpoints,
    EncodedRequests,
    FitResult,
    RatedHead,
    TrainingSet,
    fit,
    ranking_loss,
    reproducible,
)
from twinrank.training.transforms import EncodedSpec

Make = Callable[..., Interactions]

INPUTS = (
    EncodedSpec("history", "context", "int64", (-1, 3), 12),
    EncodedSpec("history_mask", "context", "float32", (-1, 3), None),
    EncodedSpec("user", "context", "int64", (-1,), 5),
    EncodedSpec("item", "candidate", "int64", (-1,), 12),
)


def a_ranker() -> SlateRanker:
    return SlateRanker(
        inputs=INPUTS,
        heads=["watched"],
        score_weights=[1.0],
        item="item",
        history="history",
        history_mask="history_mask",
        history_extras=[],
        list_masks={},
        widths={},
        width=4,
        small_width=2,
        hidden=[4, 4],
        dropout=0.1,
        history_dropout=0.1,
        unseen_rates={"user": 0.2},
    )


@pytest.fixture
def training(interactions: Make) -> TrainingSet:
    """Four users who met items 0 to 8 of a catalogue of 11; items 9 and 10 nobody met."""
    names = tuple(f"i{n}" for n in range(11))
    events = interactions(
        *[(f"u{user}", f"i{(user + step) % 9}", 10 * step + user) for user in range(4) for step in range(6)],
        items=names,
    )
    requests = place_requests(events, start=0, end=100, per_user=5)
    rows, lengths = requests.history(3)
    context = {
        "history": torch.from_numpy(requests.events.item[rows] + 1),
        "history_mask": torch.from_numpy((np.arange(3) < lengths[:, None]).astype(np.float32)),
        "user": torch.from_numpy(requests.user),
    }
    encoded = EncodedRequests(context, {"item": torch.arange(1, 12)}, np.zeros(len(requests), dtype=np.int64), 11)
    return TrainingSet(requests, encoded, batch_size=8, positives=3, horizon=2, negatives=50, power=1.0)


def batches(training: TrainingSet, seed: int = 1) -> list[Batch]:
    return list(training.epoch(np.random.default_rng(seed)))


def test_an_epoch_holds_every_request_once(training: TrainingSet) -> None:
    found = batches(training)
    assert [len(batch.rating) for batch in found] == [8, 8, 4]
    assert training.batches == 3
    given = sorted(tuple(row) for row in training._encoded.context["history"].tolist())
    assert sorted(tuple(row) for batch in found for row in batch.encoded["history"].tolist()) == given
    orders = [batches(training, seed)[0].encoded["history"].tolist() for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_positives_are_among_the_next_events_and_never_in_the_history(training: TrainingSet) -> None:
    for batch in batches(training):
        items = batch.encoded["item"] - 1
        user = batch.encoded["user"]
        for row in range(len(items)):
            step = int(batch.encoded["history_mask"][row].sum())
            # A user's items follow one another; the history is full after three, so the step is known before that.
            if step < 3:
                near = {(int(user[row]) + step + ahead) % 9 for ahead in range(2)}
                assert set(items[row, :3].tolist()) <= near


def test_negatives_follow_q_and_those_the_user_met_are_excluded(training: TrainingSet) -> None:
    drawn = np.zeros(11)
    for seed in range(40):
        for batch in batches(training, seed):
            items = (batch.encoded["item"] - 1)[:, batch.positives :]
            drawn += np.bincount(items.reshape(-1).numpy(), minlength=11)
            met = torch.stack(
                [(items - user) % 9 < 6 for items, user in zip(items, batch.encoded["user"], strict=True)]
            )
            assert torch.equal(met, batch.excluded)
    counts = np.bincount([(user + step) % 9 for user in range(4) for step in range(6)], minlength=11)
    np.testing.assert_allclose(drawn / drawn.sum(), counts / counts.sum(), atol=5e-3)
    assert drawn[9:].sum() == 0, "items without a training event are never drawn"
    expected = torch.from_numpy(np.log(50 * counts[items.numpy()] / counts.sum()).astype(np.float32))
    torch.testing.assert_close(batch.log_expected, expected)


def test_ratings_are_nan_where_the_data_have_none_and_the_rated_heads_then_learn_nothing(training: TrainingSet) -> None:
    batch = batches(training)[0]
    assert torch.isnan(batch.rating).all()
    outputs = {name: torch.zeros(8, 53, requires_grad=True) for name in ("watched", "liked")}
    ranking_loss(outputs, batch, watched="watched", rated=[RatedHead("liked", 4.0, 1.0)]).backward()
    assert outputs["liked"].grad is not None
    assert not outputs["liked"].grad.any()
    assert outputs["watched"].grad is not None
    assert outputs["watched"].grad.any()


def test_a_rated_head_learns_from_positives_only_with_its_weight() -> None:
    batch = Batch({}, 2, torch.tensor([[5.0, 3.0]]), torch.zeros(1, 1), torch.zeros(1, 1, dtype=torch.bool))
    outputs = {name: torch.zeros(1, 3, requires_grad=True) for name in ("watched", "liked")}
    ranking_loss(outputs, batch, watched="watched", rated=[RatedHead("liked", 4.0, 0.3)]).backward()
    # By hand: 0.3 * (sigmoid(0) - target) / 2 known labels, and nothing for the negative.
    torch.testing.assert_close(outputs["liked"].grad, torch.tensor([[-0.075, 0.075, 0.0]]))


def trained(
    training: TrainingSet, measures: list[float], *, patience: int = 9, checkpoints: Checkpoints | None = None
) -> tuple[SlateRanker, FitResult]:
    remaining = iter(measures)
    with reproducible(seed=1, threads=1):
        module = a_ranker()
        result = fit(
            module,
            training,
            loss=lambda outputs, batch: ranking_loss(outputs, batch, watched="watched", rated=[]),
            validate=lambda: next(remaining),
            seed=2,
            epochs=len(measures),
            patience=patience,
            learning_rate=0.05,
            weight_decay=0.01,
            checkpoints=checkpoints,
        )
    return module, result


def bits(module: SlateRanker) -> Mapping[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in module.state_dict().items()}


def test_the_same_seed_gives_the_same_weights_and_the_caller_keeps_its_own_random_state(training: TrainingSet) -> None:
    torch.manual_seed(77)
    first, _ = trained(training, [0.1, 0.2])
    after = torch.rand(3)
    torch.manual_seed(77)
    assert torch.equal(torch.rand(3), after)
    threads = torch.get_num_threads()
    second, _ = trained(training, [0.1, 0.2])
    assert bits(first) == bits(second)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_training_stops_after_patience_and_returns_the_best_epochs_weights(training: TrainingSet) -> None:
    module, result = trained(training, [0.1, 0.3, 0.3, 0.2, 0.9], patience=2)
    assert [report.epoch for report in result.epochs] == [1, 2, 3, 4]
    assert result.best_epoch == 2, "an equal measure is no better one"
    assert not module.training
    # Five epochs were planned, so the learning rate falls alike; only the second epoch's weights were kept.
    best_only, _ = trained(training, [0.1, 0.3, 0.0, 0.0, 0.0], patience=1)
    assert bits(module) == bits(best_only)


def test_only_the_newest_checkpoint_is_kept_and_half_written_ones_are_no_checkpoints(
    training: TrainingSet, tmp_path: Path
) -> None:
    checkpoints = Checkpoints(tmp_path / "c", fingerprint="f")
    assert checkpoints.newest() is None
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / ".tmp-1").mkdir()
    (tmp_path / "c" / ".tmp-1" / "tensors.safetensors").write_bytes(b"half")
    assert checkpoints.newest() is None
    trained(training, [0.1, 0.2, 0.3], checkpoints=checkpoints)
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["epoch-00003"]
    found = checkpoints.newest()
    assert found is not None
    epoch, tensors, state = found
    assert epoch == 3
    assert {"module.bias.weight", "best.bias.weight", "random.torch"} <= set(tensors)
    assert any(name.startswith("optimizer.") and name.endswith(".exp_avg_sq") for name in tensors)
    assert [each["validation"] for each in state["epochs"]] == [0.1, 0.2, 0.3]
    assert state["random"]["bit_generator"] == "PCG64"


def test_a_loss_that_is_not_finite_stops_training(training: TrainingSet) -> None:
    with reproducible(seed=1, threads=1):
        module = a_ranker()
        with pytest.raises(FloatingPointError, match="the loss is nan in epoch 1, step 1"):
            fit(
                module,
                training,
                loss=lambda outputs, _: outputs["watched"].sum() * float("nan"),
                validate=lambda: 0.0,
                seed=2,
                epochs=1,
                patience=1,
                learning_rate=0.1,
                weight_decay=0.0,
            )
