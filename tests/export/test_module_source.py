"""Any torch module as a source: three published layers that do not export by themselves, and every convention."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

import twinrank.export.cli as cli
from twinrank.export.bundle import compare_bits, open_bundle
from twinrank.export.graph import ExportError, export_source, module_outputs, source_of_module
from twinrank.export.graph._prepared import BagByProduct, exportable, training_parts
from twinrank.export.graph._requests import read_samples
from twinrank.export.graph._user_module import make_module
from twinrank.training.transforms import read_front_yaml

HERE = Path(__file__).resolve().parent
SHOP = HERE / "architectures"
SCHEMA, REQUESTS = SHOP / "schema.yaml", SHOP / "requests.jsonl"
ARCHITECTURES = {"encoder": None, "attention": None, "bags": ["liked", "score"]}


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE)
    monkeypatch.setattr(sys, "path", [*sys.path])


def contents(path: Path) -> dict[str, bytes]:
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def exported(name: str, folder: Path, **more: Any) -> Path:
    source = source_of_module(
        f"architectures.{name}:make", SCHEMA, REQUESTS, max_candidates=120, heads=ARCHITECTURES[name], **more
    )
    return export_source(source, folder)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_published_layer_leaves_as_an_invariant_bundle(name: str, tmp_path: Path) -> None:
    bundle = open_bundle(exported(name, tmp_path))
    assert bundle.verification == "verified-bits"
    evidence = bundle.manifest.document["evidence"]
    assert evidence["allowed"] == []
    assert evidence["reference"]["source"] == "torch"
    assert evidence["invariance"]["differing_values"] == 0
    assert {1, 2, 3, 5, 7, 8, 16, 33, 64, 120} <= set(evidence["invariance"]["sizes"])
    # The module itself, as its author runs it: its own layers, fast paths and all.
    module = make_module(f"architectures.{name}:make").eval()
    front = read_front_yaml(SCHEMA)
    lines = REQUESTS.read_bytes().splitlines()
    for raw in (lines[0], lines[7], lines[-1]):
        scores = bundle.score(raw)
        encoded = front.encode(bundle.pack(raw))
        names = {"encoder": ("history", "history_mask", "item", "price"), "bags": None}.get(name)
        wanted = names or list(module.forward.__annotations__)[:-1]
        with torch.inference_mode():
            found = module(**{key: torch.from_numpy(encoded[key]) for key in wanted})
        score = found["score"] if isinstance(found, dict) else found[-1] if isinstance(found, tuple) else found
        apart = np.abs(score.reshape(-1).numpy() - scores.score).max()
        assert apart <= bundle.manifest.tolerances["score"].a


def test_the_same_module_gives_the_same_bytes_in_another_process_and_folder(tmp_path: Path) -> None:
    here = contents(exported("bags", tmp_path / "here"))
    code = (
        "from pathlib import Path\n"
        "from twinrank.export.graph import export_source, source_of_module\n"
        f"source = source_of_module('architectures.bags:make', Path({str(SCHEMA)!r}), Path({str(REQUESTS)!r}),\n"
        "    max_candidates=120, heads=['liked', 'score'])\n"
        f"export_source(source, Path({str(tmp_path / 'there')!r}))\n"
    )
    shop = tmp_path / "elsewhere"
    shop.mkdir()
    (shop / "architectures").symlink_to(SHOP)
    subprocess.run([sys.executable, "-c", code], cwd=shop, check=True, capture_output=True)
    there = contents(tmp_path / "there" / "bags" / "1")
    here = contents(tmp_path / "here" / "bags" / "1")
    assert sorted(there) == sorted(here)
    assert [name for name in here if here[name] != there[name]] == []


# ---- the layers that are replaced while a module is traced


@pytest.mark.parametrize("padding", [None, 0, 3])
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_a_bag_by_product_is_the_bag(mode: str, padding: int | None) -> None:
    """torch's own EmbeddingBag is the referee; empty bags, padding rows of infinities and weights included."""
    torch.manual_seed(1)
    bag = nn.EmbeddingBag(9, 5, mode=mode, padding_idx=padding)
    ids = torch.randint(0, 9, (50, 7))
    if padding is not None:
        ids[3] = padding
        with torch.no_grad():
            bag.weight[padding] = torch.inf
    made = BagByProduct(bag)
    assert made.weight is bag.weight
    torch.testing.assert_close(made(ids), bag(ids), rtol=0, atol=1e-5)
    if mode == "sum":
        weights = torch.rand(50, 7)
        torch.testing.assert_close(
            made(ids, per_sample_weights=weights), bag(ids, per_sample_weights=weights), rtol=0, atol=1e-5
        )


