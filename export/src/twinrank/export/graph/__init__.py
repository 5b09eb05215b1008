"""Making a bundle of a model: trace, compose, rewrite, measure, prove, write. The only importer of torch.onnx."""

from twinrank.export.graph._errors import ExportError, Finding
from twinrank.export.graph._export import Progress, build_files, build_graph, export_run, export_source
from twinrank.export.graph._invariance import first_variant_node
from twinrank.export.graph._lint import ALLOWABLE, read_allowances
from twinrank.export.graph._made import MAX_CANDIDATES, source_of_module, source_of_onnx
from twinrank.export.graph._made_trees import TreeLibrary, source_of_stack, source_of_trees, source_of_trees_run
from twinrank.export.graph._quantise import MIN_ROWS, QuantisedTable, quantise_module, quantise_tables
from twinrank.export.graph._reference import module_outputs
from twinrank.export.graph._source import ExportSource, source_of_run

__all__ = [
    "ALLOWABLE",
    "MAX_CANDIDATES",
    "MIN_ROWS",
    "ExportError",
    "ExportSource",
    "Finding",
    "Progress",
    "QuantisedTable",
    "TreeLibrary",
    "build_files",
    "build_graph",
    "export_run",
    "export_source",
    "first_variant_node",
    "module_outputs",
    "quantise_module",
    "quantise_tables",
    "read_allowances",
    "source_of_module",
    "source_of_onnx",
    "source_of_run",
    "source_of_stack",
    "source_of_trees",
    "source_of_trees_run",
]
