"""Random corruptions: none that is not resealed reaches native code, and a resealed one is never more than refused."""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
from hostile_bundles import HOSTILE

sys.path.insert(0, str(HOSTILE))

from _corruptions import Corruption, Sandbox, corrupt

from twinrank.export.bundle import BUNDLE_CODES, BundleError, open_bundle

SEED = 1
UNRESEALED = 5_000
RESEALED = 1_000
BEFORE_SESSION = BUNDLE_CODES[: BUNDLE_CODES.index("runtime_mismatch")]
BEFORE_GRAPH = BUNDLE_CODES[: BUNDLE_CODES.index("graph_invalid")]
VERIFIED = "verified-reference"


class NativeCodeError(BaseException):
    """No ``except Exception`` may take it for a refusal."""


@pytest.fixture
def sandbox(tiny: Path, tmp_path: Path) -> Sandbox:
    """The committed bundle; opened at reference level, its bytes are the same on every host."""
    return Sandbox(tiny, tmp_path)


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many sessions ONNX Runtime was asked for: its one way to parse a model."""
    counted: Counter[str] = Counter()
    create: Callable[..., Any] = onnxruntime.InferenceSession

    def counting(*arguments: Any, **options: Any) -> Any:
        counted["made"] += 1
        if counted["forbidden"]:
            raise NativeCodeError
        return create(*arguments, **options)

    monkeypatch.setattr(onnxruntime, "InferenceSession", counting)
    return counted


def outcome(root: Path) -> str:
    """The primary code, or the state."""
    try:
        return open_bundle(root, require="reference").verification
    except BundleError as refusal:
        return refusal.code


def test_no_corruption_reaches_native_code(sandbox: Sandbox, sessions: Counter[str]) -> None:
    assert outcome(sandbox.root) == VERIFIED
    assert sessions["made"] >= 1
    sessions["forbidden"] = 1
    with pytest.raises(NativeCodeError):
        outcome(sandbox.root)
    codes: Counter[str] = Counter()
    changed: Counter[str] = Counter()
    for case in range(UNRESEALED):
        corruption = corrupt(sandbox.files, SEED, case, resealed=False)
        with sandbox.applied(corruption) as root:
            code = outcome(root)
        assert code in BEFORE_GRAPH, f"{case}: {corruption.what} gave {code}"
        codes[code] += 1
        changed.update(corruption.files.keys())
    assert codes.total() == UNRESEALED
    # The damage is spread over every file and every phase that can see it.
    assert set(changed) >= set(sandbox.files)
    assert set(codes) >= {"file_missing", "link_refused", "file_unexpected", "manifest_digest_mismatch"}
    assert set(codes) >= {"size_mismatch", "digest_mismatch", "not_a_regular_file"}
    assert outcome_of_sound(sandbox, sessions) == VERIFIED


def outcome_of_sound(sandbox: Sandbox, sessions: Counter[str]) -> str:
    sessions["forbidden"] = 0
    return outcome(sandbox.root)


def test_a_resealed_corruption_is_refused_by_a_code_or_proves_itself(sandbox: Sandbox, sessions: Counter[str]) -> None:
    codes: Counter[str] = Counter()
    for case in range(RESEALED):
        corruption = corrupt(sandbox.files, SEED, case, resealed=True)
        before = sessions["made"]
        with sandbox.applied(corruption) as root:
            code = outcome(root)
        assert code == VERIFIED or code in BUNDLE_CODES
        assert (code in BEFORE_SESSION) <= (sessions["made"] == before), f"{case}: {corruption.what} gave {code}"
        codes[code] += 1
    # Without these the suite would look at the front door only.
    for code in ("graph_invalid", "graph_forbidden", "manifest_invalid", "manifest_invalid_json", "session_failed"):
        assert codes[code] >= 5, codes
    for code in ("goldens_invalid", "golden_mismatch", VERIFIED):
        assert codes[code] >= 5, codes
    assert codes["graph_invalid"] >= RESEALED // 10, codes


def test_corruptions_are_reproducible_and_change_something(sandbox: Sandbox) -> None:
    for case in range(300):
        once, again = (corrupt(sandbox.files, SEED, case, resealed=False) for _ in range(2))
        assert once == again
        assert is_a_change(once, sandbox)
    assert len({corrupt(sandbox.files, SEED, case, resealed=False).digest() for case in range(300)}) > 250


def is_a_change(corruption: Corruption, sandbox: Sandbox) -> bool:
    differs = any(sandbox.files.get(path) != content for path, content in corruption.files.items())
    return differs or bool(corruption.folders or corruption.symlinks or corruption.hardlinks)
