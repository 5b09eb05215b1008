"""Random corruptions on disk, opened by both readers: the same bytes give the same primary code, or the same state."""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from twinrank.bridge import _frames
from twinrank.bridge._java import find_jar, find_java
from twinrank.bridge.routes.probe import Pipe
from twinrank.export.bundle import BUNDLE_CODES, BundleError, open_bundle

HOSTILE = Path(__file__).resolve().parents[1] / "contract" / "hostile"
sys.path.insert(0, str(HOSTILE))

from _corruptions import Sandbox, corrupt  # noqa: E402 - lies beside the contract's hostile bundles

pytestmark = pytest.mark.parity

SEED = 2
# The unresealed ones end at the digests; most of what can differ lies behind.
UNRESEALED = int(os.environ.get("TWINRANK_CORRUPTIONS", "400"))
RESEALED = 2 * UNRESEALED
TINY = HOSTILE.parent / "vectors" / "bundles" / "tiny" / "1"
BUNDLE = Path(os.environ.get("TWINRANK_CORRUPTED_BUNDLE", TINY))
SECONDS = 120.0


@pytest.fixture(scope="module")
def probe() -> Iterator[Pipe]:
    pipe = Pipe(find_java().run_jar(find_jar("probe")))
    yield pipe
    pipe.close()


def by_java(probe: Pipe, bundle: Path) -> str:
    """The primary code, or the state."""
    header = {"op": "load", "bundle": str(bundle), "require": "reference"}
    answer, _ = probe.exchange(_frames.encode(header), SECONDS)
    if answer["ok"]:
        return str(answer["verification"])
    assert answer["family"] == "bundle", answer
    return str(answer["code"])


def by_python(bundle: Path) -> str:
    """The primary code, or the state."""
    try:
        return open_bundle(bundle, require="reference").verification
    except BundleError as refusal:
        return refusal.code


@pytest.mark.parametrize(("resealed", "cases"), [(False, UNRESEALED), (True, RESEALED)])
def test_both_readers_answer_a_corruption_alike(resealed: bool, cases: int, probe: Pipe, tmp_path: Path) -> None:
    sandbox = Sandbox(BUNDLE, tmp_path)
    assert by_java(probe, sandbox.root) == by_python(sandbox.root)
    assert by_python(sandbox.root).startswith("verified-")
    codes: Counter[str] = Counter()
    differing = []
    for case in range(cases):
        corruption = corrupt(sandbox.files, SEED, case, resealed=resealed)
        with sandbox.applied(corruption) as bundle:
            python, java = by_python(bundle), by_java(probe, bundle)
        codes[python] += 1
        if python != java:
            differing.append(f"{case} ({corruption.what}): Python {python}, Java {java}")
    assert not differing, f"{len(differing)} of {cases} differ: " + "; ".join(differing[:20])
    assert codes.total() == cases
    before_graph = BUNDLE_CODES[: BUNDLE_CODES.index("graph_invalid")]
    print(f"{cases} corruptions {'resealed' if resealed else 'not resealed'}: {dict(codes.most_common())}")
    if resealed:
        assert len(codes) >= 10
        assert set(codes) >= {"graph_invalid", "session_failed", "golden_mismatch", "goldens_invalid"}
    else:
        assert set(codes) <= set(before_graph)
