"""Another Python as a testee: it answers as the contract says, whatever release it runs, and writes only frames."""

import hashlib
import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from twinrank.bridge import RouteFailedError, RouteOptions, RouteScores, routes
from twinrank.bridge._answering import Answering, ProtocolError, Reply, read_tensors
from twinrank.bridge._cases import collect
from twinrank.bridge._errors import UserError
from twinrank.bridge._peers import Sources, split_command
from twinrank.bridge._scorer import packed_digest
from twinrank.export.bundle import Scores, open_bundle

OTHER = "1.23.2"


def reseal(bundle: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    change(manifest)
    text = (json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    (bundle / "manifest.json").write_bytes(text)
    (bundle / "manifest.sha256").write_text(hashlib.sha256(text).hexdigest() + "\n", encoding="ascii")
    return bundle


@pytest.fixture
def of_another_release(tiny: Path, tmp_path: Path) -> Path:
    bundle = tmp_path / "tiny" / "1"
    shutil.copytree(tiny, bundle)
    return reseal(bundle, lambda manifest: manifest["runtime"].update(release=OTHER))


@pytest.fixture
def answering() -> Answering:
    return Answering({"implementation": "test"})


def ask(answering: Answering, op: str, body: bytes = b"", **header: Any) -> Reply:
    return answering.answer(json.dumps({"op": op, **header}).encode(), body)


def batch(raws: list[bytes]) -> bytes:
    return b"".join(struct.pack("<I", len(raw)) + raw for raw in raws)


def columns(scores: Scores) -> list[np.ndarray]:
    return [*scores.heads.values(), scores.score]


def test_it_scores_packs_and_refuses_as_the_reader_does(answering: Answering, tiny: Path) -> None:
    bundle = open_bundle(tiny)
    loaded = ask(answering, "load", bundle=str(tiny))
    assert loaded.header["verification"] == "verified-bits"
    assert loaded.header["bundle"] == bundle.digest
    assert "unverified" not in loaded.header
    scored = refused = 0
    for golden in bundle.goldens:
        reply = ask(answering, "score", golden.request)
        if golden.expected.error is not None:
            assert (reply.header["family"], reply.header["code"]) == ("scoring", golden.expected.error)
            refused += 1
            continue
        assert reply.header["order"] == bundle.score(golden.request).order.tolist()
        assert reply.body == b"".join(values.tobytes() for values in columns(bundle.score(golden.request)))
        packed = ask(answering, "pack", golden.request)
        assert packed.body == b"".join(block.tobytes() for block in golden.expected.inputs) or golden.expected.n == 0
        scored += 1
    assert scored > 0
    assert refused > 0


def test_a_batch_is_the_single_answers_one_after_another(answering: Answering, tiny: Path) -> None:
    bundle = open_bundle(tiny)
    raws = [golden.request for golden in bundle.goldens]
    ask(answering, "load", bundle=str(tiny))
    header, body = ask(answering, "score_batch", batch(raws))
    assert header["n"] == [golden.expected.n for golden in bundle.goldens]
    accepted = [golden for golden in bundle.goldens if golden.expected.error is None]
    whole = [bundle.score(golden.request) for golden in accepted]
    told = b"".join(values.tobytes() for column in zip(*map(columns, whole), strict=True) for values in column)
    told += b"".join(scores.order.astype("<i4").tobytes() for scores in whole)
    told += b"".join(scores.dropped.astype("<i4").tobytes() for scores in whole)
    digests = [0 if g.expected.error else packed_digest(bundle.pack(g.request)) for g in bundle.goldens]
    assert body == told + np.array(digests, "<u8").tobytes()
    refused = [(index, golden.expected.error) for index, golden in enumerate(bundle.goldens) if golden.expected.error]
    assert [(error["request"], error["code"]) for error in header["errors"]] == refused


def test_another_release_is_refused_unless_it_was_asked_for(of_another_release: Path, answering: Answering) -> None:
    reply = ask(answering, "load", bundle=str(of_another_release))
    assert (reply.header["family"], reply.header["code"]) == ("bundle", "runtime_mismatch")
    lenient = Answering({}, any_release=True)
    told = ask(lenient, "load", bundle=str(of_another_release)).header
    assert told["ok"] is True
    assert told["verification"] == "unverified"
    facts = told["unverified"]
    assert (facts["pinned"], facts["goldens_equal"], facts["goldens_differing"]) == (OTHER, facts["goldens"], [])


def test_only_the_release_is_overlooked(of_another_release: Path) -> None:
    lenient = Answering({}, any_release=True)
    rankings = of_another_release / "goldens" / "rankings.jsonl"
    rankings.write_bytes(rankings.read_bytes().replace(b'"golden"', b'"golden" ', 1))
    assert ask(lenient, "load", bundle=str(of_another_release)).header["code"] in ("size_mismatch", "digest_mismatch")
    assert ask(lenient, "score", b"{}").header["code"] == "not_loaded"


def test_goldens_that_another_release_does_not_reproduce_are_told(of_another_release: Path) -> None:
    # A weight that differs stands for a kernel that does: the stored goldens are the first one's.
    model = of_another_release / "model.onnx"
    proto = onnx.load(model)
    weight = next(each for each in proto.graph.initializer if each.data_type == TensorProto.FLOAT and each.raw_data)
    values = np.frombuffer(weight.raw_data, "<f4").copy()
    values += np.float32(0.25)
    weight.raw_data = values.tobytes()
    model.write_bytes(proto.SerializeToString())
    data = model.read_bytes()

    def digest(manifest: dict[str, Any]) -> None:
        entry = manifest["files"]["model.onnx"]
        entry.update(sha256=hashlib.sha256(data).hexdigest(), size=len(data))

    reseal(of_another_release, digest)
    told = ask(Answering({}, any_release=True), "load", bundle=str(of_another_release)).header
    assert told["verification"] == "unverified", told
    assert told["unverified"]["goldens_equal"] < told["unverified"]["goldens"]
    assert "output" in told["unverified"]["goldens_differing"][0]


def add_graph(path: Path) -> Path:
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["a", "b"], ["middle"]),
            helper.make_node("Neg", ["middle"], ["out"]),
            helper.make_node("Identity", ["s"], ["words"]),
        ],
        "g",
        [
            helper.make_tensor_value_info("a", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("b", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("s", TensorProto.STRING, ["m"]),
        ],
        [
            helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("words", TensorProto.STRING, ["m"]),
        ],
    )
    onnx.save(helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)]), path)
    return path


