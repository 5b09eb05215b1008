"""The torch-free heart of twinrank: what a feature is, what a request is, and which tensors it becomes.

A `Schema` is the ordered list of `Feature`s; `Packing.of(schema)` lays them out in blocks; `read_request`,
`request_from_mapping` and `request_from_frame` check raw and typed requests; `pack` turns a `Request` into blocks, and
`pack_columns` does the same for many rows of columnar data. Needs numpy and xxhash only, and narwhals for frames. Every
function is pure and every object immutable, so all of it may be shared between threads. The rules are those of
tests/contract/README.md, sections 4 to 6.
"""

from twinrank.training.schema._columns import FeatureColumn, pack, pack_columns
from twinrank.training.schema._errors import SCORING_CODES, SchemaError, SchemaProblem, ScoringError
from twinrank.training.schema._features import DType, Feature, ListSpec, Placement, Policy, Schema, VectorSpec
from twinrank.training.schema._frame import request_from_frame
from twinrank.training.schema._keys import string_key, string_keys
from twinrank.training.schema._packing import Block, BlockDType, Column, Packing
from twinrank.training.schema._request import Request, candidate_rows, read_request, request_from_mapping

__all__ = [
    "SCORING_CODES",
    "Block",
    "BlockDType",
    "Column",
    "DType",
    "Feature",
    "FeatureColumn",
    "ListSpec",
    "Packing",
    "Placement",
    "Policy",
    "Request",
    "Schema",
    "SchemaError",
    "SchemaProblem",
    "ScoringError",
    "VectorSpec",
    "candidate_rows",
    "pack",
    "pack_columns",
    "read_request",
    "request_from_frame",
    "request_from_mapping",
    "string_key",
    "string_keys",
]
