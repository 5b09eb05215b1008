"""Transforms and the front graph: how packed blocks become what a model reads, as ONNX, without torch.

A transform is a frozen dataclass that names its features and says which encoded tensor it makes; some are fitted to
data by their `fit`. `FrontGraph(schema, transforms)` turns them into one graph. Training data are encoded by running
that graph, and serving runs the same nodes, so the two cannot differ. Immutable and free to share between threads.
"""

from twinrank.training.transforms._calendar import CyclicTime, TimePart
from twinrank.training.transforms._categorical import Cross, HashBuckets, Lookup
from twinrank.training.transforms._errors import TransformError
from twinrank.training.transforms._front import FrontGraph
from twinrank.training.transforms._matrix import Matrix
from twinrank.training.transforms._numeric import Bucketize, Clip, Log1p, Standardise
from twinrank.training.transforms._observed import observed
from twinrank.training.transforms._plain import Number, Vector
from twinrank.training.transforms._scope import EncodedSpec, Transform
from twinrank.training.transforms._sequence import SequenceLength, SequenceMask, State
from twinrank.training.transforms._time import Elapsed
from twinrank.training.transforms._vocabulary import Vocabulary
from twinrank.training.transforms._yaml import read_front_yaml

__all__ = [
    "Bucketize",
    "Clip",
    "Cross",
    "CyclicTime",
    "Elapsed",
    "EncodedSpec",
    "FrontGraph",
    "HashBuckets",
    "Log1p",
    "Lookup",
    "Matrix",
    "Number",
    "SequenceLength",
    "SequenceMask",
    "Standardise",
    "State",
    "TimePart",
    "Transform",
    "TransformError",
    "Vector",
    "Vocabulary",
    "observed",
    "read_front_yaml",
]