def test_it_runs_any_graph_with_taps_and_strings(answering: Answering, tmp_path: Path) -> None:
    opened = ask(answering, "open_onnx", model=str(add_graph(tmp_path / "m.onnx")), taps=["middle", "out"])
    assert [value["name"] for value in opened.header["outputs"]] == ["out", "words", "middle"]
    assert opened.header["inputs"][0] == {"name": "a", "type": "tensor(float)", "shape": [None]}
    words = ["", "Ωmega\0z", "🍞"]
    texts = b"".join(struct.pack("<I", len(word.encode())) + word.encode() for word in words)
    inputs = [{"name": name, "dtype": "float32", "shape": [2]} for name in "ab"]
    inputs.append({"name": "s", "dtype": "string", "shape": [3]})
    body = np.array([1, 2, 0.5, -0.0], "<f4").tobytes() + texts
    header, data = ask(answering, "run", body, inputs=inputs)
    assert [(out["name"], out["dtype"], out["shape"]) for out in header["outputs"]] == [
        ("out", "float32", [2]),
        ("words", "string", [3]),
        ("middle", "float32", [2]),
    ]
    assert data == np.array([-1.5, -2], "<f4").tobytes() + texts + np.array([1.5, 2], "<f4").tobytes()


def test_a_graph_that_the_runtime_refuses_is_an_answer(answering: Answering, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"no graph")
    refused = ask(answering, "open_onnx", model=str(tmp_path / "m.onnx"), taps=["x"]).header
    assert (refused["family"], refused["code"]) == ("graph", "graph_refused")
    missing = ask(answering, "open_onnx", model=str(tmp_path / "none.onnx")).header
    assert (missing["family"], missing["code"]) == ("graph", "file_unreadable")
    assert ask(answering, "run", inputs=[]).header["code"] == "not_loaded"
    ask(answering, "open_onnx", model=str(add_graph(tmp_path / "m.onnx")))
    failed = ask(answering, "run", inputs=[]).header
    assert (failed["family"], failed["code"]) == ("graph", "run_failed")


