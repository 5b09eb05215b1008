"""Events, the temporal split, ranking requests and their history, popularity snapshots, and the packaged data sets.

Nothing here knows a column name or a protocol: tables, fractions and placements come from the caller. Every object is
checked when it is
made: one that draws on the future raises `LeakageError`. Objects are immutable by convention; share them freely
between threads.
"""

from twinrank.training.data._errors import DataError, LeakageError
from twinrank.training.data._features import FeatureData, FeatureSource, SideTable
from twinrank.training.data._interactions import Interactions, interactions_from_table
from twinrank.training.data._ml100k import ML100K
from twinrank.training.data._packaged import PackagedSet, fetch, file_sha256, obtain
from twinrank.training.data._popularity import PopularityTable, count_popularity
from twinrank.training.data._requests import Ragged, Requests, place_requests
from twinrank.training.data._split import TemporalSplit, temporal_split
from twinrank.training.data._table import Table, read_table

PACKAGED_SETS = {source.name: source for source in (ML100K,)}
"""Every set that `twinrank data fetch` knows, by name."""

__all__ = [
    "ML100K",
    "PACKAGED_SETS",
    "DataError",
    "FeatureData",
    "FeatureSource",
    "Interactions",
    "LeakageError",
    "PackagedSet",
    "PopularityTable",
    "Ragged",
    "Requests",
    "SideTable",
    "Table",
    "TemporalSplit",
    "count_popularity",
    "fetch",
    "file_sha256",
    "interactions_from_table",
    "obtain",
    "place_requests",
    "read_table",
    "temporal_split",
]
