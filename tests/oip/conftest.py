"""Options to run the conformance tests against any server, and the server that they run against by default."""

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from twinrank.export.bundle import host_class

# The suite is a program of its own, which `python -m conformance` starts from this folder.
sys.path.insert(0, str(Path(__file__).parent))

from serving import Running, running

TINY = Path(__file__).parents[1] / "contract" / "vectors" / "bundles" / "tiny" / "1"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tiny/1 with this host's class in its evidence: it computes the same bits on every host, so that is no lie."""
    bundle = tmp_path_factory.mktemp("models") / "tiny" / "1"
    shutil.copytree(TINY, bundle)
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    manifest["evidence"]["host_class"] = host_class()
    text = (json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    (bundle / "manifest.json").write_bytes(text)
    (bundle / "manifest.sha256").write_text(hashlib.sha256(text).hexdigest() + "\n", encoding="ascii")
    return bundle


@pytest.fixture(scope="session")
def server(tiny: Path) -> Iterator[Running]:
    """The server jar with tiny."""
    with running(tiny) as started:
        yield started
