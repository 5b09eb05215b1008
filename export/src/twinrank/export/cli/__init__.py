"""The commands of this room, one module each; torch is imported only by those that need it, when they run."""

from twinrank.export.cli._attest import attest
from twinrank.export.cli._diff import diff
from twinrank.export.cli._export import export
from twinrank.export.cli._inspect import inspect
from twinrank.export.cli._sign import sign

__all__ = ["attest", "diff", "export", "inspect", "sign"]
