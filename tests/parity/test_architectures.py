"""Layers that do not export by themselves, and an ONNX file: every route gives the same bits for their bundles."""

import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.parity

ROUTES = ("http", "jpype", "probe", "py4j")
TESTS = Path(__file__).resolve().parents[1] / "export"
SHOP = TESTS / "architectures"
HEADS = {"encoder": None, "attention": None, "bags": ["liked", "score"]}


@pytest.mark.parametrize("name", HEADS)
def test_a_published_layer_scores_alike_on_every_route(  # type: ignore[no-untyped-def]
    name: str, verify, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twinrank.export.graph import export_source, source_of_module

    monkeypatch.chdir(TESTS)
    monkeypatch.setattr(sys, "path", [*sys.path])
    source = source_of_module(
        f"architectures.{name}:make",
        SHOP / "schema.yaml",
        SHOP / "requests.jsonl",
        max_candidates=120,
        heads=HEADS[name],
    )
    bundle = export_source(source, tmp_path)
    done = verify(bundle, "--requests", SHOP / "requests.jsonl")
    assert done.code == 0, done.out + done.err
    assert sorted(side["route"] for side in done.report["routes"]) == sorted(ROUTES)
    for side in done.report["routes"]:
        assert (side["status"], side["level"]) == ("equal", "bits")
        assert {head["differing_bits"] for head in side["heads"]} == {0}
        # The sample requests alone hold 321 candidates.
        assert all(head["rows"] > 321 for head in side["heads"])
