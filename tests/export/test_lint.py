"""What is refused before anything is measured, with node, reason and remedy; and what a person may let pass."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from twinrank.export.graph import ALLOWABLE, ExportError, Finding, read_allowances
from twinrank.export.graph._lint import judge, lint

X = helper.make_tensor_value_info("candidate.f32", TensorProto.FLOAT, ["n", 4])
Y = helper.make_tensor_value_info("score", TensorProto.FLOAT, None)


def model(*nodes: onnx.NodeProto, **opsets: int) -> onnx.ModelProto:
    graph = helper.make_graph(list(nodes), "slate", [X], [Y])
    for index, node in enumerate(graph.node):
        node.name = f"back.{index}.{node.op_type}"
    imports = [
        helper.make_opsetid(domain.replace("_", "."), version) for domain, version in ({"": 20} | opsets).items()
    ]
    return helper.make_model(graph, opset_imports=imports)


def node(operator: str, domain: str = "", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, ["candidate.f32"], ["score"], domain=domain, **attributes)


# The deny list of the measured facts, each with a word of why and of what to do.
DENIED = [
    ("DynamicQuantizeLinear", "whole batch", "statically"),
    ("Scan", "depends on the data", "mask"),
    ("Loop", "depends on the data", "EmbeddingBag"),
    ("SequenceEmpty", "Java", "padded"),
    ("ConcatFromSequence", "Java", "padded"),
    ("OptionalGetElement", "Java", "tensor"),
    ("RandomNormalLike", "random", "sampling"),
    ("Multinomial", "random", "sampling"),
    ("Bernoulli", "random", "sampling"),
    ("Unique", "size depends on the values", "one by one"),
    ("StringNormalizer", "locale", "schema"),
    ("RegexFullMatch", "locale", "schema"),
    ("NonMaxSuppression", "not on the contract's list", "operators.json"),
]


@pytest.mark.parametrize(("operator", "why", "remedy"), DENIED)
def test_an_operator_that_no_bundle_may_hold_is_named_with_why_and_what_to_do(
    operator: str, why: str, remedy: str
) -> None:
    (found,) = lint(model(node(operator)))
    assert (found.name, found.node) == ("operator_forbidden", f"back.0.{operator}")
    assert f"ai.onnx:{operator} " in found.detail
    assert why in found.detail
    assert remedy in found.remedy


def test_an_operator_of_another_domain_is_forbidden() -> None:
    (found,) = lint(model(node("FusedMatMul", "com.microsoft"), com_microsoft=1))
    assert "'com.microsoft' is not ONNX's" in found.detail


def test_everything_forbidden_is_listed_once_an_operator_with_its_nodes() -> None:
    nodes = [node("Loop"), *[node("Unique") for _ in range(5)], node("Relu")]
    found = lint(model(*nodes))
    assert [finding.detail.split()[0] for finding in found] == ["ai.onnx:Loop", "ai.onnx:Unique"]
    assert found[1].node == "back.1.Unique, back.2.Unique, back.3.Unique and 2 more"


def test_an_operator_inside_a_branch_is_found() -> None:
    inner = helper.make_graph([node("Loop")], "then_branch", [], [Y])
    choice = helper.make_node("If", ["candidate.f32"], ["score"], then_branch=inner, else_branch=inner)
    assert [finding.name for finding in lint(model(choice))] == ["operator_forbidden"]


@pytest.mark.parametrize("operator", ["BatchNormalization", "Dropout"])
def test_a_node_that_still_trains_is_found(operator: str) -> None:
    (found,) = lint(model(node(operator, training_mode=1)))
    assert found.name == "training_mode"
    assert "eval()" in found.remedy
    assert lint(model(node("BatchNormalization"))) == []


def test_an_operator_that_is_younger_than_the_opset_is_forbidden() -> None:
    (found,) = lint(model(node("Attention")))
    assert "Attention" in found.detail
    attending = model(node("Attention"))
    attending.opset_import[0].version = 23
    assert lint(attending) == []


# ---- allowing

LOOSE = Finding("reference_loose", "output 'score'", "differs by 2e-4", "look")
BAKED = Finding("shape_baked_in", "", "fixed", "mend")


def test_what_is_allowed_is_stated_with_its_reason() -> None:
    (allowed,) = judge([LOOSE], {"reference_loose": "float64 upstream"}, print)
    assert allowed.to_json() == {
        "finding": "reference_loose",
        "detail": "output 'score': differs by 2e-4",
        "reason": "float64 upstream",
    }


def test_what_is_not_allowed_is_refused_all_of_it() -> None:
    with pytest.raises(ExportError) as caught:
        judge([LOOSE, BAKED], {}, print)
    assert caught.value.findings == (LOOSE, BAKED)
    with pytest.raises(ExportError) as caught:
        judge([LOOSE, BAKED], {"reference_loose": "known"}, print)
    assert caught.value.findings == (BAKED,)
    with pytest.raises(ExportError):
        judge([BAKED], {"shape_baked_in": "whoever calls this without reading the texts"}, print)


@pytest.mark.parametrize("text", ["shape_baked_in=I like it", "operator_forbidden=x", "nonsense=x", "=x"])
def test_what_must_be_mended_cannot_be_allowed(text: str) -> None:
    with pytest.raises(ExportError, match="cannot be allowed") as caught:
        read_allowances([text])
    assert all(name in caught.value.remedy for name in ALLOWABLE)


@pytest.mark.parametrize(
    "text", ["batch_variant", "batch_variant=", "batch_variant= \t", "batch_variant=" + "x" * 5000]
)
def test_an_allowance_needs_a_reason(text: str) -> None:
    with pytest.raises(ExportError, match="reason"):
        read_allowances([text])


@pytest.mark.parametrize("reason", ["red\x1b[31m", "a\x00b", "two\nlines", "\ud800", "\u202eevil", "a\u2028b"])
def test_a_reason_is_one_line_of_plain_text(reason: str) -> None:
    with pytest.raises(ExportError, match="not printable") as caught:
        read_allowances([f"batch_variant={reason}"])
    assert caught.value.detail.isprintable()


def test_a_name_is_allowed_once() -> None:
    with pytest.raises(ExportError, match="batch_variant is allowed twice"):
        read_allowances(["batch_variant=a", "batch_variant=b"])


def test_a_reason_may_hold_an_equals_sign() -> None:
    assert read_allowances(["batch_variant=a = b"]) == {"batch_variant": "a = b"}


def test_an_allowance_that_finds_nothing_is_said() -> None:
    told: list[str] = []
    assert judge([], {"batch_variant": "just in case"}, told.append) == ()
    assert told == ["nothing was found that --allow batch_variant would let pass"]


def test_a_long_detail_is_cut_to_what_the_contract_takes() -> None:
    (allowed,) = judge([Finding("batch_variant", "n" * 50, "d" * 10_000, "")], {"batch_variant": "r"}, print)
    assert len(allowed.detail) == 4096


def test_the_deny_list_and_the_contract_agree() -> None:
    from twinrank.export.bundle import operators
    from twinrank.export.graph import _lint

    assert not {name for domain, name in operators().allowed} & set(_lint._FORBIDDEN)
    assert np.all([reason and remedy for reason, remedy in _lint._FORBIDDEN.values()])


def test_one_more_finding_is_no_plural() -> None:
    finding = Finding("graph_refused", "n", "is odd", "Mend it")
    for count, told in ((1, "Mend it"), (2, "(and 1 more finding)"), (3, "(and 2 more findings)")):
        assert str(ExportError.of([finding] * count)).endswith(told)
