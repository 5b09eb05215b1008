"""The checks over gRPC, against kserve/open-inference-protocol's inference_grpc.md and Triton's superset.

Messages and stubs are tritonclient's (`pip install tritonclient[grpc]`), so that nothing here is our server's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

from conformance._model import (
    SECONDS,
    BrokenError,
    Check,
    Level,
    NotHereError,
    Target,
    binary,
    expect,
    flat,
    same,
    unpacked,
)

CHECKS: list[Check] = []
_GRPC = "inference_grpc.md, "

_CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


def check(level: Level, clause: str) -> Callable[[Callable[[Target], None]], Callable[[Target], None]]:
    """Add a check, named as its function is."""

    def add(run: Callable[[Target], None]) -> Callable[[Target], None]:
        CHECKS.append(Check(f"grpc.{run.__name__}", level, clause, run))
        return run

    return add


def _call(target: Target, method: str, request: Any, **options: Any) -> Any:
    """Call a method; the answer, or `BrokenError` with the status."""
    if target.channel is None:
        target.channel = grpc.insecure_channel(target.grpc)
    stub = service_pb2_grpc.GRPCInferenceServiceStub(target.channel)
    try:
        return getattr(stub, method)(request, timeout=SECONDS, **options)
    except grpc.RpcError as error:
        raise StatusError(error.code(), error.details()) from error


class StatusError(BrokenError):
    """A call that ended with another status than OK."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(f"{code.name}: {details}")
        self.code = code


def refused(target: Target, method: str, request: Any, what: str, *codes: grpc.StatusCode) -> None:
    """Expect a status that tells the caller of a mistake of his."""
    allowed = codes or (grpc.StatusCode.INVALID_ARGUMENT,)
    try:
        _call(target, method, request)
    except StatusError as status:
        expect(status.code in allowed, f"{what}: {status}")
        return
    raise BrokenError(f"{what}: answered")


def metadata(target: Target) -> dict[str, Any]:
    """Return a model's metadata as its JSON form has them."""
    told = _call(target, "ModelMetadata", service_pb2.ModelMetadataRequest(name=target.model))

    def tensors(listed: Any) -> list[dict[str, Any]]:
        return [{"name": each.name, "datatype": each.datatype, "shape": list(each.shape)} for each in listed]

    return {
        "name": told.name,
        "versions": list(told.versions),
        "platform": told.platform,
        "inputs": tensors(told.inputs),
        "outputs": tensors(told.outputs),
    }


def request(target: Target, *, typed: bool = False) -> Any:
    """Return the plain request, with raw or typed contents."""
    told = service_pb2.ModelInferRequest(model_name=target.model)
    for name, value in target.parameters.items():
        told.parameters[name].int64_param = value
    for each in target.inputs():
        tensor = told.inputs.add(name=each["name"], datatype=each["datatype"], shape=each["shape"])
        if not typed:
            told.raw_input_contents.append(binary(each))
            continue
        if each["datatype"] not in _CONTENTS:
            raise NotHereError(f"{each['datatype']} has no typed contents")
        values = [value.encode() if isinstance(value, str) else value for value in flat(each["data"])]
        if each["datatype"].startswith("FP"):
            values = [float(value) for value in values]
        tensor.contents.SetInParent()
        getattr(tensor.contents, _CONTENTS[each["datatype"]]).extend(values)
    return told


def values(answer: Any) -> dict[str, tuple[str, list[int], bytes]]:
    """Return datatype, shape and raw bytes of each output."""
    expect(
        len(answer.raw_output_contents) == len(answer.outputs),
        f"{len(answer.outputs)} outputs and {len(answer.raw_output_contents)} raw_output_contents",
    )
    return {
        each.name: (each.datatype, list(each.shape), raw)
        for each, raw in zip(answer.outputs, answer.raw_output_contents, strict=True)
    }


@check("must", _GRPC + "Health")
def the_server_is_live_and_ready(target: Target) -> None:
    expect(_call(target, "ServerLive", service_pb2.ServerLiveRequest()).live, "not live")
    expect(_call(target, "ServerReady", service_pb2.ServerReadyRequest()).ready, "not ready")


@check("must", _GRPC + "Health")
def the_model_is_ready_and_an_unknown_one_is_not(target: Target) -> None:
    expect(_call(target, "ModelReady", service_pb2.ModelReadyRequest(name=target.model)).ready, "not ready")
    try:
        told = _call(target, "ModelReady", service_pb2.ModelReadyRequest(name="no-such-model")).ready
    except StatusError as status:
        expect(status.code == grpc.StatusCode.NOT_FOUND, f"an unknown model: {status}")
        return
    expect(not told, "a model that is not there is ready")


@check("must", _GRPC + "Metadata")
def metadata_have_their_fields(target: Target) -> None:
    server = _call(target, "ServerMetadata", service_pb2.ServerMetadataRequest())
    expect(server.name and server.version, f"{server}")
    told = metadata(target)
    expect(told["name"] == target.model and told["inputs"] and told["outputs"], f"{told}")
    if target.http:
        listed = target.metadata()
        for kind in ("inputs", "outputs"):
            expect(
                told[kind] == [{name: each[name] for name in ("name", "datatype", "shape")} for each in listed[kind]],
                f"{kind} are others than over HTTP",
            )


