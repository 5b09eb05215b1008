"""Where a bundle came from: which run may be its reference, and what the torch route does about quantised tables."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from twinrank.bridge import RouteOptions
from twinrank.bridge._cases import Case, listed
from twinrank.bridge._errors import UserError
from twinrank.bridge._lockstep import Plan, compare
from twinrank.bridge._origin import check_run, origin_of, read_origin, why_no_run
from twinrank.bridge._scorer import RouteFailedError
from twinrank.bridge._verify import ParityRun, Silent, bundle_facts, select
from twinrank.bridge.cli import main
from twinrank.bridge.routes import route
from twinrank.export.bundle import read_manifest

EXPORT_TESTS = Path(__file__).resolve().parents[1] / "export"
sys.path.insert(0, str(EXPORT_TESTS))

from small_run import SCHEMA, small_run  # noqa: E402 - lies in the export room's tests

ROWS = 20


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The small run as it is, and with int8 tables."""
    from twinrank.export.graph import export_source, quantise_tables, source_of_run

    models = tmp_path_factory.mktemp("models")
    source = source_of_run(small_run())
    return {"plain": export_source(source, models), "int8": export_source(quantise_tables(source, ROWS), models)}


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Path]:
    """Writes the small run's JSON files, with what a test changes in them."""

    def write(name: str = "small", schema: Any = None, **changed: Any) -> Path:
        run = tmp_path / "run"
        run.mkdir(exist_ok=True)
        facts = {"seed": 7, "data": {}, "versions": {}, "metrics": {}} | changed
        # What the small run calls its configuration is empty, and so holds no seed.
        settings = facts.get("config", {})
        files = {
            "run.json": {"name": name, "settings": settings, "versions": facts["versions"]},
            "schema.json": schema or SCHEMA.to_json(),
            "data.json": facts["data"],
            "metrics.json": facts["metrics"],
        }
        for file, document in files.items():
            (run / file).write_text(json.dumps(document), encoding="utf-8")
        return run

    return write


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="twinrank")


def compared(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> ParityRun:
    """The torch route over the run's requests, where the run is the small one."""
    monkeypatch.setattr("twinrank.training.run.load_run", lambda _: small_run())

    # Whose distances the evidence measured; goldens of extreme values are compared by the export in another way.
    cases = [Case("run", line, raw) for line, raw in enumerate(small_run().requests, start=1)]
    options = RouteOptions(run=Path("run"))
    return compare(Plan(bundle_facts(bundle), listed(cases), (route("torch"),), route("ort"), options), Silent())


@pytest.mark.parametrize(("name", "tables"), [("plain", "float32"), ("int8", "int8")])
def test_the_torch_route_has_the_tables_that_the_evidence_is_about(
    bundles: dict[str, Path], name: str, tables: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = compared(bundles[name], monkeypatch)
    assert done.verdict == "equal", done
    facts = done.routes[0].facts
    assert facts is not None
    assert facts.details["tables"] == tables


def test_float_tables_are_no_reference_of_a_bundle_with_int8_ones(
    bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the route would say without quantising; it shows that the test above can fail."""
    from twinrank.bridge.routes import torch

    monkeypatch.setattr(torch, "_quantised", lambda run, _: run)
    assert compared(bundles["int8"], monkeypatch).verdict == "differs"


@pytest.mark.parametrize(
    ("noted", "told"),
    [
        ({"kind": "int4", "min_rows": 20}, "the bundle's tables are int4, and this release knows int8 only"),
        ({"kind": "int8"}, "the bundle's tables are int8, and its provenance does not say from how many rows on"),
        ({"kind": "int8", "min_rows": 20, "tables": []}, "not those that the bundle's provenance lists"),
        ({"kind": "int8", "min_rows": 10**6}, "the run's tables are not the bundle's: not_quantisable"),
    ],
)
def test_what_cannot_be_done_to_the_run_is_no_verdict(noted: dict[str, Any], told: str) -> None:
    from twinrank.bridge.routes.torch import _quantised

    with pytest.raises(RouteFailedError, match=told) as caught:
        _quantised(small_run(), noted)
    assert caught.value.reason == "unavailable"


# ---- whose run it is


def test_the_run_that_it_was_made_from_is_taken(bundles: dict[str, Path], write_run: Callable[..., Path]) -> None:
    manifest = read_manifest(bundles["int8"])
    manifest.document["provenance"].pop("seed")
    check_run(write_run(), manifest)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"name": "other"}, "run is of other, the bundle is small"),
        ({"schema": {"features": SCHEMA.to_json()["features"][:-1]}}, "of another small: its schema is not"),
        ({"config": {"seed": 8}}, "is another training of small: not the bundle's config, seed 8 here, 7 there"),
        ({"config": {"seed": 7}, "metrics": {"mrr": 0.5}}, "not the bundle's config, metrics$"),
    ],
)
def test_another_run_is_told_before_anything_is_compared(
    bundles: dict[str, Path], write_run: Callable[..., Path], changed: dict[str, Any], told: str
) -> None:
    run = write_run(**changed)
    (run / "requests.jsonl").write_bytes(b"{}\n")
    with pytest.raises(UserError) as caught:
        check_run(run, read_manifest(bundles["plain"]))
    assert caught.value.problem.startswith(f"{run} is ")
    assert re.search(told, caught.value.problem), caught.value.problem
    result = call("verify", bundles["plain"], "--run", run, "--report", run / "report")
    assert result.exit_code == 2, "a difference between two models is no difference of the routes"
    assert result.stderr.startswith("error [run_of_another_model] ")
    assert not (run / "report").exists()


@pytest.mark.parametrize(("file", "content"), [("run.json", None), ("schema.json", "{"), ("data.json", "[]")])
def test_what_is_no_finished_run_is_told(
    bundles: dict[str, Path], write_run: Callable[..., Path], file: str, content: str | None
) -> None:
    run = write_run()
    (run / file).unlink()
    if content is not None:
        (run / file).write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=file) as caught:
        check_run(run, read_manifest(bundles["plain"]))
    assert (caught.value.code, caught.value.exit_code) == ("run_unreadable", 2)


# ---- bundles that have no run


@pytest.mark.parametrize(("kind", "what"), [("torch", "a module"), ("onnx", "an ONNX file")])
def test_a_bundle_that_was_made_from_no_run_asks_for_none(
    bundles: dict[str, Path], write_run: Callable[..., Path], kind: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = read_manifest(bundles["plain"])
    manifest.document["provenance"]["origin"] = {"kind": kind, "name": "shop.model:make"}
    told = f"this bundle was made from {what} (shop.model:make); its distance to its reference was measured at export"
    assert why_no_run(origin_of(manifest)) == told
    with pytest.raises(UserError, match="verify it without --run"):
        check_run(write_run(), manifest)
    monkeypatch.setattr("twinrank.bridge._origin.read_manifest", lambda _: manifest)
    assert select(bundles["plain"], (), RouteOptions())[1]["torch"] == told
    with pytest.raises(RouteFailedError, match="measured at export"):
        route("torch").open(bundles["plain"], RouteOptions())


@pytest.mark.parametrize("origin", [None, 3, {}, {"kind": "wish"}, {"kind": ["torch"]}])
def test_a_provenance_of_somebody_else_tells_nothing(bundles: dict[str, Path], origin: Any) -> None:
    manifest = read_manifest(bundles["plain"])
    manifest.document["provenance"] |= {"origin": origin, "quantisation": [1]}
    found = origin_of(manifest)
    assert (found.other, found.quantisation) == (None, None)
    assert read_origin(bundles["int8"]).quantisation is not None
