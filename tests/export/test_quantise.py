"""int8 tables: rows and scales as defined, the evidence about what serves, and the cost stated apart."""

import dataclasses
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner

BENCH = Path(__file__).resolve().parents[2] / "export" / "bench"
sys.path.insert(0, str(BENCH))

from large import LargeRanker, large_run  # noqa: E402 - lies in the bench's folder

from twinrank.export.bundle import Bundle, open_bundle  # noqa: E402
from twinrank.export.cli import _quantise as option  # noqa: E402
from twinrank.export.graph import (  # noqa: E402
    MIN_ROWS,
    ExportError,
    ExportSource,
    export_source,
    quantise_tables,
    source_of_run,
)
from twinrank.export.graph._back import TorchBack  # noqa: E402
from twinrank.export.graph._quantise import QuantisedEmbedding  # noqa: E402

ROWS = 3000


@pytest.fixture(scope="module")
def source() -> ExportSource:
    return source_of_run(large_run(ROWS))


@pytest.fixture(scope="module")
def quantised(source: ExportSource) -> ExportSource:
    return quantise_tables(source)


@pytest.fixture(scope="module")
def bundles(
    source: ExportSource, quantised: ExportSource, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Bundle, Bundle]:
    """The float bundle and the quantised one."""
    models = tmp_path_factory.mktemp("models")
    return open_bundle(export_source(source, models)), open_bundle(export_source(quantised, models))


def module_of(source: ExportSource) -> Any:
    assert isinstance(source.back, TorchBack)
    return source.back.module


def test_rows_and_scales_are_those_of_the_definition() -> None:
    least = 1.401298464324817e-45  # the smallest float32 above zero
    table = torch.tensor(
        [
            [0.0, 0.0, 0.0, 0.0],
            [127.0, -127.0, 1.0, 0.4],
            [-254.0, 3.0, 1.0, -1.0],  # scale 2: 1.5 and 0.5 are rounded to the even neighbour
            [least, -least, 0.0, 0.0],  # the scale itself is below float32
            [190 * least, 0.0, 0.0, 0.0],  # the scale is rounded to the smallest float32, 190 steps of it do not fit
        ]
    )
    made = QuantisedEmbedding(table)
    assert made.rows.tolist() == [
        [0, 0, 0, 0],
        [127, -127, 1, 0],
        [-127, 2, 0, 0],
        [0, 0, 0, 0],
        [127, 0, 0, 0],
    ]
    assert made.scale.squeeze(-1).tolist() == [0.0, 1.0, 2.0, 0.0, least]
    assert (made.rows.dtype, made.scale.dtype) == (torch.int8, torch.float32)
    found = made(torch.tensor([[2, 1]]))
    assert found.tolist() == [[[-254.0, 4.0, 0.0, 0.0], [127.0, -127.0, 1.0, 0.0]]]
    assert not list(made.parameters())


def test_every_value_is_within_half_a_step_of_the_table(quantised: ExportSource, source: ExportSource) -> None:
    before, after = module_of(source).items.weight.detach().numpy(), module_of(quantised).items
    scale = after.scale.numpy().astype(np.float64)
    error = np.abs(after.rows.numpy() * scale - before)
    # Half a step, and what rounding in float32 adds to it.
    assert (error <= scale * 0.5001).all()
    assert (np.abs(after.rows.numpy()).max(axis=1) == 127).all()


def test_the_given_module_stays_as_it_is_and_other_weights_are_shared(
    quantised: ExportSource, source: ExportSource
) -> None:
    before, after = module_of(source), module_of(quantised)
    assert type(before.items) is torch.nn.Embedding
    assert type(after.items) is type(after.users) is QuantisedEmbedding
    assert after.hidden.weight.data_ptr() == before.hidden.weight.data_ptr()
    assert "quantisation" not in source.provenance
    assert not after.training


def test_smaller_and_narrow_tables_are_left_alone(source: ExportSource) -> None:
    module = module_of(quantise_tables(source, 1001))
    assert type(module.items) is QuantisedEmbedding
    assert type(module.users) is torch.nn.Embedding

    class Narrow(LargeRanker):
        def __init__(self, rows: int, users: int) -> None:
            super().__init__(rows, users)
            self.bias = torch.nn.Embedding(rows, 3)

    narrow = quantise_tables(source_of_run(dataclasses.replace(large_run(ROWS), module=Narrow(ROWS, 1000).eval())))
    assert type(module_of(narrow).bias) is torch.nn.Embedding


def test_the_graph_looks_up_before_it_multiplies(bundles: tuple[Bundle, Bundle]) -> None:
    graph = onnx.load(bundles[1].path / "model.onnx").graph
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    rows = [name for name, kind in kinds.items() if kind == onnx.TensorProto.INT8]
    assert len(rows) == 2
    for name in rows:
        (reader,) = (node for node in graph.node if name in node.input)
        assert reader.op_type == "Gather"
        (cast,) = (node for node in graph.node if reader.output[0] in node.input)
        assert cast.op_type == "Cast"
    assert "DequantizeLinear" not in {node.op_type for node in graph.node}


