"""The same requests as Open Inference Protocol tensors: raw features, strings as BYTES, over HTTP and gRPC."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.http as over_http
from tritonclient.grpc import service_pb2
from tritonclient.utils import serialize_byte_tensor

from tools.service.programs import Service

_GRPC = "/inference.GRPCInferenceService/ModelInfer"
_OUTPUTS = ("score", "ranking")
_SIZE_FIELD = "inference-header-content-length"
_PREFIX = struct.Struct(">BI")


def write_binary(model: str, columns: Path, out: Path) -> Path:
    """Writes a plan of the load driver: the HTTP form with the binary tensor extension in and out."""
    plan = out / f"{columns.stem}-binary.jsonl"
    lines = []
    for line in columns.read_text(encoding="utf-8").splitlines():
        inputs = []
        for name, array in _arrays(json.loads(line)):
            tensor = over_http.InferInput(name, list(array.shape), "BYTES" if array.dtype == object else "FP32")
            tensor.set_data_from_numpy(array)
            inputs.append(tensor)
        outputs = [over_http.InferRequestedOutput(name, binary_data=True) for name in _OUTPUTS]
        body, size = over_http.InferenceServerClient.generate_request_body(inputs, outputs=outputs)
        lines.append(
            {
                "path": f"/v2/models/{model}/infer",
                "headers": {"content-type": "application/octet-stream", _SIZE_FIELD: str(size)},
                "base64": base64.b64encode(body).decode(),
            }
        )
    plan.write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    return plan


def write_grpc(model: str, columns: Path, out: Path) -> Path:
    """Writes a plan of the load driver: the gRPC form with raw contents, each message behind its five bytes."""
    plan = out / f"{columns.stem}-grpc.jsonl"
    lines = []
    for line in columns.read_text(encoding="utf-8").splitlines():
        message = service_pb2.ModelInferRequest(model_name=model)
        for name, array in _arrays(json.loads(line)):
            tensor = message.inputs.add(name=name, shape=array.shape)
            tensor.datatype = "BYTES" if array.dtype == object else "FP32"
            raw = serialize_byte_tensor(array).item() if array.dtype == object else array.tobytes()
            message.raw_input_contents.append(raw)
        for name in _OUTPUTS:
            message.outputs.add(name=name)
        body = message.SerializeToString()
        lines.append(
            {
                "path": _GRPC,
                "headers": {"content-type": "application/grpc", "te": "trailers"},
                "base64": base64.b64encode(_PREFIX.pack(0, len(body)) + body).decode(),
            }
        )
    plan.write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    return plan


def ask_binary(service: Service, plan: Path, k: int) -> list[list[tuple[int, float]]] | None:
    """The best of each request; nothing if the service has no such form."""
    answers = []
    for line in plan.read_text(encoding="utf-8").splitlines():
        planned = json.loads(line)
        status, fields, body = service.ask(
            "POST", planned["path"], base64.b64decode(planned["base64"]), planned["headers"]
        )
        if status != 200:
            return None
        size = fields.get(_SIZE_FIELD)
        result = over_http.InferenceServerClient.parse_response_body(body, header_length=int(size) if size else None)
        answers.append(_best(result.as_numpy("score"), result.as_numpy("ranking"), k))
    return answers


def ask_grpc(service: Service, plan: Path, k: int) -> list[list[tuple[int, float]]] | None:
    """The same over gRPC."""
    import grpc

    answers = []
    with grpc.insecure_channel(f"127.0.0.1:{service.port}") as channel:
        infer = channel.unary_unary(_GRPC, response_deserializer=service_pb2.ModelInferResponse.FromString)
        for line in plan.read_text(encoding="utf-8").splitlines():
            body = base64.b64decode(json.loads(line)["base64"])[_PREFIX.size :]
            try:
                response = infer(body, timeout=30)
            except grpc.RpcError:
                return None
            raw = dict(zip((each.name for each in response.outputs), response.raw_output_contents, strict=True))
            scores, order = np.frombuffer(raw["score"], np.float32), np.frombuffer(raw["ranking"], np.int32)
            answers.append(_best(scores, order, k))
    return answers


def _best(scores: Any, order: Any, k: int) -> list[tuple[int, float]]:
    return [(int(index), float(scores[index])) for index in order[:k]]


def _arrays(request: dict[str, Any]) -> list[tuple[str, Any]]:
    """Each feature's array: one value for the context's, one a candidate for the others."""
    found = []
    for name, values in {**{n: [v] for n, v in request["context"].items()}, **request["candidates"]}.items():
        if isinstance(values[0], str):
            found.append((name, np.array([value.encode() for value in values], object)))
        else:
            found.append((name, np.array(values, np.float32)))
    return found
