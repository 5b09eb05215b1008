"""The commands of this room, one module each; torch is imported only by those that need it, when they run."""

from twinrank.export.cli._export import export

__all__ = ["export"]