def test_the_bundle_serves_the_quantised_module_and_says_what_it_cost(
    bundles: tuple[Bundle, Bundle], source: ExportSource
) -> None:
    exact, rounded = bundles
    assert rounded.verification == "verified-bits"
    differences, kept, first = [], [], []
    for raw in source.requests:
        before, after = exact.score(raw), rounded.score(raw)
        differences += np.abs(before.score.astype(float) - after.score.astype(float)).tolist()
        kept.append(len(set(before.order[:10].tolist()) & set(after.order[:10].tolist())) / 10)
        first.append(before.order[0] == after.order[0])
    said = rounded.manifest.document["provenance"]["quantisation"]
    # Both bundles are within their tolerance of the modules that the provenance compares.
    slack = exact.manifest.tolerances["score"].a + rounded.manifest.tolerances["score"].a
    assert said["score_max_abs"] == pytest.approx(max(differences), abs=slack)
    assert said["score_mean_abs"] == pytest.approx(math.fsum(differences) / len(differences), abs=slack)
    assert said["top_10_kept"] == pytest.approx(np.mean(kept), abs=0.01)
    assert said["first_kept"] == pytest.approx(np.mean(first), abs=0.01)
    assert said["requests"] == len(source.requests)
    assert said["candidates"] == len(differences)
    # Far more than any tolerance: bits are proved for what serves, not for the float32 tables.
    assert max(differences) > 100 * slack
    assert said["tables"][0] == {
        "name": "items",
        "rows": ROWS,
        "width": 32,
        "bytes_before": ROWS * 128,
        "bytes_after": ROWS * 36,
    }


def replaced(source: ExportSource, change: Callable[[Any], None]) -> ExportSource:
    module = module_of(source_of_run(large_run(ROWS)))
    change(module)
    assert isinstance(source.back, TorchBack)
    return dataclasses.replace(source, back=source.back.with_module(module))


def poison(value: float) -> Callable[[Any], None]:
    def change(module: Any) -> None:
        module.items.weight.data[17, 3] = value

    return change


def renormalise(module: Any) -> None:
    module.items.max_norm = 1.0


def widen(module: Any) -> None:
    module.items = module.items.double()


class ReadsWeight(LargeRanker):
    def forward(self, user: torch.Tensor, item: torch.Tensor, price: torch.Tensor) -> dict[str, torch.Tensor]:
        del user, price
        score = self.items.weight[item].sum(-1)
        return {"watched": score, "liked": score, "score": score}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (poison(math.nan), "'items' holds a NaN or an infinity"),
        (poison(math.inf), "'items' holds a NaN or an infinity"),
        (poison(-math.inf), "'items' holds a NaN or an infinity"),
        (renormalise, "'items' renormalises"),
        (widen, r"'items' is torch\.float64"),
    ],
)
def test_tables_that_cannot_be_quantised_are_refused(
    source: ExportSource, change: Callable[[Any], None], said: str
) -> None:
    with pytest.raises(ExportError, match=said) as caught:
        quantise_tables(replaced(source, change))
    assert caught.value.reason == "not_quantisable"


def test_a_module_that_reads_the_table_itself_is_refused() -> None:
    run = dataclasses.replace(large_run(ROWS), module=ReadsWeight(ROWS, 1000).eval())
    with pytest.raises(ExportError, match="otherwise than by looking up rows"):
        quantise_tables(source_of_run(run))


def test_a_module_without_a_large_table_is_refused(source: ExportSource) -> None:
    with pytest.raises(ExportError, match="no Embedding of 3001 rows"):
        quantise_tables(source, 3001)


def test_a_source_that_is_no_module_is_refused(source: ExportSource) -> None:
    class Other:
        kind = "onnx"

    with pytest.raises(ExportError, match="an ONNX file"):
        quantise_tables(dataclasses.replace(source, back=Other()))  # type: ignore[arg-type]


def test_requests_that_the_schema_refuses_do_not_count(source: ExportSource, quantised: ExportSource) -> None:
    more = dataclasses.replace(source, requests=(b"{", b'{"context":{"user":1},"candidates":[]}', *source.requests))
    assert quantise_tables(more).provenance == quantised.provenance
    with pytest.raises(ExportError) as caught:
        quantise_tables(dataclasses.replace(source, requests=(b"{",)))
    assert caught.value.reason == "no_request"


def test_the_option_takes_a_kind_and_a_number_of_rows() -> None:
    import click

    @click.command()
    @option.quantise_option
    def show(least_rows: int | None) -> None:
        click.echo(json.dumps(least_rows))

    def given(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(show, arguments)
        return done.exit_code, done.output.strip()

    assert given() == (0, "null")
    assert given("--quantise-tables", "int8") == (0, str(MIN_ROWS))
    assert given("--quantise-tables", "int8:50000") == (0, "50000")
    for wrong in ("int4", "int8:", "int8:0", "int8:-1", "int8:x", "INT8", ""):
        code, out = given("--quantise-tables", wrong)
        assert code == 2
        assert "neither int8 nor int8:<least rows>" in out


def test_the_summary_says_what_was_quantised_and_what_it_cost(quantised: ExportSource) -> None:
    rows = dict(option.quantisation_rows(quantised.provenance))
    assert rows["int8 tables"] == "0.51 MB became 0.14 MB: items 3000 x 32, users 1000 x 32"
    assert "in 40 requests of 4000 candidates" in rows["int8 against float32"]
    assert option.quantisation_rows({}) == []
    assert option.quantisation_rows({"quantisation": "a person's own note"}) == []
    assert option.quantisation_rows({"quantisation": {"kind": "int8", "tables": [3]}}) == []
    assert option.quantisation_rows({"quantisation": {"kind": "int8", "tables": []}}) == []