@check("must", _GRPC + "Infer; ModelInferResponse")
def an_answer_has_its_fields(target: Target) -> None:
    asked = request(target)
    asked.id = 'a "b" \\ é'
    told = _call(target, "ModelInfer", asked)
    expect(told.model_name == target.model, f"model_name: {told.model_name!r}")
    expect(told.id == asked.id, f"the id came back as {told.id!r}")
    declared = {each["name"]: each["datatype"] for each in metadata(target)["outputs"]}
    expect({each.name: each.datatype for each in told.outputs} == declared, f"outputs: {declared}")


@check("must", _GRPC + "raw_output_contents, which is all that tritonclient reads")
def outputs_are_raw(target: Target) -> None:
    for name, (datatype, shape, raw) in values(_call(target, "ModelInfer", request(target))).items():
        count = int(np.prod(shape))
        found = len(unpacked(datatype, raw))
        expect(found == count, f"{name} has {found} values, its shape {shape} has {count}")


@check("must", _GRPC + "InferTensorContents")
def typed_contents_give_the_same(target: Target) -> None:
    raw = values(_call(target, "ModelInfer", request(target)))
    expect(values(_call(target, "ModelInfer", request(target, typed=True))) == raw, "another answer")


@check("must", _GRPC + "the same model as over HTTP")
def values_are_those_of_http(target: Target) -> None:
    if not target.http:
        raise NotHereError("no HTTP to compare with")
    told = values(_call(target, "ModelInfer", request(target)))
    for each in target.answer()["outputs"]:
        datatype, shape, raw = told[each["name"]]
        expect((datatype, shape) == (each["datatype"], each["shape"]), f"{each['name']}: {datatype} {shape}")
        expect(same(unpacked(datatype, raw), flat(each["data"]), datatype), f"{each['name']} has other values")


@check("must", _GRPC + "Infer, outputs")
def named_outputs_alone_are_returned(target: Target) -> None:
    name = metadata(target)["outputs"][-1]["name"]
    asked = request(target)
    asked.outputs.add(name=name)
    told = _call(target, "ModelInfer", asked)
    expect([each.name for each in told.outputs] == [name], f"asked {name}, got {[each.name for each in told.outputs]}")


@check("must", _GRPC + "Infer, errors")
def wrong_requests_are_errors_of_their_caller(target: Target) -> None:
    def wrong(change: Callable[[Any], None]) -> Any:
        asked = request(target)
        change(asked)
        return asked

    def both(asked: Any) -> None:
        asked.inputs[0].contents.CopyFrom(request(target, typed=True).inputs[0].contents)

    cases: list[tuple[str, Callable[[Any], None]]] = [
        ("raw and typed contents", both),
        ("one raw_input_contents too few", lambda asked: asked.raw_input_contents.pop()),
        ("a raw tensor that is too short", lambda asked: _shorter(asked)),
        ("a datatype that is none", lambda asked: setattr(asked.inputs[0], "datatype", "FLOAT")),
        ("a shape of more values", lambda asked: asked.inputs[0].shape.insert(0, 7)),
    ]
    for what, change in cases:
        refused(target, "ModelInfer", wrong(change), what)
    missing = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)
    refused(
        target,
        "ModelInfer",
        wrong(lambda asked: setattr(asked.inputs[0], "name", "no-such-input")),
        "an input of a name that is none",
        *missing,
    )
    refused(
        target,
        "ModelInfer",
        wrong(lambda asked: asked.outputs.add(name="no-such-output")),
        "an output that is none",
        *missing,
    )


def _shorter(asked: Any) -> None:
    asked.raw_input_contents[0] = asked.raw_input_contents[0][:-1]


@check("should", "Triton: NOT_FOUND for what is not there")
def an_unknown_model_is_not_found(target: Target) -> None:
    asked = request(target)
    asked.model_name = "no-such-model"
    refused(target, "ModelInfer", asked, "a model that is not there", grpc.StatusCode.NOT_FOUND)


@check("extension", "gRPC, compression.md")
def compressed_messages_are_read(target: Target) -> None:
    plain = values(_call(target, "ModelInfer", request(target)))
    for coding in (grpc.Compression.Gzip, grpc.Compression.Deflate):
        told = _call(target, "ModelInfer", request(target), compression=coding)
        expect(values(told) == plain, f"{coding.name} gives another answer")


@check("extension", "Triton, extension_statistics.md")
def statistics_count_every_inference_once(target: Target) -> None:
    server = _call(target, "ServerMetadata", service_pb2.ServerMetadataRequest())
    if "statistics" not in server.extensions:
        raise NotHereError("the server does not claim statistics")
    asked = service_pb2.ModelStatisticsRequest(name=target.model)
    before = _call(target, "ModelStatistics", asked).model_stats[-1].inference_stats
    for _ in range(3):
        _call(target, "ModelInfer", request(target))
    after = _call(target, "ModelStatistics", asked).model_stats[-1].inference_stats
    for name in ("success", "queue", "compute_input", "compute_infer", "compute_output"):
        grew = getattr(after, name).count - getattr(before, name).count
        expect(grew == 3, f"{name} grew by {grew} for 3 inferences")


@check("extension", "Triton, extension_model_configuration.md")
def the_configuration_fits_the_metadata(target: Target) -> None:
    server = _call(target, "ServerMetadata", service_pb2.ServerMetadataRequest())
    if "model_configuration" not in server.extensions:
        raise NotHereError("the server does not claim model_configuration")
    told = _call(target, "ModelConfig", service_pb2.ModelConfigRequest(name=target.model)).config
    listed = metadata(target)
    expect([each.name for each in told.input] == [each["name"] for each in listed["inputs"]], "other inputs")
    expect([each.name for each in told.output] == [each["name"] for each in listed["outputs"]], "other outputs")
