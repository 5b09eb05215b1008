"""Fixtures of the export room: the hand-made bundle on this host, and one export that many tests read."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from hostile_bundles import load_cases, make_bundle  # noqa: E402 - lies beside this file

CASE = {"ops": [], "reseal": ["manifest"], "rehost": True}


@pytest.fixture(scope="session")
def tiny() -> Path:
    """The committed bundle; its host class is nobody's."""
    return load_cases()[0]


@pytest.fixture
def own_tiny(tiny: Path, tmp_path: Path) -> Path:
    """A copy of it with this host's class."""
    return make_bundle(tiny, CASE, tmp_path)


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of the small run."""
    from small_run import small_run

    from twinrank.export.graph import export_run

    return export_run(small_run(), tmp_path_factory.mktemp("models"))
