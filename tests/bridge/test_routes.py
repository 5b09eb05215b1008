import sys
from pathlib import Path

import pytest

import twinrank.bridge.routes as catalogue
from twinrank.bridge import RouteOptions
from twinrank.bridge._errors import UserError
from twinrank.bridge._verify import select

TINY = Path(__file__).resolve().parents[1] / "contract" / "vectors" / "bundles" / "tiny" / "1"


def test_the_routes_are_the_modules() -> None:
    assert catalogue.names() == (
        "ort",
        "catboost",
        "http",
        "jpype",
        "lightgbm",
        "oip-grpc",
        "oip-http",
        "probe",
        "py4j",
        "python",
        "torch",
        "xgboost",
    )


@pytest.mark.parametrize("name", catalogue.names())
def test_every_route_declares_itself(name: str) -> None:
    declared = catalogue.route(name)
    assert declared.name == name
    assert declared.summary
    levels = {"torch": "reference", "catboost": "trees", "lightgbm": "trees", "xgboost": "trees"}
    assert declared.level == levels.get(name, "bits")


def test_an_unknown_route_lists_the_known_ones() -> None:
    with pytest.raises(KeyError, match="no route 'grpc'; there are ort, catboost, http"):
        catalogue.route("grpc")


def test_a_new_file_is_a_new_route(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "grpc.py").write_text(
        "from twinrank.bridge import Route\nROUTE = Route('grpc', 'planted', 'bits', lambda bundle, options: None)\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(catalogue, "__path__", [*catalogue.__path__, str(tmp_path)])
    assert "grpc" in catalogue.names()
    assert catalogue.route("grpc").summary == "planted"
    chosen, _ = select(TINY, (), RouteOptions())
    assert "grpc" in [route.name for route in chosen]
    monkeypatch.delitem(sys.modules, "twinrank.bridge.routes.grpc")


def test_the_baseline_is_not_compared_with_itself() -> None:
    chosen, left_out = select(TINY, (), RouteOptions(run=Path("run"), python=("python3",)))
    assert [route.name for route in chosen] == ["http", "jpype", "probe", "py4j", "python", "torch"]
    # They ask the same server as http once more, so they wait until somebody names them.
    assert set(left_out) == {"oip-grpc", "oip-http", "catboost", "lightgbm", "xgboost"}


def test_what_lacks_an_input_is_left_out_and_says_so() -> None:
    chosen, left_out = select(TINY, (), RouteOptions())
    assert not {"python", "torch"} & {route.name for route in chosen}
    assert left_out.pop("oip-grpc").endswith("--route oip-grpc asks it by tensors")
    assert left_out.pop("oip-http").endswith("--route oip-http asks it by tensors")
    assert left_out == {
        "catboost": "this bundle's scores are not CatBoost's",
        "lightgbm": "this bundle's scores are not LightGBM's",
        "python": "needs --python COMMAND",
        "torch": "needs --run RUN",
        "xgboost": "this bundle's scores are not XGBoost's",
    }


def test_a_route_that_was_asked_for_is_never_left_out() -> None:
    chosen, left_out = select(TINY, ("torch",), RouteOptions())
    assert [route.name for route in chosen] == ["torch"]
    assert left_out == {}


def test_an_unknown_name_is_a_usage_error() -> None:
    with pytest.raises(UserError, match="grpc") as caught:
        select(TINY, ("probe", "grpc"), RouteOptions())
    assert caught.value.exit_code == 2
    assert "choose from ort, catboost, http" in caught.value.remedy
