"""The ranker: two paths with one meaning, the edges of a history, and a graph whose rows do not know each other."""

import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from twinrank.training.models import SCORE, SlateRanker
from twinrank.training.transforms import EncodedSpec

N, L = 1682, 50
INPUTS = (
    EncodedSpec("user", "context", "int64", (-1,), 9),
    EncodedSpec("age", "context", "float32", (-1,), None),
    EncodedSpec("history", "context", "int64", (-1, L), 101, "items"),
    EncodedSpec("history_mask", "context", "float32", (-1, L), None),
    EncodedSpec("history_age", "context", "int64", (-1, L), 8),
    EncodedSpec("item", "candidate", "int64", (-1,), 101, "items"),
    EncodedSpec("genres", "candidate", "int64", (-1, 6), 20, "genres"),
    EncodedSpec("genres_mask", "candidate", "float32", (-1, 6), None),
    EncodedSpec("popularity", "candidate", "float32", (-1,), None),
)
ARGUMENTS: dict[str, object] = {
    "heads": ["watched", "liked"],
    "score_weights": [1.0, 0.1],
    "item": "item",
    "history": "history",
    "history_mask": "history_mask",
    "history_extras": ["history_age"],
    "list_masks": {"genres": "genres_mask"},
    "widths": {"user": 24},
    "width": 64,
    "small_width": 16,
    "hidden": [64, 32],
    "dropout": 0.3,
    "history_dropout": 0.2,
    "unseen_rates": {"user": 0.5},
}


def a_ranker(**changes: object) -> SlateRanker:
    torch.manual_seed(1)
    module = SlateRanker(inputs=INPUTS, **{**ARGUMENTS, **changes})  # type: ignore[arg-type]
    for parameter in module.parameters():
        # Larger weights than at the start, so that no operation hides behind small numbers.
        nn.init.normal_(parameter, std=0.4)
    return module.eval()


def encoded(contexts: int, candidates: int, *, history: int = 20, seed: int = 2) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def ids(rows: int, high: int, *shape: int) -> Tensor:
        return torch.randint(0, high, (rows, *shape), generator=generator)

    lengths = ids(candidates, 7)
    return {
        "user": ids(contexts, 9),
        "age": torch.randn(contexts, generator=generator),
        "history": ids(contexts, 101, L),
        "history_mask": (torch.arange(L) < history).float().expand(contexts, L),
        "history_age": ids(contexts, 8, L),
        "item": ids(candidates, 101),
        "genres": ids(candidates, 20, 6),
        "genres_mask": (torch.arange(6) < lengths[:, None]).float(),
        "popularity": torch.randn(candidates, generator=generator),
    }


def candidate_names() -> list[str]:
    return [spec.name for spec in INPUTS if spec.placement == "candidate"]


def test_heads_come_in_order_and_the_score_is_their_weighted_sum() -> None:
    with torch.no_grad():
        outputs = a_ranker()(**encoded(1, 5))
    assert list(outputs) == ["watched", "liked", SCORE]
    assert all(value.shape == (5,) and value.dtype == torch.float32 for value in outputs.values())
    torch.testing.assert_close(outputs[SCORE], outputs["watched"] + 0.1 * outputs["liked"])


def test_the_training_path_equals_the_serving_path() -> None:
    # In float64, where another order of summation stays below the tolerance and another formula does not.
    module = a_ranker().double()
    slates = [
        {name: value.double() if value.is_floating_point() else value for name, value in slate.items()}
        for slate in (encoded(1, 12, seed=seed, history=seed * 5) for seed in range(4))
    ]
    batch = {
        name: torch.stack([slate[name] for slate in slates])
        if name in candidate_names()
        else torch.cat([slate[name] for slate in slates])
        for name in slates[0]
    }
    with torch.no_grad():
        together = module.forward_batch(**batch)
        for row, slate in enumerate(slates):
            for name, alone in module(**slate).items():
                torch.testing.assert_close(together[name][row], alone, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("training", [False, True])
def test_an_empty_history_is_valid_and_what_pads_it_does_not_matter(training: bool) -> None:
    module = a_ranker().train(training)
    slate = encoded(1, 3, history=0)
    torch.manual_seed(5)
    first = module(**slate)[SCORE]
    slate["history"], slate["history_age"] = 100 - slate["history"], 7 - slate["history_age"]
    torch.manual_seed(5)
    assert torch.equal(first, module(**slate)[SCORE])
    assert torch.isfinite(first).all()
    first.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in module.parameters() if p.grad is not None)


def test_padding_of_a_candidate_list_does_not_matter() -> None:
    module = a_ranker()
    slate = encoded(1, 40)
    with torch.no_grad():
        first = module(**slate)[SCORE]
        slate["genres"] = torch.where(slate["genres_mask"] > 0, slate["genres"], 19 - slate["genres"])
        assert torch.equal(first, module(**slate)[SCORE])


