"""Making a bundle of a trained run: trace, compose, measure, prove, write. The only importer of torch.onnx."""

from twinrank.export.graph._errors import ExportError
from twinrank.export.graph._export import Progress, build_files, build_graph, export_run
from twinrank.export.graph._invariance import first_variant_node
from twinrank.export.graph._reference import module_outputs

__all__ = [
    "ExportError",
    "Progress",
    "build_files",
    "build_graph",
    "export_run",
    "first_variant_node",
    "module_outputs",
]