def test_a_bag_with_offsets_is_refused_with_a_remedy() -> None:
    made = BagByProduct(nn.EmbeddingBag(9, 5))
    with pytest.raises(ExportError, match=r"offsets.*\[n, L\]") as caught:
        made(torch.tensor([1, 2, 3]), torch.tensor([0, 2]))
    assert caught.value.reason == "operator_forbidden"


def test_a_bag_that_renormalises_is_refused() -> None:
    module = nn.Sequential(nn.EmbeddingBag(9, 5, max_norm=1.0))
    with pytest.raises(ExportError, match="max_norm"), exportable(module):
        pass
    assert type(module[0]) is nn.EmbeddingBag


def test_what_is_put_aside_is_put_back_even_after_a_failure() -> None:
    from torch.nn.modules import transformer

    module = nn.Sequential(nn.EmbeddingBag(9, 5), nn.Sequential(nn.EmbeddingBag(9, 5)))
    bags = module[0], module[1][0]
    detect, fast = transformer._detect_is_causal_mask, torch.backends.mha.get_fastpath_enabled()

    def fail() -> None:
        with exportable(module):
            assert isinstance(module[0], BagByProduct)
            assert isinstance(module[1][0], BagByProduct)
            assert not torch.backends.mha.get_fastpath_enabled()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (module[0], module[1][0]) == bags
    assert transformer._detect_is_causal_mask is detect
    assert torch.backends.mha.get_fastpath_enabled() is fast


def test_parts_in_training_mode_are_named() -> None:
    module = nn.Sequential(nn.Dropout(), nn.Linear(1, 1)).eval()
    assert training_parts(module) == []
    module[0].train()
    (found,) = training_parts(module)
    assert (found.name, found.node) == ("training_mode", "0 (Dropout)")


# ---- conventions


class Given(nn.Module):
    """Returns what it was told to."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.items = nn.Embedding(24, 4)

    def forward(self, item: torch.Tensor, price: torch.Tensor) -> Any:
        score = self.items(item).sum(dim=-1) + price / 1000
        return {
            "tensor": score,
            "column": score.unsqueeze(-1),
            "pair": (score * 2, score),
            "dict": {"liked": score * 2, "score": score},
            "unnamed last": {"score": score, "liked": score},
            "wide": self.items(item),
            "double": score.double(),
            "text": "score",
            "one": score.sum(),
        }[self.kind]


def source(module: nn.Module, heads: list[str] | None = None) -> Any:
    from twinrank.export.graph._user_module import user_back

    front = read_front_yaml(SCHEMA)
    from twinrank.training.schema import pack, read_request

    raw = REQUESTS.read_bytes().splitlines()[7]
    blocks = pack(read_request(raw, front.schema, max_candidates=99), front.packing)
    return user_back(module, front.outputs, front.encode(blocks), heads)


@pytest.mark.parametrize(
    ("kind", "heads", "names"),
    [
        ("tensor", None, ()),
        ("tensor", ["score"], ()),
        ("column", None, ()),
        ("pair", ["liked", "score"], ("liked",)),
        ("dict", None, ("liked",)),
    ],
)
def test_what_forward_may_return(kind: str, heads: Any, names: Any) -> None:
    torch.manual_seed(1)
    back, found = source(Given(kind).eval(), heads)
    assert found == names
    assert ("trailing axis" in " ".join(back.notes)) == (kind == "column")
    assert "forward() does not take user" in " ".join(back.notes)


@pytest.mark.parametrize(
    ("kind", "heads", "words"),
    [
        ("pair", None, "returns 2 values, and no --heads was given"),
        ("tensor", ["liked"], r"It has one output: --heads score, or leave --heads out"),
        ("pair", ["score"], "names 1"),
        ("pair", ["score", "liked"], "the last one is 'score'"),
        ("dict", ["bought", "score"], "--heads says bought"),
        ("unnamed last", None, "the last one is 'score'"),
        ("wide", None, r"float32 \[10, 4\] for 10 candidates"),
        ("double", None, "float64"),
        ("text", None, "returns a str"),
        ("one", None, r"\[\] for 10"),
    ],
)
def test_what_it_may_not(kind: str, heads: Any, words: str) -> None:
    with pytest.raises(ExportError, match=f"(?i){words}") as caught:
        source(Given(kind).eval(), heads)
    assert caught.value.reason == "outputs_differ_from_heads"


def test_arguments_that_no_transform_makes_are_named() -> None:
    class Asking(nn.Module):
        def forward(self, item: torch.Tensor, colour: torch.Tensor) -> torch.Tensor:
            return item * colour

    with pytest.raises(ExportError, match=r"asks for colour.*user, history") as caught:
        source(Asking().eval())
    assert caught.value.reason == "input_unknown"


def test_an_embedding_that_is_too_small_is_told_the_rows_it_needs() -> None:
    class Small(nn.Module):
        def __init__(self, rows: int) -> None:
            super().__init__()
            self.items = nn.Embedding(rows, 2)

        def forward(self, item: torch.Tensor, price: torch.Tensor) -> torch.Tensor:
            return self.items(item).sum(dim=-1) + price

    with pytest.raises(ExportError, match=r"IndexError.*item: ids 0…20, 21 rows\. `twinrank schema`") as caught:
        source(Small(2).eval())
    assert "price:" not in str(caught.value)
    # The first slate may be fine, and a later one not.
    back, heads = source(Small(21).eval())
    beyond = {"item": np.array([21]), "price": np.zeros(1, np.float32)}
    with pytest.raises(ExportError, match=r"IndexError.*item: ids 0…20, 21 rows"):
        back.run(beyond, (*heads, "score"))


def test_a_default_argument_and_keywords_are_fine() -> None:
    class Open(nn.Module):
        def forward(self, price: torch.Tensor, *, scale: float = 2.0) -> torch.Tensor:
            return price * scale

    class Everything(nn.Module):
        def forward(self, **encoded: torch.Tensor) -> torch.Tensor:
            assert next(iter(encoded)) == "user"
            return encoded["price"]

    assert source(Open().eval())[1] == ()
    assert not any("does not take" in note for note in source(Everything().eval())[0].notes)


USER = """
import torch

