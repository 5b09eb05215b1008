"""An existing ONNX file as a source: how its inputs and outputs are met, what is refused, and whose numbers count."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from twinrank.export.bundle import open_bundle
from twinrank.export.graph import ExportError, export_source, source_of_onnx
from twinrank.export.graph._onnx_back import OnnxBack
from twinrank.training.schema import pack, read_request
from twinrank.training.transforms import read_front_yaml

SHOP = Path(__file__).resolve().parent / "architectures"
SCHEMA, REQUESTS = SHOP / "schema.yaml", SHOP / "requests.jsonl"
FRONT = read_front_yaml(SCHEMA)
RANDOM = np.random.Generator(np.random.PCG64(3))
TABLE = RANDOM.standard_normal((24, 6)).astype(np.float32)
USERS = RANDOM.standard_normal((8, 6)).astype(np.float32)
WEIGHT = RANDOM.standard_normal((13, 2)).astype(np.float32)


def value(name: str, kind: int, shape: Sequence[Any]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def flat(axis: Any = "batch", opset: int = 15, outputs: Sequence[str] = ("liked", "score"), **changed: Any) -> Any:
    """A ranker as tabular tools write them: every input is a column, the user's too; ids are int32."""
    nodes = [
        helper.make_node("Squeeze", ["user", "last"], ["user_row"]),
        helper.make_node("Squeeze", ["item", "last"], ["item_row"]),
        helper.make_node("Gather", ["users", "user_row"], ["u"]),
        helper.make_node("Gather", ["items", "item_row"], ["i"]),
        helper.make_node("Dropout", ["i"], ["kept"]),
        helper.make_node("Concat", ["u", "kept", "price"], ["all"], axis=1),
        helper.make_node("MatMul", ["all", "weight"], ["both"]),
        helper.make_node("Split", ["both"], ["left", "right"], axis=1, **({"num_outputs": 2} if opset >= 18 else {})),
        helper.make_node("Sigmoid", ["left"], [outputs[0]]),
        helper.make_node("Softplus", ["right"], [outputs[1]]),
    ]
    inputs = {
        "user": value("user", TensorProto.INT32, [axis, 1]),
        "item": value("item", TensorProto.INT32, [axis, 1]),
        "price": value("price", TensorProto.FLOAT, [axis, 1]),
    } | changed
    arrays = {"users": USERS, "items": TABLE, "weight": WEIGHT / 8, "last": np.array([1])}
    # An initialiser that is an input too, as files of IR 3 have them.
    listed = [*inputs.values(), value("weight", TensorProto.FLOAT, [13, 2])]
    graph = helper.make_graph(
        nodes,
        "flat",
        listed,
        [value(name, TensorProto.FLOAT, [axis, 1]) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def saved(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "ranker.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def made(model: onnx.ModelProto, folder: Path, **more: Any) -> Any:
    return source_of_onnx(saved(model, folder), SCHEMA, REQUESTS, max_candidates=80, **more)


def test_a_flat_file_leaves_as_an_invariant_bundle_with_the_files_own_numbers(tmp_path: Path) -> None:
    told: list[str] = []
    source = made(flat(), tmp_path)
    bundle = open_bundle(export_source(source, tmp_path / "models", progress=told.append))
    evidence = bundle.manifest.document["evidence"]
    assert bundle.verification == "verified-bits"
    assert evidence["reference"]["source"] == "onnx"
    assert evidence["invariance"]["differing_values"] == 0
    assert evidence["allowed"] == []
    assert any("user repeated for every candidate" in line for line in told)
    # The file as its owner runs it.
    session = ort.InferenceSession(saved(flat(), tmp_path).read_bytes(), providers=["CPUExecutionProvider"])
    for raw in REQUESTS.read_bytes().splitlines()[7:10]:
        encoded = FRONT.encode(bundle.pack(raw))
        n = len(encoded["item"])
        feeds = {
            "user": np.repeat(encoded["user"], n)[:, None].astype(np.int32),
            "item": encoded["item"][:, None].astype(np.int32),
            "price": encoded["price"][:, None],
        }
        liked, score = session.run(["liked", "score"], feeds)
        scores = bundle.score(raw)
        np.testing.assert_allclose(
            scores.heads["liked"], liked[:, 0], rtol=0, atol=bundle.manifest.tolerances["liked"].a
        )
        np.testing.assert_allclose(scores.score, score[:, 0], rtol=0, atol=bundle.manifest.tolerances["score"].a)
    model = onnx.load_model_from_string((bundle.path / "model.onnx").read_bytes())
    assert (model.ir_version, model.opset_import[0].version) == (10, 20)
    # The same file in another folder gives the same bytes.
    other = tmp_path / "other"
    other.mkdir()
    again = export_source(made(flat(), other), other / "models")
    for file in sorted(path for path in bundle.path.rglob("*") if path.is_file()):
        assert (again / file.relative_to(bundle.path)).read_bytes() == file.read_bytes(), file.name


def encoded(rows: int = 5) -> Any:
    raw = REQUESTS.read_bytes().splitlines()[9]
    blocks = pack(read_request(raw, FRONT.schema, max_candidates=99), FRONT.packing)
    return {
        spec.name: array[:rows] if spec.placement == "candidate" else array
        for spec, array in zip(FRONT.outputs, FRONT.encode(blocks).values(), strict=True)
    }


@pytest.mark.parametrize("opset", [13, 15, 18, 20, 21, 23])
def test_its_opset_is_raised_and_its_graph_computes_the_same(opset: int, tmp_path: Path) -> None:
    back = OnnxBack(saved(flat(opset=opset), tmp_path), FRONT.outputs)
    half = back.graph(FRONT.outputs, encoded(), back.outputs, None)
    assert {entry.domain: entry.version for entry in half.opset_import}[""] == max(opset, 20)
    session = ort.InferenceSession(half.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {name: array for name, array in encoded().items()}
    found = session.run(list(back.outputs), {value.name: feeds[value.name] for value in session.get_inputs()})
    for name, values in zip(back.outputs, found, strict=True):
        np.testing.assert_allclose(values, back.run(encoded(), back.outputs)[name], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("changed", "reason", "words"),
    [
        ({"price": value("prise", TensorProto.FLOAT, ["batch", 1])}, "input_unknown", "'prise'.*mean 'price'"),
        ({"price": value("price", TensorProto.FLOAT, [64, 1])}, "shape_baked_in", "'price'.*leading axis of 64"),
        ({"price": value("price", TensorProto.FLOAT, ["batch", 3])}, "input_unknown", "3 along axis 1.*gives 1"),
        ({"price": value("price", TensorProto.FLOAT, ["batch", 1, 1])}, "input_unknown", "has 3 axes"),
        ({"price": value("price", TensorProto.STRING, ["batch", 1])}, "input_unknown", "is string.*gives float32"),
        ({"user": value("user", TensorProto.INT32, [3, 1])}, "shape_baked_in", "'user'.*leading axis of 3"),
    ],
)
def test_an_input_that_does_not_fit_is_named(changed: Any, reason: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=words) as caught:
        OnnxBack(saved(flat(**changed), tmp_path), FRONT.outputs)
    assert caught.value.reason == reason


def test_all_inputs_that_do_not_fit_are_listed_at_once(tmp_path: Path) -> None:
    changed = {
        "price": value("cost", TensorProto.FLOAT, ["batch", 1]),
        "item": value("item", TensorProto.INT32, [4, 1]),
    }
    with pytest.raises(ExportError) as caught:
        OnnxBack(saved(flat(**changed), tmp_path), FRONT.outputs)
    assert [finding.name for finding in caught.value.findings] == ["shape_baked_in", "input_unknown"]


@pytest.mark.parametrize(
    ("outputs", "heads", "names"),
    [
        (("liked", "score"), None, ("liked", "score")),
        (("a:0", "b:0"), ["liked", "score"], ("liked", "score")),
    ],
)
def test_its_outputs_are_named(outputs: Any, heads: Any, names: Any, tmp_path: Path) -> None:
    assert OnnxBack(saved(flat(outputs=outputs), tmp_path), FRONT.outputs, heads).outputs == names


@pytest.mark.parametrize(
    ("outputs", "heads"),
    [(("a", "b"), None), (("score", "liked"), None), (("a", "b"), ["score"]), (("a", "b"), ["score", "x"])],
)
def test_outputs_without_a_last_score_are_refused(outputs: Any, heads: Any, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="--heads clicked,liked,score") as caught:
        OnnxBack(saved(flat(outputs=outputs), tmp_path), FRONT.outputs, heads)
    assert caught.value.reason == "outputs_differ_from_heads"


def test_a_context_input_of_one_row_is_not_repeated(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Gather", ["users", "user"], ["u"]),
        helper.make_node("Gather", ["items", "item"], ["i"]),
        helper.make_node("Mul", ["u", "i"], ["m"]),
        helper.make_node("ReduceSum", ["m", "last"], ["score"], keepdims=0),
    ]
    for leading in (1, "contexts"):
        inputs = [value("user", TensorProto.INT64, [leading]), value("item", TensorProto.INT64, ["n"])]
        arrays = {"users": USERS, "items": TABLE, "last": np.array([1])}
        graph = helper.make_graph(
            nodes,
            "slate",
            inputs,
            [value("score", TensorProto.FLOAT, ["n"])],
            [numpy_helper.from_array(array, name) for name, array in arrays.items()],
        )
        back = OnnxBack(
            saved(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), tmp_path),
            FRONT.outputs,
        )
        assert not any("repeated" in note for note in back.notes)
        half = back.graph(FRONT.outputs, encoded(), ("score",), None)
        assert "Expand" not in {node.op_type for node in half.graph.node}
        wanted = (USERS[encoded()["user"]] * TABLE[encoded()["item"]]).sum(axis=1)
        np.testing.assert_allclose(back.run(encoded(), ("score",))["score"], wanted, rtol=0, atol=1e-5)


# ---- external data of the file


def with_data(folder: Path, location: str) -> Path:
    model = flat()
    path = folder / "ranker.onnx"
    onnx.save_model(
        model, path, save_as_external_data=True, location="ranker.data", size_threshold=0, all_tensors_to_one_file=True
    )
    stored = onnx.load_model(path, load_external_data=False)
    for tensor in stored.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    path.write_bytes(stored.SerializeToString())
    return path


def test_external_data_beside_the_file_are_read(tmp_path: Path) -> None:
    back = OnnxBack(with_data(tmp_path, "ranker.data"), FRONT.outputs)
    inside = tmp_path / "inside"
    inside.mkdir()
    expected = OnnxBack(saved(flat(), inside), FRONT.outputs).run(encoded(), back.outputs)
    for name, values in back.run(encoded(), back.outputs).items():
        assert values.tobytes() == expected[name].tobytes()


@pytest.mark.parametrize("location", ["../ranker.data", "/etc/hostname", "absent.data", "", "link.data", "alias.data"])
def test_external_data_elsewhere_are_refused(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "ranker.data").write_bytes(bytes(4096))
    (folder / "link.data").symlink_to(tmp_path / "ranker.data")
    (folder / "alias.data").symlink_to("ranker.data")
    with pytest.raises(ExportError) as caught:
        OnnxBack(with_data(folder, location), FRONT.outputs)
    assert caught.value.reason == "external_data_refused"


def test_what_is_no_onnx_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"\xff\xfe nothing")
    with pytest.raises(ExportError) as caught:
        OnnxBack(tmp_path / "x.onnx", FRONT.outputs)
    assert caught.value.reason == "graph_refused"


# ---- what stands around the nodes


def scored(model: onnx.ModelProto, folder: Path) -> tuple[Any, Any]:
    """Prices, and the score that the model's bundle gives them."""
    bundle = open_bundle(export_source(made(model, folder), folder / "models"))
    raw = REQUESTS.read_bytes().splitlines()[9]
    return FRONT.encode(bundle.pack(raw))["price"], bundle.score(raw).score


def priced(nodes: Sequence[onnx.NodeProto], arrays: dict[str, Any], opset: int = 17, ir: int = 8) -> onnx.ModelProto:
    price = value("price", TensorProto.FLOAT, ["n"])
    constants = [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in arrays.items()]
    listed = [price, *(value(name, TensorProto.FLOAT, np.shape(array)) for name, array in arrays.items() if ir < 4)]
    graph = helper.make_graph(list(nodes), "priced", listed, [value("score", TensorProto.FLOAT, ["n"])], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)


def test_a_branch_may_read_what_stands_around_it(tmp_path: Path) -> None:
    out = [value("branch", TensorProto.FLOAT, ["n"])]
    then = helper.make_graph([helper.make_node("Mul", ["price", "two"], ["branch"])], "then", [], out)
    other = helper.make_graph([helper.make_node("Identity", ["price"], ["branch"])], "other", [], out)
    choice = [
        helper.make_node("Greater", ["two", "zero"], ["yes"]),
        helper.make_node("If", ["yes"], ["score"], then_branch=then, else_branch=other),
    ]
    price, score = scored(priced(choice, {"two": 2.0, "zero": 0.0}), tmp_path)
    assert (score == 2 * price).all()


def test_local_functions_are_inlined_and_leave_no_domain(tmp_path: Path) -> None:
    twice = helper.make_function(
        "own", "Twice", ["x"], ["y"], [helper.make_node("Add", ["x", "x"], ["y"])], [helper.make_opsetid("", 17)]
    )
    model = priced([helper.make_node("Twice", ["price"], ["score"], domain="own")], {})
    model.functions.append(twice)
    model.opset_import.append(helper.make_opsetid("own", 1))
    price, score = scored(model, tmp_path)
    assert (score == 2 * price).all()


def test_a_file_from_the_time_when_initialisers_were_inputs_is_raised(tmp_path: Path) -> None:
    price, score = scored(
        priced([helper.make_node("Add", ["price", "one"], ["score"])], {"one": [1.0]}, 11, 3), tmp_path
    )
    assert (score == price + 1).all()
