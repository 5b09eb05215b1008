"""Where a pytest run keeps the lines of its summary; loaded in every pytest run, so it imports only pytest."""

from __future__ import annotations

import pytest

LOG = pytest.StashKey[list[str]]()
"""One line for each bundle and route, in the order they were verified."""