@pytest.mark.parametrize(
    ("header", "body", "code"),
    [
        (b"{", b"", "invalid_header"),
        (b"[]", b"", "invalid_header"),
        (b"{}", b"", "invalid_header"),
        (b'{"op":1}', b"", "invalid_header"),
        (b'{"op":"hello","op":"hello"}', b"", "invalid_header"),
        (b'{"op":"hello","more":1}', b"", "invalid_header"),
        (b'{"op":"hello"}', b"body", "invalid_frame"),
        (b'{"op":"sing"}', b"", "unknown_op"),
        (b'{"op":"score"}', b"{}", "not_loaded"),
        (b'{"op":"load"}', b"", "invalid_header"),
        (b'{"op":"load","bundle":"/","require":"hope"}', b"", "invalid_header"),
        (b'{"op":"open_onnx","model":"m","taps":"x"}', b"", "invalid_header"),
        (b'{"op":"open_onnx","model":"m","session":{"speed":"high"}}', b"", "invalid_header"),
    ],
)
def test_what_is_not_of_the_protocol_is_answered_with_its_code(
    answering: Answering, header: bytes, body: bytes, code: str
) -> None:
    told = answering.answer(header, body).header
    assert (told["ok"], told["family"], told["code"]) == (False, "protocol", code)


