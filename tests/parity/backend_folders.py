"""Writes ONNX's node tests, which its wheel holds as code, as folders: model.onnx and test_data_set_0 each.

Usage: backend_folders.py DIR
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases


def proto(value: Any, kind: Any) -> bytes:
    if isinstance(value, TensorProto):
        return value.SerializeToString()
    if kind.type.HasField("sequence_type"):
        return numpy_helper.from_list(value, kind.name).SerializeToString()
    if kind.type.HasField("optional_type"):
        return numpy_helper.from_optional(value, kind.name).SerializeToString()
    return numpy_helper.from_array(np.asarray(value), kind.name).SerializeToString()


def main(target: Path) -> None:
    np.random.seed(20261122)
    for case in collect_testcases(None):
        graph = case.model.graph
        for index, sides in enumerate(case.data_sets):
            folder = target / case.name / f"test_data_set_{index}"
            folder.mkdir(parents=True)
            for name, values, kinds in zip(("input", "output"), sides, (graph.input, graph.output), strict=True):
                for place, (value, kind) in enumerate(zip(values, kinds, strict=False)):
                    (folder / f"{name}_{place}.pb").write_bytes(proto(value, kind))
        (target / case.name / "model.onnx").write_bytes(case.model.SerializeToString())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
