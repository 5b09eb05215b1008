"""The checks over HTTP. REST is kserve/open-inference-protocol's inference_rest.md; the extensions are Triton's."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import httpx

from conformance._model import (
    DATATYPES,
    Check,
    Level,
    NotHereError,
    Target,
    compressed,
    expect,
    flat,
    nested,
    same,
    unpacked,
    with_binary,
)

CHECKS: list[Check] = []

_REST = "inference_rest.md, "
_STATISTICS = (
    "success",
    "fail",
    "queue",
    "compute_input",
    "compute_infer",
    "compute_output",
    "cache_hit",
    "cache_miss",
)


def check(level: Level, clause: str) -> Callable[[Callable[[Target], None]], Callable[[Target], None]]:
    """Add a check, named as its function is."""

    def add(run: Callable[[Target], None]) -> Callable[[Target], None]:
        CHECKS.append(Check(f"http.{run.__name__}", level, clause, run))
        return run

    return add


def refused(answer: httpx.Response, what: str) -> None:
    """Expect an error as the specification writes one."""
    expect(400 <= answer.status_code < 500, f"{what}: {answer.status_code} {answer.text[:200]}, not 4xx")
    try:
        told = answer.json()
    except ValueError:
        told = None
    expect(
        isinstance(told, dict) and isinstance(told.get("error"), str) and told["error"],
        f'{what}: the body is {answer.text[:200]!r}, not {{"error": text}}',
    )


# ---- health and metadata


@check("must", _REST + "Health")
def live_is_200(target: Target) -> None:
    answer = target.get("/v2/health/live")
    expect(answer.status_code == 200, f"{answer.status_code}")


@check("must", _REST + "Health")
def ready_is_200(target: Target) -> None:
    answer = target.get("/v2/health/ready")
    expect(answer.status_code == 200, f"{answer.status_code}")


@check("should", _REST + "Health, $live_server_response (Triton: empty)")
def health_bodies_are_json(target: Target) -> None:
    for path, member in (("live", "live"), ("ready", "ready")):
        answer = target.get(f"/v2/health/{path}")
        expect(answer.content, f"{path}: the body is empty")
        expect(answer.json().get(member) is True, f"{path}: {answer.text[:100]}")


@check("must", _REST + "Health, model ready")
def model_ready_is_200(target: Target) -> None:
    expect(target.get(f"/v2/models/{target.model}/ready").status_code == 200, "not 200")


@check("must", _REST + "Health, model ready")
def an_unknown_model_is_not_ready(target: Target) -> None:
    answer = target.get("/v2/models/no-such-model/ready")
    expect(answer.status_code >= 400, f"{answer.status_code} for a model that is not there")


@check("must", _REST + "Server Metadata")
def server_metadata_has_its_members(target: Target) -> None:
    answer = target.get("/v2")
    expect(answer.status_code == 200, f"{answer.status_code}")
    told = answer.json()
    expect(isinstance(told.get("name"), str) and isinstance(told.get("version"), str), f"{told}")
    listed = told.get("extensions")
    expect(isinstance(listed, list) and all(isinstance(each, str) for each in listed), f"extensions: {listed!r}")


@check("must", _REST + "Model Metadata")
def model_metadata_has_its_members(target: Target) -> None:
    told = target.metadata()
    expect(told.get("name") == target.model, f"name: {told.get('name')!r}")
    expect(isinstance(told.get("platform"), str), f"platform: {told.get('platform')!r}")
    versions = told.get("versions", [])
    expect(isinstance(versions, list) and all(isinstance(each, str) for each in versions), f"versions: {versions!r}")
    for kind in ("inputs", "outputs"):
        expect(isinstance(told.get(kind), list) and told[kind], f"{kind}: {told.get(kind)!r}")
        for tensor in told[kind]:
            expect(isinstance(tensor.get("name"), str), f"{tensor}")
            expect(tensor.get("datatype") in DATATYPES, f"datatype of {tensor.get('name')}: {tensor.get('datatype')!r}")
            shape = tensor.get("shape")
            good = isinstance(shape, list) and all(isinstance(size, int) and size >= -1 for size in shape)
            expect(good, f"shape of {tensor.get('name')}: {shape!r}")


@check("must", _REST + "Model Metadata, versions/${MODEL_VERSION}")
def versions_have_paths(target: Target) -> None:
    versions = target.metadata().get("versions") or []
    if not versions:
        raise NotHereError("the model tells no versions")
    base = f"/v2/models/{target.model}/versions/{versions[0]}"
    expect(target.get(base).status_code == 200, f"{base}: {target.get(base).status_code}")
    expect(target.get(f"{base}/ready").status_code == 200, f"{base}/ready is not 200")
    answer = target.post(f"{base}/infer", target.body())
    expect(answer.status_code == 200, f"{base}/infer: {answer.status_code} {answer.text[:200]}")
    told = answer.json().get("model_version")
    expect(told in (None, versions[0]), f"model_version is {told!r}, version {versions[0]!r} was asked")


@check("must", _REST + "Model Metadata, errors")
def metadata_of_an_unknown_model_is_an_error(target: Target) -> None:
    refused(target.get("/v2/models/no-such-model"), "metadata of a model that is not there")


# ---- inference


@check("must", _REST + "Inference Response JSON Object")
def an_answer_has_its_members(target: Target) -> None:
    told = target.answer()
    expect(told.get("model_name") == target.model, f"model_name: {told.get('model_name')!r}")
    expect(isinstance(told.get("outputs"), list) and told["outputs"], f"outputs: {told.get('outputs')!r}")
    for output in told["outputs"]:
        expect({"name", "shape", "datatype", "data"} <= set(output), f"an output has {sorted(output)}")
        size = 1
        for each in output["shape"]:
            size *= each
        expect(len(flat(output["data"])) == size, f"{output['name']}: {len(flat(output['data']))} values, {output}")


@check("must", _REST + "Inference Response JSON Object, datatype")
def outputs_have_the_datatypes_of_the_metadata(target: Target) -> None:
    declared = {each["name"]: each["datatype"] for each in target.metadata()["outputs"]}
    for output in target.answer()["outputs"]:
        expect(declared.get(output["name"]) == output["datatype"], f"{output['name']} is {output['datatype']}")


@check("must", _REST + "Tensor Data: nested or flattened")
def nested_and_flat_data_are_the_same(target: Target) -> None:
    plain = target.answer()["outputs"]
    deep, told = target.body(), False
    for each in deep["inputs"]:
        told = told or len(each["shape"]) > 1
        each["data"] = nested(flat(each["data"]), each["shape"])
    level = target.body()
    for each in level["inputs"]:
        each["data"] = flat(each["data"])
    expect(target.infer(level)["outputs"] == plain, "flat data give another answer")
    if not told:
        raise NotHereError("no input has two dimensions")
    expect(target.infer(deep)["outputs"] == plain, "nested data give another answer")


@check("must", _REST + "Tensor Data: BYTES; UTF-8 as JSON")
def strings_are_utf8(target: Target) -> None:
    place = next(target.places("BYTES"), None)
    if place is None:
        raise NotHereError("no input of BYTES")
    one = target.inputs()[place]
    values = ["é漢😀"] * len(flat(one["data"]))
    escaped = json.dumps(target.changed(place, data=values)).encode()
    plain = json.dumps(target.changed(place, data=values), ensure_ascii=False).encode()
    answers = [target.post(target.infer_path, body) for body in (escaped, plain)]
    if "binary_tensor_data" in target.extensions():
        kept = replace(target, request=target.changed(place, data=values)["inputs"])
        body, headers = with_binary(kept, [place])
        answers.append(target.post(target.infer_path, body, headers))
    told = [each.status_code for each in answers]
    expect(len(set(told)) == 1, f"escaped, plain and in binary form: {told}")
    if told[0] != 200:
        raise NotHereError("the model refuses such strings")
    outputs = [each.json()["outputs"] for each in answers]
    expect(all(each == outputs[0] for each in outputs), "escaped, plain and in binary form give several answers")


@check("must", _REST + "Tensor Data: INT64")
def large_integers_keep_their_last_bit(target: Target) -> None:
    target.claim("binary_tensor_data")
    place = next(target.places("INT64"), None)
    if place is None:
        raise NotHereError("no input of INT64")
    one = target.inputs()[place]
    values = [2**53 + 1] * len(flat(one["data"]))
    body = target.changed(place, data=values)
    asked = target.post(target.infer_path, body)
    if asked.status_code != 200:
        raise NotHereError("the model refuses such integers")
    kept = replace(target, request=body["inputs"])
    raw, headers = with_binary(kept, [place])
    told = target.post(target.infer_path, raw, headers)
    expect(told.status_code == 200, f"in binary form: {told.status_code} {told.text[:200]}")
    expect(told.json()["outputs"] == asked.json()["outputs"], "2^53+1 is another number in JSON than in binary form")


@check("must", _REST + "Inference Response JSON Object, id")
def the_id_is_echoed(target: Target) -> None:
    for given in ("1", 'a "b" \\ é😀', "x" * 300):
        told = target.infer(target.body(id=given)).get("id")
        expect(told == given, f"{given!r} came back as {told!r}")


@check("must", _REST + "Inference Request JSON Object, outputs")
def without_outputs_all_are_returned(target: Target) -> None:
    declared = {each["name"] for each in target.metadata()["outputs"]}
    told = {each["name"] for each in target.answer()["outputs"]}
    expect(told == declared, f"returned {sorted(told)}, declared {sorted(declared)}")


@check("must", _REST + "Inference Request JSON Object, outputs")
def named_outputs_alone_are_returned(target: Target) -> None:
    names = [each["name"] for each in target.metadata()["outputs"]][::-1][:2]
    told = target.infer(target.body(outputs=[{"name": name} for name in names]))["outputs"]
    expect({each["name"] for each in told} == set(names), f"asked {names}, got {[each['name'] for each in told]}")


def _wrong(target: Target) -> Sequence[tuple[str, str, object]]:
    """Return requests that no server may answer: a name, the path, the body."""
    path, good = target.infer_path, target.body()
    first = target.inputs()[0]
    return [
        ("no JSON", path, b'{"inputs": ['),
        ("no inputs", path, {}),
        ("an input of a name that is none", path, target.changed(0, name="no-such-input")),
        (
            "one input more, of a name that is none",
            path,
            {**good, "inputs": [*good["inputs"], {**first, "name": "more"}]},
        ),
        ("a row that has no values", path, target.changed(0, shape=[first["shape"][0] + 1, *first["shape"][1:]])),
        ("a datatype that is none", path, target.changed(0, datatype="FLOAT")),
        ("a shape of more values", path, target.changed(0, shape=[7, *first["shape"]])),
        ("a negative size", path, target.changed(0, shape=[-1] * len(first["shape"]))),
        ("the same input twice", path, {**good, "inputs": [*good["inputs"], good["inputs"][0]]}),
        ("an output that is none", path, {**good, "outputs": [{"name": "no-such-output"}]}),
        ("a model that is not there", "/v2/models/no-such-model/infer", good),
        ("a version that is not there", f"/v2/models/{target.model}/versions/987654/infer", good),
    ]


@check("must", _REST + "Inference Response, errors")
def wrong_requests_are_errors_of_their_sender(target: Target) -> None:
    for name, path, body in _wrong(target):
        refused(target.post(path, body), name)


@check("must", _REST + "Inference Response, errors")
def the_server_answers_after_wrong_requests(target: Target) -> None:
    before = target.answer()["outputs"]
    for _, path, body in _wrong(target):
        target.post(path, body)
    expect(target.answer()["outputs"] == before, "another answer than before")


@check("should", "Triton: 404 for what is not there")
def what_is_not_there_is_404(target: Target) -> None:
    for path in ("/v2/models/no-such-model", "/v2/models/no-such-model/config"):
        expect(target.get(path).status_code == 404, f"{path}: {target.get(path).status_code}")


# ---- extensions

_BINARY = "Triton, extension_binary_data.md, "


@check("extension", _BINARY + "Binary Tensor Request")
def binary_inputs_give_the_same(target: Target) -> None:
    target.claim("binary_tensor_data")
    plain = target.answer()["outputs"]
    every = range(len(target.inputs()))
    for places in (list(every), list(every)[:1], list(every)[1::2]):
        body, headers = with_binary(target, places)
        answer = target.post(target.infer_path, body, headers)
        expect(answer.status_code == 200, f"inputs {places} binary: {answer.status_code} {answer.text[:200]}")
        expect(answer.json()["outputs"] == plain, f"inputs {places} in binary form give another answer")


def _binary_answer(target: Target, **more: object) -> tuple[dict[str, Any], dict[str, list[Any]], httpx.Response]:
    answer = target.post(target.infer_path, target.body(**more))
    expect(answer.status_code == 200, f"{answer.status_code} {answer.text[:200]}")
    length = answer.headers.get("Inference-Header-Content-Length")
    expect(length is not None, "no Inference-Header-Content-Length in the answer")
    told = json.loads(answer.content[: int(str(length))])
    at, found = int(str(length)), {}
    for output in told["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is not None:
            found[output["name"]] = unpacked(output["datatype"], answer.content[at : at + size])
            at += size
    expect(at == len(answer.content), f"{len(answer.content) - at} bytes are nobody's")
    return told, found, answer


@check("extension", _BINARY + "Binary Tensor Response, binary_data")
def a_binary_output_has_the_same_values(target: Target) -> None:
    target.claim("binary_tensor_data")
    plain = {each["name"]: each for each in target.answer()["outputs"]}
    names = list(plain)
    wanted = [{"name": name, "parameters": {"binary_data": name == names[0]}} for name in names]
    told, found, answer = _binary_answer(target, outputs=wanted)
    expect(list(found) == [names[0]], f"asked {names[0]} in binary form, got {list(found)}")
    for output in told["outputs"]:
        values = found.get(output["name"]) or output.get("data")
        expect(values is not None, f"{output['name']} has no values")
        good = same(values or [], flat(plain[output["name"]]["data"]), output["datatype"])
        expect(good, f"{output['name']} has other values in this form")
    kind = answer.headers.get("Content-Type")
    expect(kind == "application/octet-stream", f"Content-Type is {kind}")


@check("extension", _BINARY + "binary_data_output")
def all_outputs_are_binary_when_asked_at_once(target: Target) -> None:
    target.claim("binary_tensor_data")
    plain = {each["name"]: each for each in target.answer()["outputs"]}
    _, found, _ = _binary_answer(target, parameters={**target.parameters, "binary_data_output": True})
    expect(set(found) == set(plain), f"in binary form: {sorted(found)} of {sorted(plain)}")
    for name, values in found.items():
        expect(same(values, flat(plain[name]["data"]), plain[name]["datatype"]), f"{name} has other values")


@check("extension", _BINARY + "as Triton's C++ client reads it")
def outputs_have_no_parameters_but_their_size(target: Target) -> None:
    target.claim("binary_tensor_data")
    for output in target.answer()["outputs"]:
        told = output.get("parameters")
        expect(told is None or "binary_data_size" in told, f"{output['name']} has parameters {told}")


@check("extension", _BINARY + "Inference-Header-Content-Length")
def wrong_binary_sizes_are_refused(target: Target) -> None:
    target.claim("binary_tensor_data")
    body, headers = with_binary(target, [0])
    length = int(headers["Inference-Header-Content-Length"])
    for what, wrong, told in (
        ("bytes are missing", body[:-1], length),
        ("bytes are left", body + b"\0", length),
        ("the header ends too early", body, length - 3),
        ("the header is longer than all", body, len(body) + 1),
    ):
        answer = target.post(target.infer_path, wrong, {**headers, "Inference-Header-Content-Length": str(told)})
        refused(answer, what)


@check("extension", "Triton, HTTP compression")
def compressed_bodies_are_read(target: Target) -> None:
    plain = target.answer()["outputs"]
    for coding in ("gzip", "deflate"):
        body = compressed(json.dumps(target.body()).encode(), coding)
        told = target.infer(body, {"Content-Encoding": coding})
        expect(told["outputs"] == plain, f"{coding} gives another answer")
        told = target.infer(target.body(), {"Accept-Encoding": coding})
        expect(told["outputs"] == plain, f"Accept-Encoding: {coding} gives another answer")


@check("extension", "Triton, extension_statistics.md")
def statistics_are_whole(target: Target) -> None:
    _stats(target)


def _stats(target: Target) -> Mapping[str, Any]:
    target.claim("statistics")
    target.answer()
    answer = target.get(f"/v2/models/{target.model}/stats")
    expect(answer.status_code == 200, f"{answer.status_code} {answer.text[:200]}")
    told = answer.json().get("model_stats")
    expect(isinstance(told, list) and len(told) > 0, f"model_stats: {told!r}")
    one = told[-1]
    for name in ("name", "version", "last_inference", "inference_count", "execution_count", "batch_stats"):
        expect(name in one, f"no {name}")
    expect(str(one["version"]).isdecimal(), f"version {one['version']!r} is no integer, which perf_analyzer needs")
    for name in _STATISTICS:
        each = one.get("inference_stats", {}).get(name)
        expect(isinstance(each, dict) and {"count", "ns"} <= set(each), f"inference_stats.{name} is {each!r}")
    return dict(one)


@check("extension", "Triton, extension_statistics.md")
def statistics_count_every_inference_once(target: Target) -> None:
    before = _stats(target)["inference_stats"]
    for _ in range(3):
        target.answer()
    after = _stats(target)["inference_stats"]  # which infers once itself
    for name in ("success", "queue", "compute_input", "compute_infer", "compute_output"):
        grew = after[name]["count"] - before[name]["count"]
        expect(grew == 4, f"{name} grew by {grew} for 4 inferences")


@check("extension", "Triton, extension_model_configuration.md")
def the_configuration_fits_the_metadata(target: Target) -> None:
    target.claim("model_configuration")
    answer = target.get(f"/v2/models/{target.model}/config")
    expect(answer.status_code == 200, f"{answer.status_code} {answer.text[:200]}")
    told, metadata = answer.json(), target.metadata()
    expect(told.get("name") == target.model, f"name: {told.get('name')!r}")
    expect(isinstance(told.get("max_batch_size"), int), f"max_batch_size: {told.get('max_batch_size')!r}")
    for kind in ("input", "output"):
        names = [each["name"] for each in told.get(kind, [])]
        declared = [each["name"] for each in metadata[f"{kind}s"]]
        expect(names == declared, f"{kind}: {names}, the metadata have {declared}")
    if told["max_batch_size"] > 0:
        for each in metadata["inputs"]:
            expect(each["shape"][0] == -1, f"{each['name']}: {each['shape']} has no batch dimension")


@check("extension", "Triton, extension_model_repository.md, Index")
def the_repository_lists_the_model(target: Target) -> None:
    target.claim("model_repository")
    answer = target.post("/v2/repository/index", {"ready": True})
    expect(answer.status_code == 200, f"{answer.status_code} {answer.text[:200]}")
    told = answer.json()
    expect(isinstance(told, list), f"{told!r} is no array")
    mine = [each for each in told if each.get("name") == target.model]
    expect(mine and all(each.get("state") == "READY" for each in mine), f"{told}")
