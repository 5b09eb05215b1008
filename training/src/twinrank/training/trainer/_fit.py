"""The training loop."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from twinrank.training.losses import binary_cross_entropy, sampled_softmax
from twinrank.training.models import SlateRanker
from twinrank.training.trainer._batches import Batch, TrainingSet
from twinrank.training.trainer._checkpoint import Checkpoints, optimizer_tensors, restore_optimizer

_RANDOM_STATE = "random.torch"


@dataclass(frozen=True)
class EpochReport:
    """One epoch: its number from 1, mean training loss, and the validation measure (higher is better)."""

    epoch: int
    loss: float
    validation: float


@dataclass(frozen=True)
class FitResult:
    """What training came to. The module holds the weights of `best_epoch`."""

    best_epoch: int
    epochs: tuple[EpochReport, ...]


@dataclass(frozen=True)
class RatedHead:
    """A head that predicts whether a rating is at least `lowest`, and its weight in the loss."""

    name: str
    lowest: float
    weight: float


def ranking_loss(outputs: Mapping[str, Tensor], batch: Batch, *, watched: str, rated: Sequence[RatedHead]) -> Tensor:
    """Sampled softmax on the head that ranks, plus weighted cross-entropy on those that predict a rating.

    Args:
        outputs: of `SlateRanker.forward_batch`.
        batch: the batch they are of.
        watched: the head that tells watched from not watched.
        rated: the others; ratings are known of positives only, and not always of them.
    """
    p = batch.positives
    logits = outputs[watched]
    ones = torch.ones_like(batch.rating)
    loss = sampled_softmax(logits[:, :p], logits[:, p:], batch.log_expected, batch.excluded, ones)
    known = torch.isfinite(batch.rating).float()
    for head in rated:
        target = (batch.rating >= head.lowest).float()
        loss = loss + head.weight * binary_cross_entropy(outputs[head.name][:, :p], target, known)
    return loss


def fit(
    module: SlateRanker,
    training: TrainingSet,
    *,
    loss: Callable[[dict[str, Tensor], Batch], Tensor],
    validate: Callable[[], float],
    seed: int,
    epochs: int,
    patience: int,
    learning_rate: float,
    weight_decay: float,
    checkpoints: Checkpoints | None = None,
    resume: bool = False,
    progress: Callable[[int, int, int, float], None] | None = None,
    report: Callable[[EpochReport], None] | None = None,
) -> FitResult:
    """Trains in place with AdamW and a linearly falling learning rate; keeps the best epoch's weights.

    Run it inside `reproducible`: the same seed then gives the same weights, bit for bit, also when it is interrupted
    anywhere and resumed: a checkpoint after each epoch holds weights, moments and both generators' states.

    Args:
        module: the ranker.
        training: where batches come from.
        loss: from outputs and batch to a scalar.
        validate: the measure that early stopping looks at, higher is better.
        seed: of the order of requests and of sampling.
        epochs: at most so many.
        patience: stop after so many epochs without a better measure.
        learning_rate: at the start; it falls to 0 over `epochs`.
        weight_decay: decoupled, on matrices; biases and the items' bias table have none.
        checkpoints: where to save; None saves nothing.
        resume: go on from the newest checkpoint, if there is one.
        progress: told epoch and step, both from 1, steps an epoch, and the mean loss so far.
        report: told each epoch.

    Raises:
        CheckpointError: if a checkpoint cannot be resumed from.
        FloatingPointError: if the loss is not finite.
    """
    optimizer = torch.optim.AdamW(_parameter_groups(module, weight_decay), lr=learning_rate, fused=True)
    random = np.random.default_rng(seed)
    best = _copy(module)
    done: list[EpochReport] = []
    restored = checkpoints.newest() if checkpoints is not None and resume else None
    if restored is not None:
        _, tensors, state = restored
        module.load_state_dict(_taken(tensors, "module."))
        best = _taken(tensors, "best.")
        restore_optimizer(optimizer, tensors)
        torch.set_rng_state(tensors[_RANDOM_STATE])
        random.bit_generator.state = state["random"]
        done = [EpochReport(**each) for each in state["epochs"]]
    steps = epochs * training.batches
    while len(done) < epochs and len(done) - _best_epoch(done) < patience:
        module.train()
        total = 0.0
        for step, batch in enumerate(training.epoch(random)):
            at = len(done) * training.batches + step
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * (1 - at / steps)
            value = loss(module.forward_batch(**batch.encoded), batch)
            if not torch.isfinite(value):
                raise FloatingPointError(f"the loss is {value.item()} in epoch {len(done) + 1}, step {step + 1}.")
            optimizer.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += value.item()
            if progress is not None:
                progress(len(done) + 1, step + 1, training.batches, total / (step + 1))
        done.append(EpochReport(len(done) + 1, total / training.batches, validate()))
        if _best_epoch(done) == len(done):
            best = _copy(module)
        if checkpoints is not None:
            tensors = dict(_named(module, best, optimizer))
            checkpoints.save(
                len(done), tensors, {"random": random.bit_generator.state, "epochs": [vars(e) for e in done]}
            )
        if report is not None:
            report(done[-1])
    module.load_state_dict(best)
    module.eval()
    return FitResult(_best_epoch(done), tuple(done))


def _best_epoch(done: list[EpochReport]) -> int:
    return max(done, key=lambda each: (each.validation, -each.epoch)).epoch if done else 0


def _parameter_groups(module: SlateRanker, weight_decay: float) -> list[dict[str, Any]]:
    bias = id(module.bias.weight)
    decayed = [p for p in module.parameters() if p.ndim > 1 and id(p) != bias]
    free = [p for p in module.parameters() if p.ndim <= 1 or id(p) == bias]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]


def _copy(module: SlateRanker) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def _named(
    module: SlateRanker, best: dict[str, Tensor], optimizer: torch.optim.Optimizer
) -> Iterator[tuple[str, Tensor]]:
    yield from ((f"module.{name}", value) for name, value in module.state_dict().items())
    yield from ((f"best.{name}", value) for name, value in best.items())
    yield from optimizer_tensors(optimizer).items()
    yield _RANDOM_STATE, torch.get_rng_state()


def _taken(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
