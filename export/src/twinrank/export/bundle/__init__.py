"""Bundles: reading them in phases, scoring with them, writing them, and comparing bits, ULPs and order.

Imports no torch.

``open_bundle`` checks everything a bundle will use and replays its goldens before it returns. Nothing prints or logs.
"""

from twinrank.export.bundle._attest import AttestationError, attest_bundle, largest_differences
from twinrank.export.bundle._bits import (
    Difference,
    FloatArray,
    bits_from_hex,
    bits_to_hex,
    canonical_bits,
    compare_bits,
    order_of,
    ulp_distance,
)
from twinrank.export.bundle._bundle import Bundle, Require, Scores, open_bundle
from twinrank.export.bundle._describe import describe_bundle
from twinrank.export.bundle._diff import diff_bundles, kendall_tau
from twinrank.export.bundle._external import PAGE, Content, StreamedFile, Weights, is_stub, weight_stub
from twinrank.export.bundle._goldens import Expectation, Golden
from twinrank.export.bundle._graph import Operators, operators
from twinrank.export.bundle._histograms import (
    HISTOGRAMS,
    Bins,
    FeatureHistogram,
    HistogramBuilder,
    HistogramError,
    Histograms,
    Top,
    histograms_of,
    parse_histograms,
    read_histograms,
)
from twinrank.export.bundle._host import host_class, outputs_digest
from twinrank.export.bundle._installation import InstallationPolicy, InstallationState
from twinrank.export.bundle._json import dump_document
from twinrank.export.bundle._layout import read_manifest
from twinrank.export.bundle._lookups import GraphLookup, lookups_of
from twinrank.export.bundle._manifest import (
    MODEL_DATA,
    Allowed,
    FileEntry,
    Head,
    Manifest,
    ReferenceSource,
    SessionSettings,
    Tolerance,
    UnseenOutput,
    unseen_outputs,
)
from twinrank.export.bundle._problems import BUNDLE_CODES, BundleError, Problem
from twinrank.export.bundle._session import Runner, runtime_release, session_options
from twinrank.export.bundle._sign import SigningKeyError, load_private_key, sign_bundle
from twinrank.export.bundle._signature import SignatureMode, SignaturePolicy, SignatureState
from twinrank.export.bundle._tensors import Array, TensorFormatError, tensor_from_bytes, tensor_to_bytes
from twinrank.export.bundle._writer import (
    Draft,
    Evidence,
    bundle_files,
    sweep,
    temporary_sibling,
    versions_of,
    write_bundle,
)

__all__ = [
    "BUNDLE_CODES",
    "HISTOGRAMS",
    "MODEL_DATA",
    "PAGE",
    "Allowed",
    "Array",
    "AttestationError",
    "Bins",
    "Bundle",
    "BundleError",
    "Content",
    "Difference",
    "Draft",
    "Evidence",
    "Expectation",
    "FeatureHistogram",
    "FileEntry",
    "FloatArray",
    "Golden",
    "GraphLookup",
    "Head",
    "HistogramBuilder",
    "HistogramError",
    "Histograms",
    "InstallationPolicy",
    "InstallationState",
    "Manifest",
    "Operators",
    "Problem",
    "ReferenceSource",
    "Require",
    "Runner",
    "Scores",
    "SessionSettings",
    "SignatureMode",
    "SignaturePolicy",
    "SignatureState",
    "SigningKeyError",
    "StreamedFile",
    "TensorFormatError",
    "Tolerance",
    "Top",
    "UnseenOutput",
    "Weights",
    "attest_bundle",
    "bits_from_hex",
    "bits_to_hex",
    "bundle_files",
    "canonical_bits",
    "compare_bits",
    "describe_bundle",
    "diff_bundles",
    "dump_document",
    "histograms_of",
    "host_class",
    "is_stub",
    "kendall_tau",
    "largest_differences",
    "load_private_key",
    "lookups_of",
    "open_bundle",
    "operators",
    "order_of",
    "outputs_digest",
    "parse_histograms",
    "read_histograms",
    "read_manifest",
    "runtime_release",
    "session_options",
    "sign_bundle",
    "sweep",
    "temporary_sibling",
    "tensor_from_bytes",
    "tensor_to_bytes",
    "ulp_distance",
    "unseen_outputs",
    "versions_of",
    "weight_stub",
    "write_bundle",
]