def test_a_history_event_changes_the_score() -> None:
    module = a_ranker()
    slate = encoded(1, 3, history=2)
    with torch.no_grad():
        first = module(**slate)[SCORE]
        slate["history"] = slate["history"].clone()
        slate["history"][0, 1] = (slate["history"][0, 1] + 1) % 101
        assert not torch.equal(first, module(**slate)[SCORE])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"item": "film"}, r"no transform makes \['film'\]"),
        ({"item": "user"}, "must be a candidate tensor"),
        ({"history_extras": []}, r"context lists are .* but the history uses \['history', 'history_mask'\]"),
        ({"list_masks": {}}, "candidate lists are"),
        ({"history": "history_mask", "history_mask": "history"}, "holds numbers"),
        ({"heads": ["watched", "score"]}, "none may be named 'score'"),
        ({"score_weights": [1.0]}, "as many score weights"),
    ],
)
def test_roles_that_do_not_fit_the_front_graph_are_refused(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        a_ranker(**changes)


class Positional(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        names = [spec.name for spec in INPUTS]
        return tuple(self.module(**dict(zip(names, tensors, strict=True))).values())


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> onnxruntime.InferenceSession:
    """The ranker as a graph, under the session options of the contract."""
    slate = encoded(1, 5)
    axis = torch.export.Dim("n", min=2)
    shapes = tuple({0: axis} if spec.placement == "candidate" else None for spec in INPUTS)
    path = tmp_path_factory.mktemp("graph") / "model.onnx"

    with warnings.catch_warnings():
        # The exporter warns of its own internals.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Positional(a_ranker()).eval(),
            tuple(slate[spec.name] for spec in INPUTS),
            str(path),
            dynamo=True,
            opset_version=20,
            dynamic_shapes=(shapes,),
            input_names=[f"encoded.{spec.name}" for spec in INPUTS],
            external_data=False,
            verbose=False,
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(Path(path).read_bytes(), options, providers=["CPUExecutionProvider"])


def run(session: onnxruntime.InferenceSession, slate: dict[str, Tensor]) -> list[np.ndarray]:
    found: list[np.ndarray] = session.run(None, {f"encoded.{name}": value.numpy() for name, value in slate.items()})
    return found


@pytest.mark.parametrize("history", [0, 1, 50])
def test_the_graph_gives_each_candidate_the_same_bits_in_any_slate(
    session: onnxruntime.InferenceSession, history: int
) -> None:
    slate = encoded(1, N, history=history)
    whole = run(session, slate)
    assert [value.shape for value in whole] == [(N,)] * 3
    compared = 0
    for size in (1, 2, 3, 7, 16, 33):
        for start in range(0, 66, size):
            part = {
                name: value[start : start + size] if name in candidate_names() else value
                for name, value in slate.items()
            }
            for full, alone in zip(whole, run(session, part), strict=True):
                assert full[start : start + size].tobytes() == alone.tobytes(), (size, start)
                compared += len(alone)
    assert compared > 1000


def test_the_graph_is_the_module(session: onnxruntime.InferenceSession) -> None:
    for candidates in (1, 2, 3, 7, N):
        slate = encoded(1, candidates, seed=candidates)
        with torch.no_grad():
            expected = a_ranker()(**slate)
        for (name, value), found in zip(expected.items(), run(session, slate), strict=True):
            np.testing.assert_allclose(found, value.numpy(), rtol=1e-4, atol=1e-4, err_msg=name)


VECTORS = (
    *INPUTS,
    EncodedSpec("mood", "context", "float32", (-1, 3), None, is_vector=True),
    EncodedSpec("picture", "candidate", "float32", (-1, 5), None, is_vector=True),
)


def test_vectors_are_inputs_like_numbers() -> None:
    torch.manual_seed(1)
    module = SlateRanker(inputs=VECTORS, **ARGUMENTS).eval()  # type: ignore[arg-type]
    plain = a_ranker()
    assert module.key.in_features == plain.key.in_features + 5
    assert module.query.in_features == plain.query.in_features + 3
    generator = torch.Generator().manual_seed(3)
    slates = [
        encoded(1, 4, seed=seed)
        | {"mood": torch.randn(1, 3, generator=generator), "picture": torch.randn(4, 5, generator=generator)}
        for seed in range(2)
    ]
    names = {spec.name for spec in VECTORS if spec.placement == "candidate"}
    batch = {
        name: torch.stack([s[name] for s in slates]) if name in names else torch.cat([s[name] for s in slates])
        for name in slates[0]
    }
    with torch.no_grad():
        together = module.forward_batch(**batch)[SCORE]
        for row, slate in enumerate(slates):
            torch.testing.assert_close(together[row], module(**slate)[SCORE])
            for name, component in (("mood", (0, 2)), ("picture", (1, 4))):
                moved = slate[name].clone()
                moved[component] += 1
                changed = module(**slate | {name: moved})[SCORE]
                assert not torch.equal(changed, module(**slate)[SCORE]), name


def test_a_vector_is_no_list_and_a_raw_number_no_input() -> None:
    with pytest.raises(ValueError, match="candidate lists are"):
        SlateRanker(inputs=VECTORS, **ARGUMENTS | {"list_masks": {"genres": "picture"}})  # type: ignore[arg-type]
    raw = (*INPUTS, EncodedSpec("price", "candidate", "float64", (-1,), None))
    with pytest.raises(ValueError, match="'price' holds float64 numbers; this ranker takes float32"):
        SlateRanker(inputs=raw, **ARGUMENTS)  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", [1, 4])
def test_training_visits_every_unseen_row(rows: int) -> None:
    user = EncodedSpec("user", "context", "int64", (-1,), 9, "users", unseen_rows=rows)
    module = SlateRanker(inputs=(user, *INPUTS[1:]), **ARGUMENTS | {"unseen_rates": {"user": 0.9}})  # type: ignore[arg-type]
    module.train()
    torch.manual_seed(4)
    slate = encoded(200, 3)
    slate["user"] = torch.full((200,), 8)
    batch = {
        name: value if name in {s.name for s in INPUTS if s.placement == "context"} else value.expand(200, *value.shape)
        for name, value in slate.items()
    }
    module.forward_batch(**batch)[SCORE].sum().backward()
    gradient = module.context.tables["user"].weight.grad
    assert gradient is not None
    assert torch.nonzero(gradient.abs().sum(dim=1)).flatten().tolist() == [*range(rows), 8]