@pytest.mark.parametrize(
    ("described", "body", "code"),
    [
        (None, b"", "invalid_header"),
        ([{"name": "a"}], b"", "invalid_header"),
        ([{"name": "a", "dtype": "float99", "shape": []}], b"", "invalid_header"),
        ([{"name": "a", "dtype": "object", "shape": [1]}], b"12345678", "invalid_header"),
        ([{"name": "a", "dtype": "float32", "shape": [-1]}], b"", "invalid_header"),
        ([{"name": "a", "dtype": "float32", "shape": [2]}], b"1234", "invalid_frame"),
        ([{"name": "a", "dtype": "float32", "shape": [1]}], b"12345", "invalid_frame"),
        ([{"name": "a", "dtype": "string", "shape": [1]}], struct.pack("<I", 5) + b"four", "invalid_frame"),
        ([{"name": "a", "dtype": "string", "shape": [1]}], struct.pack("<I", 1) + b"\xff", "invalid_frame"),
    ],
)
def test_tensors_that_do_not_fit_their_description_are_refused(described: Any, body: bytes, code: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        read_tensors(described, body)
    assert refused.value.code == code


def test_a_batch_that_is_cut_is_refused(answering: Answering, tiny: Path) -> None:
    ask(answering, "load", bundle=str(tiny))
    for body in (batch([b"{}"])[:-1], b"\1\0"):
        assert ask(answering, "score_batch", body).header["code"] == "invalid_frame"


# ---- as a process


@pytest.fixture
def environ() -> Iterator[dict[str, str]]:
    sources = Sources()
    yield sources.environ(alone=True)
    sources.close()


def talk(given: bytes, environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "twinrank.bridge.testee", *arguments]
    return subprocess.run(command, input=given, capture_output=True, env=environ, timeout=60, check=False)


def frame(header: dict[str, Any]) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<I", len(text)) + text + struct.pack("<I", 0)


def heard(data: bytes) -> list[dict[str, Any]]:
    found = []
    while data:
        size = struct.unpack_from("<I", data)[0]
        found.append(json.loads(data[4 : 4 + size]))
        data = data[8 + size + struct.unpack_from("<I", data, 4 + size)[0] :]
    return found


def test_the_process_says_who_it_is_and_leaves_when_told_or_when_its_input_ends(environ: dict[str, str]) -> None:
    done = talk(frame({"op": "hello"}) + frame({"op": "bye"}) + b"never read", environ)
    assert (done.returncode, done.stderr) == (0, b"")
    hello, bye = heard(done.stdout)
    assert hello["runtime"].startswith("onnxruntime ")
    assert {"score_batch", "open_onnx", "run"} <= set(hello["ops"])
    assert len(hello["facts"]["runtime_library_sha256"]) == 64
    assert bye == {"ok": True}
    assert talk(b"", environ).returncode == 0


def test_input_that_is_no_frame_is_answered_once_and_ends_it(environ: dict[str, str]) -> None:
    for given in (b"\xff" * 8, b"\1\0", frame({"op": "hello"})[:-6]):
        done = talk(given, environ)
        assert done.returncode == 2
        (told,) = heard(done.stdout)
        assert told["code"] == "invalid_frame"
    assert talk(b"", environ, "--help").returncode == 2


def test_what_a_library_prints_lands_beside_the_frames(environ: dict[str, str], tmp_path: Path) -> None:
    # sitecustomize runs before the testee; what is printed later, from native code too, goes to descriptor 1.
    (tmp_path / "onnxruntime_noise.py").write_text("", encoding="utf-8")
    noisy = tmp_path / "sitecustomize.py"
    noisy.write_text(
        "import os, sys\n"
        "class Loud:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'onnxruntime':\n"
        "            os.write(1, b'a banner of a native library\\n')\n"
        "            print('and one of Python')\n"
        "sys.meta_path.insert(0, Loud())\n",
        encoding="utf-8",
    )
    environ["PYTHONPATH"] += f":{tmp_path}"
    done = talk(frame({"op": "hello"}), environ)
    assert [told["ok"] for told in heard(done.stdout)] == [True]
    assert b"a banner of a native library" in done.stderr
    assert b"and one of Python" in done.stderr


def test_it_loads_neither_torch_nor_what_draws_and_fetches(environ: dict[str, str]) -> None:
    code = (
        "import sys, io; from twinrank.bridge import testee; testee._facts()\n"
        "import twinrank.bridge._answering\n"
        "print(sorted({'torch', 'httpx', 'jinja2', 'rich', 'matplotlib', 'jpype', 'click'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ, check=True)
    assert done.stdout.strip() == "[]"


def test_the_route_compares_another_interpreter_to_the_bit(tiny: Path) -> None:
    route = routes.route("python")
    with (
        route.open(tiny, RouteOptions(python=(sys.executable,))) as scorer,
        routes.route("ort").open(tiny, RouteOptions()) as base,
    ):
        assert scorer.facts().verification == "verified-bits"
        for case in collect(tiny, run=None, requests=None, most=None):
            mine, theirs = scorer.score(case.raw), base.score(case.raw)
            if isinstance(theirs, RouteScores):
                assert isinstance(mine, RouteScores)
                assert mine.order == theirs.order
                assert all(mine.outputs[name].tobytes() == theirs.outputs[name].tobytes() for name in theirs.outputs)
            else:
                assert mine == theirs


def test_a_bundle_of_another_release_is_compared_and_told_as_unverified(of_another_release: Path) -> None:
    with routes.route("python").open(of_another_release, RouteOptions(python=(sys.executable,))) as scorer:
        assert scorer.facts().verification == "unverified"


def test_the_route_says_what_it_lacks(tiny: Path, tmp_path: Path) -> None:
    route = routes.route("python")
    assert "--python" in (route.lacks(tiny, RouteOptions()) or "")
    with pytest.raises(RouteFailedError, match="--python") as failed:
        route.open(tiny, RouteOptions())
    assert (failed.value.route, failed.value.reason) == ("python", "unavailable")
    with pytest.raises(RouteFailedError) as failed:
        route.open(tiny, RouteOptions(python=(str(tmp_path / "no-python"),)))
    assert (failed.value.route, failed.value.reason) == ("python", "unavailable")
    # An interpreter without the libraries ends with Python's own words.
    with pytest.raises(RouteFailedError) as failed:
        route.open(tiny, RouteOptions(python=(sys.executable, "-S")))
    assert (failed.value.route, failed.value.reason) == ("python", "crashed")
    assert "ModuleNotFoundError" in failed.value.evidence


def test_a_command_is_split_as_by_a_shell() -> None:
    assert split_command("qemu-x86_64 -cpu 'Has well' python3") == ("qemu-x86_64", "-cpu", "Has well", "python3")
    for text in ("", "  ", "'open"):
        with pytest.raises(UserError) as refused:
            split_command(text)
        assert refused.value.code == "bad_command"
