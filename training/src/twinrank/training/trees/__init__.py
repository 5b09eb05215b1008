"""Rankers of trees: columns out of a front graph, LightGBM and XGBoost behind one function, and plots.

The libraries are imported when a model is trained; neither is needed to import this package.
"""

from twinrank.training.trees._columns import Column, columns_of, native_matrix
from twinrank.training.trees._errors import TreesError
from twinrank.training.trees._fit import FittedTrees, Queries, fit_trees
from twinrank.training.trees._options import TreeOptions, import_library
from twinrank.training.trees._plots import plot
from twinrank.training.trees._svmlight import RankingFile, read_numbers, read_ranking_file

__all__ = [
    "Column",
    "FittedTrees",
    "Queries",
    "RankingFile",
    "TreeOptions",
    "TreesError",
    "columns_of",
    "fit_trees",
    "import_library",
    "native_matrix",
    "plot",
    "read_numbers",
    "read_ranking_file",
]
