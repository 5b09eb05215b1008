"""Gradient-boosted trees as bundles: model files read strictly, and scored with the native library's bits."""

from twinrank.export.trees._catboost import read_catboost
from twinrank.export.trees._check import MAX_SPLITS, categories_of, check_forest
from twinrank.export.trees._emit import ML_DOMAIN, ML_OPSET, ZERO_THRESHOLD, forest_model, forest_nodes
from twinrank.export.trees._errors import TreeModelError
from twinrank.export.trees._forest import Column, Forest, Link, Mode, Rule
from twinrank.export.trees._lightgbm import LightGbmFile, read_lightgbm, read_lightgbm_file
from twinrank.export.trees._native import Native, native_raw, open_native, version_of
from twinrank.export.trees._probe import probe_rows
from twinrank.export.trees._xgboost import XgboostModel, open_xgboost, read_xgboost

__all__ = [
    "MAX_SPLITS",
    "ML_DOMAIN",
    "ML_OPSET",
    "ZERO_THRESHOLD",
    "Column",
    "Forest",
    "LightGbmFile",
    "Link",
    "Mode",
    "Native",
    "Rule",
    "TreeModelError",
    "XgboostModel",
    "categories_of",
    "check_forest",
    "forest_model",
    "forest_nodes",
    "native_raw",
    "open_native",
    "open_xgboost",
    "probe_rows",
    "read_catboost",
    "read_lightgbm",
    "read_lightgbm_file",
    "read_xgboost",
    "version_of",
]
