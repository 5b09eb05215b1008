"""Any torch module as a source: made by a factory, called by keyword, its outputs named."""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from twinrank.export.graph._back import Part, TorchBack
from twinrank.export.graph._compose import SCORE
from twinrank.export.graph._errors import ExportError
from twinrank.export.graph._frames import theirs
from twinrank.export.graph._source import CODE
from twinrank.export.graph._trace import one_thread
from twinrank.training.transforms import EncodedSpec

Tensors = Mapping[str, NDArray[np.generic]]


class UserModule(nn.Module):
    """A module with the convention of an export: encoded tensors by keyword in, a dict of heads out, the score last.

    Args:
        module: takes the tensors named in ``inputs`` by keyword; returns a dict, a tensor or a tuple of them.
        inputs: the encoded tensors that it takes.
        outputs: the names of what it returns, the score last.
    """

    def __init__(self, module: nn.Module, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        super().__init__()
        self.module = module
        self._inputs = tuple(inputs)
        self._outputs = tuple(outputs)
        self.train(module.training)

    def forward(self, **encoded: torch.Tensor) -> dict[str, torch.Tensor]:
        """Float32 [n] by head; a trailing axis of one is dropped."""
        found = self.module(**{name: encoded[name] for name in self._inputs})
        named = _named(found, self._outputs)
        return {name: values.squeeze(-1) if values.dim() == 2 else values for name, values in named.items()}


def make_module(target: str) -> nn.Module:
    """Imports ``package.module:factory``, with the current folder importable, and calls the factory.

    Raises:
        ExportError: ``module_failed`` with the last line of the user's own code, if it is not there, raises, or returns
            no module.
    """
    where, _, name = target.partition(":")
    if not where or not name:
        raise ExportError("module_failed", f"{target!r} names no factory", "Write package.module:factory")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    with theirs(f"importing {where}"):
        try:
            found = importlib.import_module(where)
        except ModuleNotFoundError as e:
            if e.name is None or not f"{where}.".startswith(f"{e.name}."):
                raise
            raise ExportError("module_failed", *_no_module(e.name)) from e
    factory = getattr(found, name, None)
    if not callable(factory):
        known = sorted(key for key, value in vars(found).items() if callable(value) and not key.startswith("_"))
        raise ExportError(
            "module_failed", f"{where} has no factory {name!r}", f"It has {', '.join(known) or 'nothing to call'}"
        )
    with theirs(f"calling {target}()"):
        module = factory()
    if not isinstance(module, nn.Module):
        raise ExportError("module_failed", f"{target}() returned a {type(module).__name__}", "Return a torch.nn.Module")
    return module


def _no_module(name: str) -> tuple[str, str]:
    """What to say of a module that is not there, and what to do: the nearest name among its neighbours.

    Args:
        name: dotted; the packages above its last part are there.
    """
    parent, _, last = name.rpartition(".")
    if parent and not hasattr(sys.modules[parent], "__path__"):
        return f"{parent} is a module and no package, so there is no {name}", "Write package.module:factory"
    folders = list(sys.modules[parent].__path__) if parent else [str(Path.cwd())]
    known = sorted(entry.name for entry in pkgutil.iter_modules(folders))
    near = difflib.get_close_matches(last, known, n=1)
    remedy = "Write package.module:factory; the current folder is importable"
    if near:
        remedy = f"Did you mean {f'{parent}.' if parent else ''}{near[0]}?"
    return f"no module {name!r} in {folders[0]}" + ("" if parent else ", and none is installed"), remedy


def user_back(
    module: nn.Module,
    specs: Sequence[EncodedSpec],
    example: Tensors,
    heads: Sequence[str] | None = None,
    code_of: str | None = None,
) -> tuple[TorchBack, tuple[str, ...]]:
    """A user's module as a back half, and the names of its heads without the score.

    It is put into eval mode, called once, and what it takes and returns is looked at.

    Args:
        module: as its factory returned it.
        specs: the encoded tensors that there are.
        example: a real slate, encoded.
        heads: names for what it returns, the score last; needed for a tuple.
        code_of: the module that holds the factory, whose files are part of what an export is made from.

    Raises:
        ExportError: ``module_failed`` for errors of the user's code, ``input_unknown`` for arguments that no transform
            makes, ``outputs_differ_from_heads``.
    """
    notes = []
    if module.training:
        notes.append("the module was in training mode: eval() was called on the whole of it")
    with theirs("calling eval()"):
        module.eval()
    names = [spec.name for spec in specs]
    inputs = _inputs_of(module, names)
    left_out = [name for name in names if name not in inputs]
    if left_out:
        notes.append(f"forward() does not take {', '.join(left_out)}")
    tensors = {name: torch.from_numpy(np.ascontiguousarray(example[name])) for name in inputs}
    ranges = _ranges([spec for spec in specs if spec.name in inputs])
    with one_thread(), theirs("calling forward()", ranges):
        found = module(**tensors)
    outputs = _names_of(found, heads)
    n = next(len(example[spec.name]) for spec in specs if spec.placement == "candidate")
    for name, values in _named(found, outputs).items():
        if not isinstance(values, torch.Tensor) or values.dtype != torch.float32 or not _is_column(values, n):
            given = (
                f"{values.dtype} {list(values.shape)}" if isinstance(values, torch.Tensor) else type(values).__name__
            )
            raise ExportError(
                "outputs_differ_from_heads",
                f"output {name!r} is {given} for {n} candidates",
                "Return float32 of shape [n] or [n, 1], one value a candidate",
            )
        if values.dim() == 2:
            notes.append(f"output {name!r} has a trailing axis of one, which is dropped")
    back = TorchBack(
        UserModule(module, inputs, outputs), CODE, notes, tuple(_files(code_of)) if code_of else (), ranges
    )
    return back, outputs[:-1]


def _ranges(specs: Sequence[EncodedSpec]) -> str:
    """The rows that each id runs over, which an embedding must have at least."""
    ids = [(spec.name, spec.cardinality) for spec in specs if spec.cardinality is not None]
    return "; ".join(f"{name}: ids 0…{rows - 1}, {rows} rows" for name, rows in ids)


def _inputs_of(module: nn.Module, names: Sequence[str]) -> list[str]:
    """The encoded tensors that forward takes, in the schema's order."""
    parameters = inspect.signature(module.forward).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return list(names)
    keywords = {
        name: parameter
        for name, parameter in parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    unknown = [name for name, entry in keywords.items() if name not in names and entry.default is entry.empty]
    taken = [name for name in names if name in keywords]
    if unknown or not taken:
        raise ExportError(
            "input_unknown",
            f"forward() asks for {', '.join(unknown) or 'nothing that there is'}, which no transform makes",
            f"Name its arguments as the transforms of the schema: {', '.join(names)}; or take **encoded",
        )
    return taken


def _names_of(found: object, heads: Sequence[str] | None) -> tuple[str, ...]:
    if isinstance(found, dict):
        names = tuple(str(name) for name in found)
    elif isinstance(found, torch.Tensor):
        names = (SCORE,)
    elif isinstance(found, tuple | list):
        names = tuple(heads or ())
        if len(names) != len(found):
            raise ExportError(
                "outputs_differ_from_heads",
                f"forward() returns {len(found)} values, and "
                + (f"--heads names {len(names)}" if heads is not None else "no --heads was given"),
                "Name all of them, the score last: --heads clicked,liked,score",
            )
    else:
        raise ExportError(
            "outputs_differ_from_heads",
            f"forward() returns a {type(found).__name__}",
            "Return the score, a tuple of tensors, or a dict of them with the score last",
        )
    if not names or names[-1] != SCORE or len(set(names)) < len(names) or (heads and tuple(heads) != names):
        raise ExportError(
            "outputs_differ_from_heads",
            f"the outputs are {', '.join(names) or 'none'}" + (f", --heads says {', '.join(heads)}" if heads else ""),
            f"It has one output: --heads {SCORE}, or leave --heads out"
            if isinstance(found, torch.Tensor)
            else "The last one is 'score', which orders the slate; each name stands once",
        )
    return names


def _named(found: object, outputs: Sequence[str]) -> dict[str, torch.Tensor]:
    if isinstance(found, torch.Tensor):
        return {outputs[0]: found}
    if isinstance(found, dict):
        return {str(name): values for name, values in found.items()}
    if isinstance(found, tuple | list):
        return dict(zip(outputs, found, strict=True))
    raise TypeError(f"forward() returned a {type(found).__name__}")


def _is_column(values: torch.Tensor, n: int) -> bool:
    return tuple(values.shape) in ((n,), (n, 1))


def _files(name: str) -> Iterator[Part]:
    """The Python files of the factory's package, by relative path; of a module that is in none, its one file.

    They are read from disk: what else this process has imported must not show.
    """
    top = sys.modules[name.partition(".")[0]]
    folders = [Path(folder) for folder in getattr(top, "__path__", ())]
    for folder in folders:
        for file in sorted(folder.rglob("*.py")):
            yield f"file {file.relative_to(folder).as_posix()}", file.read_bytes()
    file_of_top = getattr(top, "__file__", None)
    if not folders and file_of_top is not None and Path(file_of_top).is_file():
        yield f"file {Path(file_of_top).name}", Path(file_of_top).read_bytes()