class Broken(torch.nn.Module):
    def forward(self, price):
        return self.helper(price)

    def helper(self, price):
        return price @ torch.ones(3, 3)

class Branching(torch.nn.Module):
    def forward(self, price):
        if price.sum() > 0:
            return price
        return -price

def broken():
    return Broken()

def branching():
    return Branching()

class Inside(torch.nn.Module):
    def forward(self, price):
        return torch.nn.Linear(3, 3)(price)

def inside():
    return Inside()

def raising():
    raise KeyError("no weights here")

def leaving():
    raise SystemExit("please log in")

def number():
    return 7
"""


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        ("broken", r"calling forward\(\) raised RuntimeError: .*theirs\.py:9, in helper: return price @ torch"),
        ("raising", r"calling theirs:raising\(\) raised KeyError: 'no weights here' \(theirs\.py:\d+, in raising"),
        ("inside", r"theirs\.py:\d+, in forward: return torch\.nn\.Linear"),
        ("leaving", "SystemExit: please log in"),
        ("number", "returned a int"),
        ("absent", "no factory 'absent'.*branching, broken, inside"),
    ],
)
def test_an_error_of_the_users_code_is_shown_as_theirs(
    factory: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs.py").write_text(USER, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "theirs", raising=False)
    with pytest.raises(ExportError, match=words) as caught:
        source_of_module(f"theirs:{factory}", SCHEMA, REQUESTS)
    assert caught.value.reason == "module_failed"


def test_a_module_that_cannot_be_imported_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExportError, match=r"no module 'not_there' in .*, and none is installed") as caught:
        source_of_module("not_there:make", SCHEMA, REQUESTS)
    assert "importlib" not in str(caught.value)
    (tmp_path / "ranking").mkdir()
    (tmp_path / "ranking" / "__init__.py").touch()
    (tmp_path / "ranking" / "model.py").write_text("import nowhere_to_be_found\n", encoding="utf-8")
    importlib.invalidate_caches()
    with pytest.raises(ExportError, match=r"no module 'rankin'.* Did you mean ranking\?"):
        source_of_module("rankin:make", SCHEMA, REQUESTS)
    with pytest.raises(ExportError, match=r"no module 'ranking\.modle'.* Did you mean ranking\.model\?"):
        source_of_module("ranking.modle:make", SCHEMA, REQUESTS)
    with pytest.raises(ExportError, match=r"ModuleNotFoundError: No module named 'nowhere_to_be_found' \(model\.py:1"):
        source_of_module("ranking.model:make", SCHEMA, REQUESTS)
    with pytest.raises(ExportError, match="textwrap is a module and no package"):
        source_of_module("textwrap.nothing:make", SCHEMA, REQUESTS)
    with pytest.raises(ExportError, match=r"Write package\.module:factory"):
        source_of_module("not_there", SCHEMA, REQUESTS, name="x")


def test_a_branch_on_values_is_refused_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "branches.py").write_text(USER, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    made = source_of_module("branches:branching", SCHEMA, REQUESTS, max_candidates=50)
    with pytest.raises(ExportError, match=r"another path.*torch\.where") as caught:
        export_source(made, tmp_path / "models")
    assert caught.value.reason == "data_dependent"
    assert [finding.node for finding in caught.value.findings] == ["branches.py:13, in forward"]
    assert not (tmp_path / "models").exists()
    # Not the tracer's graph in dozens of lines.
    assert capfd.readouterr() == ("", "")


# ---- requests


def test_requests_that_the_schema_refuses_are_listed_by_line_and_code(tmp_path: Path) -> None:
    lines = REQUESTS.read_bytes().splitlines()
    bad = [b"{", b'{"context": {"colour": 1}, "candidates": []}', b""]
    (tmp_path / "requests.jsonl").write_bytes(b"\r\n".join([*lines[:20], *bad, *lines[20:]]) + b"\r\n")
    told: list[str] = []
    made = source_of_module("architectures.attention:make", SCHEMA, tmp_path / "requests.jsonl", max_candidates=40)
    bundle = open_bundle(export_source(made, tmp_path, progress=told.append))
    left_out = [line for line in told if "left out" in line]
    assert left_out[2] == "request line 23 is left out: empty line"
    assert [line.split(" is left out: ")[0] for line in left_out] == [
        "request line 21",
        "request line 22",
        "request line 23",
    ]
    assert "invalid_json" in left_out[0]
    assert "unknown_feature" in left_out[1]
    assert "(feature 'colour')" in left_out[1]
    assert bundle.manifest.document["provenance"]["export"]["requests"] == {"given": 27, "refused": 3}


def test_of_a_kind_the_first_five_are_told_and_then_how_many() -> None:
    front = read_front_yaml(SCHEMA)
    unknown = [b'{"context": {"colour": 1}, "candidates": []}', b""]
    told: list[str] = []
    lines = [*unknown * 40, REQUESTS.read_bytes().splitlines()[3]]
    found = read_samples(lines, front, 30, strict=False, tell=told.append)
    assert (len(found.requests), found.refused) == (1, 80)
    assert len(told) == 12
    assert told[9] == "request line 10 is left out: empty line"
    assert told[10:] == [
        "and 35 more of the same kind are left out: unknown_feature of 'colour'",
        "and 35 more of the same kind are left out: empty line",
    ]


@pytest.mark.parametrize("text", [b"", b"\n", b'{"context": {}, "candidates": []}\n', b"nonsense\n"])
def test_without_a_valid_request_nothing_is_exported(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "requests.jsonl").write_bytes(text)
    with pytest.raises(ExportError) as caught:
        source_of_module("architectures.attention:make", SCHEMA, tmp_path / "requests.jsonl")
    assert caught.value.reason == "no_request"


def test_a_schema_with_problems_lists_them_all(tmp_path: Path) -> None:
    text = SCHEMA.read_text("utf-8").replace("kind: clip", "kind: clap").replace("dtype: float32", "dtype: float16")
    (tmp_path / "schema.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ExportError) as caught:
        source_of_module("architectures.attention:make", tmp_path / "schema.yaml", REQUESTS)
    assert {finding.name for finding in caught.value.findings} == {"schema_invalid"}
    assert "did you mean 'clip'? training" in "".join(map(str, caught.value.findings))
    assert "?." not in "".join(map(str, caught.value.findings))
    assert len(caught.value.findings) >= 3


# ---- the command


def command(*arguments: object) -> Any:
    return CliRunner().invoke(cli.export, [str(argument) for argument in arguments])


def test_the_command_lists_everything_and_writes_nothing(tmp_path: Path) -> None:
    few = tmp_path / "few.jsonl"
    few.write_bytes(b"\n".join(REQUESTS.read_bytes().splitlines()[:2]) + b"\n")
    options = ["--module", "architectures.attention:make", "--schema", SCHEMA, "--requests", few]
    done = command(*options, "--models", tmp_path / "models", "--max-candidates", 30)
    assert done.exit_code == 1
    for word in ("few_requests", "different candidates", "Give more requests", '--allow few_requests="why"'):
        assert word in " ".join(done.output.replace("│", " ").split()), done.output
    assert "nothing was written" in done.output
    assert not (tmp_path / "models").exists()
    done = command(*options, "--models", tmp_path / "models", "--max-candidates", 30, "--allow", "few_requests=a test")
    assert done.exit_code == 0, done.output
    assert "few_requests" in done.output
    assert "ms at n = 20" in done.output
    assert "at n = 200" not in done.output
    (bundle,) = [open_bundle(path) for path in (tmp_path / "models" / "attention").iterdir()]
    (allowed,) = bundle.manifest.allowed
    assert (allowed.finding, allowed.reason) == ("few_requests", "a test")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--xgboost and --catboost, or a network and trees; nothing is given"),
        (["--module", "a:b", "--onnx", SCHEMA], "--module and --onnx are given"),
        (["--module", "a:b", "--schema", SCHEMA], "--module needs --requests"),
        ([SHOP, "--heads", "score"], "A run has its own --heads"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_loaded(arguments: list[Any], words: str, tmp_path: Path) -> None:
    done = command(*arguments, "--models", tmp_path)
    assert done.exit_code == 2
    assert words in " ".join(done.output.split())


def test_the_help_shows_the_five_forms() -> None:
    text = command("--help").output
    assert text.count("\n    twinrank export ") == 5
    assert "\\b" not in text
    assert "--models build/models \\\n        --heads clicked,score" in text


def test_a_request_that_was_left_out_is_not_timed_either(tmp_path: Path) -> None:
    """The first line is JSON with candidates, and refused: an unknown item, under the policy `error`."""
    schema = tmp_path / "schema.yaml"
    item = "{name: item, placement: candidate, dtype: string"
    schema.write_text(SCHEMA.read_text("utf-8").replace(item, item + ", unseen: {policy: error}"), encoding="utf-8")
    requests = tmp_path / "requests.jsonl"
    unseen = b'{"context": {}, "candidates": [{"item": "never", "price": 1}]}\n'
    requests.write_bytes(
        unseen + b'{"context": {"colour": 1}, "candidates": [{"item": "i1"}]}\n' + REQUESTS.read_bytes()
    )
    options = ["--module", "architectures.bags:make", "--schema", schema, "--requests", requests]
    options += ["--heads", "liked,score", "--models", tmp_path / "models", "--max-candidates", 30]
    done = command(*options, "--allow", "few_requests=a test")
    assert done.exit_code == 0, done.output
    told = " ".join(done.output.split())
    assert "request line 1 is left out: unseen_value: 'never' is not in the vocabulary 'items'" in told
    assert "ms at n = 20" in done.output
    # In the order of the model: heads, then score.
    assert done.output.index("torch, liked") < done.output.index("torch, score")


def test_the_samples_are_what_their_generator_writes() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import generate_requests as g; print(chr(10).join(g.requests()))"],
        cwd=SHOP,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert found == REQUESTS.read_text("ascii")
    sizes = [len(json.loads(line)["candidates"]) for line in found.splitlines()]
    assert {1, 26} <= set(sizes)


def test_module_outputs_and_bundle_agree_for_a_wrapped_module(tmp_path: Path) -> None:
    made = source_of_module("architectures.attention:make", SCHEMA, REQUESTS, max_candidates=40)
    bundle = open_bundle(export_source(made, tmp_path))
    raw = REQUESTS.read_bytes().splitlines()[-1]
    expected = module_outputs(made.back.module, made.front, bundle.pack(raw), ("score",))  # type: ignore[attr-defined]
    difference = compare_bits(expected["score"], bundle.score(raw).score)
    assert difference.max_abs <= bundle.manifest.tolerances["score"].a
