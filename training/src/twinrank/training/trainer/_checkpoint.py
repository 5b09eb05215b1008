"""Checkpoints: a directory an epoch, safetensors and JSON, complete or absent."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

_TENSORS, _STATE = "tensors.safetensors", "state.json"


class CheckpointError(Exception):
    """A checkpoint is damaged, or belongs to another run."""


class Checkpoints:
    """The checkpoints of one run; only the newest is kept.

    Args:
        path: their directory; made when the first one is written.
        fingerprint: identifies configuration and data; a checkpoint of another fingerprint is refused.
    """

    def __init__(self, path: Path, *, fingerprint: str) -> None:
        self._path = path
        self._fingerprint = fingerprint

    def save(self, epoch: int, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Writes the state after `epoch` epochs. The directory appears by a rename, after which older ones go.

        Args:
            epoch: epochs done.
            tensors: whatever is made of bits: weights, optimizer moments, generator states.
            state: the rest; JSON.
        """
        self._path.mkdir(parents=True, exist_ok=True)
        scratch = self._path / f".tmp-{epoch}"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        content = save({name: tensor.contiguous() for name, tensor in sorted(tensors.items())})
        (scratch / _TENSORS).write_bytes(content)
        document = {
            "fingerprint": self._fingerprint,
            "epoch": epoch,
            "tensors_sha256": hashlib.sha256(content).hexdigest(),
            "state": dict(state),
        }
        (scratch / _STATE).write_text(json.dumps(document), encoding="utf-8")
        target = self._path / f"epoch-{epoch:05d}"
        if target.exists():
            shutil.rmtree(target)
        scratch.rename(target)
        for other in self._path.iterdir():
            if other != target:
                shutil.rmtree(other)

    def newest(self) -> tuple[int, dict[str, Tensor], dict[str, Any]] | None:
        """Reads the newest checkpoint: epochs done, tensors, state; None where there is none.

        Raises:
            CheckpointError: if it is damaged or belongs to another configuration or other data.
        """
        found = sorted(self._path.glob("epoch-*")) if self._path.exists() else []
        if not found:
            return None
        folder = found[-1]
        try:
            document = json.loads((folder / _STATE).read_text(encoding="utf-8"))
            content = (folder / _TENSORS).read_bytes()
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{folder} is damaged: {error}; delete it, or train with --force.") from error
        if document.get("fingerprint") != self._fingerprint:
            raise CheckpointError(
                f"{folder} is of another configuration, other data or another version of this library; "
                "train with --force to begin anew, or into another directory."
            )
        if hashlib.sha256(content).hexdigest() != document["tensors_sha256"]:
            raise CheckpointError(f"{folder / _TENSORS} differs from its digest; delete {folder}, or use --force.")
        return int(document["epoch"]), load(content), document["state"]


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's moments and step counts as named tensors: `optimizer.<parameter>.<field>`."""
    return {
        f"optimizer.{parameter}.{name}": value
        for parameter, fields in optimizer.state_dict()["state"].items()
        for name, value in fields.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Puts back what `optimizer_tensors` gave; hyper-parameters stay as the caller built them."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        owner, _, rest = key.partition(".")
        if owner == "optimizer":
            parameter, _, name = rest.partition(".")
            state.setdefault(int(parameter), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
