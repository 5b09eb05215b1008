"""Phase 5 of reading: the runtime, under exactly the options that the manifest states."""

from pathlib import Path

import numpy as np
import onnxruntime as ort

from twinrank.export.bundle._manifest import SessionSettings
from twinrank.export.bundle._tensors import Array

_LEVELS = {
    "none": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
_MODES = {"sequential": ort.ExecutionMode.ORT_SEQUENTIAL, "parallel": ort.ExecutionMode.ORT_PARALLEL}
_FATAL_ONLY = 4


def runtime_release() -> str:
    """The release of ONNX Runtime that this process runs."""
    return str(ort.__version__)


def session_options(settings: SessionSettings) -> ort.SessionOptions:
    """ONNX Runtime's options for the manifest's settings."""
    options = ort.SessionOptions()
    options.graph_optimization_level = _LEVELS[settings.graph_optimization_level]
    options.execution_mode = _MODES[settings.execution_mode]
    options.intra_op_num_threads = settings.intra_op_num_threads
    options.inter_op_num_threads = settings.inter_op_num_threads
    options.enable_cpu_mem_arena = settings.cpu_mem_arena
    options.enable_mem_pattern = settings.mem_pattern
    options.add_session_config_entry("session.disable_prepacking", "0" if settings.prepacking else "1")
    # Idle threads that spin would take the cores of the callers' threads; bits do not depend on it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # Failures are raised as exceptions; the runtime's own log would print them a second time.
    options.log_severity_level = _FATAL_ONLY
    return options


class Runner:
    """A session on the CPU that maps named blocks to the outputs, in the graph's order. Thread-safe.

    Args:
        model: the exact bytes of the graph.
        settings: the session options.
        folder: where external weights lie, if the model has any.

    Raises:
        Exception: whatever the runtime raises when it refuses the graph.
    """

    def __init__(self, model: bytes, settings: SessionSettings, folder: Path | None = None) -> None:
        options = session_options(settings)
        if folder is not None:
            options.add_session_config_entry(
                "session.model_external_initializers_file_folder_path", str(folder.resolve())
            )
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.inputs = tuple(value.name for value in self._session.get_inputs())
        self.outputs = tuple(value.name for value in self._session.get_outputs())

    def run(self, blocks: dict[str, Array]) -> list[Array]:
        """The outputs in graph order."""
        return [np.asarray(value) for value in self._session.run(None, blocks)]
