"""Large weights of one export: kept outside every protobuf, and in a file that the measuring sessions map."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from twinrank.export.bundle import MODEL_DATA, PAGE, Weights, is_stub, temporary_sibling, weight_stub

# A copy of anything smaller costs nothing; where it lies in the bundle the writer decides anew.
OUTSIDE_FROM = 2**20
_KINDS = "fiub"


class Tables:
    """The large weights of one export; a context manager.

    The values stay where they are, in the module's own memory. Sessions that measure the graph read a file instead:
    ONNX Runtime maps it, whereas it copies what it is given as values. The file is removed at the end. While nothing
    is kept, nothing is made on disk.

    Attributes:
        folder: where a session finds the weights; None while nothing is kept.

    Args:
        parent: where the temporary folder is made, on a disk with room for the weights: ``<models>/<name>``, whose
            next writer removes what a killed export left. None takes the system's folder for such.
    """

    def __init__(self, parent: Path | None = None) -> None:
        self._parent = parent or Path(tempfile.gettempdir())
        self._stack = contextlib.ExitStack()
        self.folder: Path | None = None
        self._kept: dict[int, NDArray[Any]] = {}
        self._end = 0

    def __enter__(self) -> Tables:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        self.folder = None

    @staticmethod
    def takes(dtype: np.dtype[Any], size: int) -> bool:
        """Whether an initialiser of ``size`` bytes is large enough, and of a type that numpy itself knows."""
        return size >= OUTSIDE_FROM and dtype.kind in _KINDS

    def keep(self, name: str, values: NDArray[Any]) -> onnx.TensorProto:
        """Keeps an initialiser outside and returns what the graph holds instead.

        Args:
            name: of the initialiser.
            values: referred to, and copied only if they are not contiguous.
        """
        if self.folder is None:
            self.folder = self._new_folder()
        values = np.ascontiguousarray(values)
        offset = self._end + -self._end % PAGE
        with open(self.folder / MODEL_DATA, "ab") as file:
            file.write(bytes(offset - self._end))
            file.write(values.reshape(-1).view(np.uint8).data)
        self._end = offset + values.nbytes
        self._kept[offset] = values
        return weight_stub(name, values, offset)

    def weights_of(self, model: onnx.ModelProto) -> Weights:
        """The values of the graph's stubs by the names they have there; found by offset, which no renaming changes."""
        found = {}
        for tensor in model.graph.initializer:
            if is_stub(tensor):
                entries = {entry.key: entry.value for entry in tensor.external_data}
                found[tensor.name] = self._kept[int(entries["offset"])]
        return found

    def _new_folder(self) -> Path:
        if not self._parent.exists():
            self._parent.mkdir(parents=True)
            # An export that fails leaves nothing; rmdir leaves a folder that a bundle was written to meanwhile.
            self._stack.callback(_remove_empty, self._parent)
        return self._stack.enter_context(temporary_sibling(self._parent, "weights"))


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
