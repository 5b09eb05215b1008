"""The hook by which a suite brings routes of its own; loaded in every pytest run, so it imports nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from twinrank.bridge import Route


def pytest_twinrank_routes(config: pytest.Config) -> Sequence[Route]:
    """Return routes that lead to this suite's own scorers; a conftest.py implements it.

    Args:
        config: pytest's configuration.

    Returns:
        Routes whose names are no built-in route's. They are verified beside the built-in ones, and chosen by
        `--twinrank-route` like them.
    """
    raise NotImplementedError
