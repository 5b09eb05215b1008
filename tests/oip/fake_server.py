"""A small server of the Open Inference Protocol in Python, right in everything, or wrong in one way that is planted.

The faults are those that real servers have or had, and those that real clients trip over.
"""

# ruff: noqa: N802, ARG002 - the names are those of the libraries

from __future__ import annotations

import gzip
import json
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc

INPUTS = {"x": ("FP32", [-1, 2]), "i": ("INT64", [-1]), "s": ("BYTES", [-1])}
OUTPUTS = {"y": ("FP64", [-1]), "j": ("INT64", [-1]), "t": ("BYTES", [-1])}
EXTENSIONS = ["binary_tensor_data", "statistics", "model_configuration", "model_repository"]
DTYPES = {"FP32": "<f4", "FP64": "<f8", "INT64": "<i8"}
_KINDS = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss")

HTTP_FAULTS = {
    "no GET /v2": "http.server_metadata_has_its_members",
    "extensions is a text": "http.server_metadata_has_its_members",
    "version for versions in paths": "http.versions_have_paths",
    "an unknown model is ready": "http.an_unknown_model_is_not_ready",
    "a datatype of its own": "http.model_metadata_has_its_members",
    "flat data only": "http.nested_and_flat_data_are_the_same",
    "integers as float64": "http.large_integers_keep_their_last_bit",
    "latin-1": "http.strings_are_utf8",
    "the id is forgotten": "http.the_id_is_echoed",
    "fails without outputs": "http.without_outputs_all_are_returned",
    "all outputs whatever is asked": "http.named_outputs_alone_are_returned",
    "one datatype for all": "http.outputs_have_the_datatypes_of_the_metadata",
    "500 for wrong requests": "http.wrong_requests_are_errors_of_their_sender",
    "detail instead of error": "http.wrong_requests_are_errors_of_their_sender",
    "unknown inputs are ignored": "http.wrong_requests_are_errors_of_their_sender",
    "shapes are not looked at": "http.wrong_requests_are_errors_of_their_sender",
    "binary inputs in the wrong order": "http.binary_inputs_give_the_same",
    "no header length": "http.a_binary_output_has_the_same_values",
    "big-endian": "http.a_binary_output_has_the_same_values",
    "binary_data_output is ignored": "http.all_outputs_are_binary_when_asked_at_once",
    "outputs have parameters": "http.outputs_have_no_parameters_but_their_size",
    "bytes that are left are ignored": "http.wrong_binary_sizes_are_refused",
    "gzip is not read": "http.compressed_bodies_are_read",
    "no cache_hit": "http.statistics_are_whole",
    "a hash as version": "http.statistics_are_whole",
    "failures are not told from successes": "http.statistics_count_every_inference_once",
    "no max_batch_size": "http.the_configuration_fits_the_metadata",
    "the index is an object": "http.the_repository_lists_the_model",
}
GRPC_FAULTS = {
    "an unknown model is ready": "grpc.the_model_is_ready_and_an_unknown_one_is_not",
    "typed outputs": "grpc.outputs_are_raw",
    "typed inputs are ignored": "grpc.typed_contents_give_the_same",
    "raw and typed are mixed": "grpc.wrong_requests_are_errors_of_their_caller",
    "the id is forgotten": "grpc.an_answer_has_its_fields",
    "other values over gRPC": "grpc.values_are_those_of_http",
    "all outputs whatever is asked": "grpc.named_outputs_alone_are_returned",
    "INTERNAL for wrong requests": "grpc.wrong_requests_are_errors_of_their_caller",
    "failures are not told from successes": "grpc.statistics_count_every_inference_once",
}


class Wrong(Exception):  # noqa: N818 - the mistake is the client's
    """A request that is refused."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


class Fake:
    """The model, what was counted, and the fault that is planted."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.count = 0
        outer = self

        class Handler(_Handler):
            fake = outer

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self._grpc = grpc.server(ThreadPoolExecutor(2))
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(_Servicer(self), self._grpc)
        self.grpc = f"127.0.0.1:{self._grpc.add_insecure_port('127.0.0.1:0')}"
        self._grpc.start()

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        self._grpc.stop(0).wait()

    def infer(self, tensors: dict[str, np.ndarray[Any, Any]], names: list[str]) -> dict[str, np.ndarray[Any, Any]]:
        """Return the outputs that are named, all if none is."""
        for name in tensors:
            if name not in INPUTS and self.fault != "unknown inputs are ignored":
                raise Wrong(400, f"no input {name}")
        if not set(INPUTS) <= set(tensors):
            raise Wrong(400, "an input is missing")
        for name in names:
            if name not in OUTPUTS:
                raise Wrong(400, f"no output {name}")
        x, i, s = (tensors[name] for name in INPUTS)
        if len({len(x), len(i), len(s)}) != 1:
            raise Wrong(400, "other numbers of rows")
        y = np.array([zlib.crc32(each) % 1000 for each in s], np.float64) + i % 1_000_003
        y += x.astype(np.float64).sum(axis=1)
        self.count += 1
        wanted = names if names and self.fault != "all outputs whatever is asked" else list(OUTPUTS)
        return {name: {"y": y, "j": i, "t": s}[name] for name in wanted}

    def counts(self) -> dict[str, int]:
        """Return the counts of the statistics."""
        found = dict.fromkeys(_KINDS, self.count)
        found.update(fail=0, cache_hit=0, cache_miss=0)
        if self.fault == "failures are not told from successes":
            found["success"] = 2 * self.count
        return found


def _array(datatype: str, shape: list[int], values: list[Any]) -> np.ndarray[Any, Any]:
    if datatype == "BYTES":
        array = np.empty(len(values), np.object_)
        array[:] = values
    else:
        array = np.array(values, DTYPES[datatype])
    return array.reshape(shape)


def _pack(datatype: str, values: np.ndarray[Any, Any]) -> bytes:
    if datatype == "BYTES":
        return b"".join(struct.pack("<I", len(each)) + each for each in values)
    return values.astype(DTYPES[datatype]).tobytes()


def _unpack(datatype: str, shape: list[int], raw: bytes) -> np.ndarray[Any, Any]:
    if datatype != "BYTES":
        if len(raw) != int(np.prod(shape)) * 8 // (2 if datatype == "FP32" else 1):
            raise Wrong(400, "bytes and shape differ")
        return np.frombuffer(raw, DTYPES[datatype]).reshape(shape)
    found, at = [], 0
    while at < len(raw):
        if len(raw) < at + 4 or len(raw) < at + 4 + struct.unpack_from("<I", raw, at)[0]:
            raise Wrong(400, "bytes are missing")
        length = struct.unpack_from("<I", raw, at)[0]
        found.append(raw[at + 4 : at + 4 + length])
        at += 4 + length
    if len(found) != int(np.prod(shape)):
        raise Wrong(400, "strings and shape differ")
    return _array("BYTES", shape, found)


def _checked(name: str, datatype: str, shape: list[int]) -> None:
    if name in INPUTS and INPUTS[name][0] != datatype:
        raise Wrong(400, f"{name} is {INPUTS[name][0]}")
    if datatype not in (*DTYPES, "BYTES"):
        raise Wrong(400, f"no datatype {datatype}")
    if any(size < 0 for size in shape) or (name in INPUTS and len(shape) != len(INPUTS[name][1])):
        raise Wrong(400, f"a shape {shape}")


class _Handler(BaseHTTPRequestHandler):
    fake: Fake
    protocol_version = "HTTP/1.1"
    # Headers and body leave together: apart, the client's delayed acknowledgement holds up every answer.
    wbufsize = -1

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        self._guarded(b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        coding = self.headers.get("Content-Encoding", "")
        if coding and self.fake.fault != "gzip is not read":
            body = gzip.decompress(body) if coding == "gzip" else zlib.decompress(body)
        self._guarded(body)

    def _guarded(self, body: bytes) -> None:
        try:
            self._route(body)
        except Wrong as error:
            self._refuse(error.status, str(error))
        except (ValueError, KeyError, TypeError) as error:
            self._refuse(400, repr(error))

    def _refuse(self, status: int, said: str) -> None:
        status = 500 if self.fake.fault == "500 for wrong requests" and status == 400 else status
        self._send(status, {"detail" if self.fake.fault == "detail instead of error" else "error": said})

    def _send(self, status: int, told: object, tail: bytes | None = None) -> None:
        header = json.dumps(told).encode()
        body = header + (tail or b"")
        self.send_response(status)
        if tail is not None:
            if self.fake.fault != "no header length":
                self.send_header("Inference-Header-Content-Length", str(len(header)))
            self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _route(self, body: bytes) -> None:
        fake, path = self.fake, self.path
        if path == "/v2" and fake.fault != "no GET /v2":
            listed: object = ",".join(EXTENSIONS) if fake.fault == "extensions is a text" else EXTENSIONS
            return self._send(200, {"name": "fake", "version": "1", "extensions": listed})
        if path in ("/v2/health/live", "/v2/health/ready"):
            return self._send(200, {path.rpartition("/")[2]: True})
        if path == "/v2/repository/index":
            index = [{"name": "fake", "version": "1", "state": "READY", "reason": ""}]
            return self._send(200, {"models": index} if fake.fault == "the index is an object" else index)
        if fake.fault == "an unknown model is ready" and path.endswith("/ready"):
            return self._send(200, {"ready": True})
        parts = path.removeprefix("/v2/models/").split("/")
        if not path.startswith("/v2/models/") or parts[0] != "fake":
            raise Wrong(404, f"nothing at {path}")
        word = "version" if fake.fault == "version for versions in paths" else "versions"
        if len(parts) > 2 and parts[1] == word:
            if parts[2] != "1":
                raise Wrong(404, f"no version {parts[2]}")
            parts = [parts[0], *parts[3:]]
        return self._model(parts[1:], body)

    def _model(self, rest: list[str], body: bytes) -> None:
        fake = self.fake
        if rest == ["infer"]:
            return self._infer(body)
        if rest == ["ready"]:
            return self._send(200, {"name": "fake", "ready": True})
        if rest == ["stats"]:
            stats = {name: {"count": count, "ns": count} for name, count in fake.counts().items()}
            if fake.fault == "no cache_hit":
                del stats["cache_hit"]
            version = "a1b2" if fake.fault == "a hash as version" else "1"
            one = {"name": "fake", "version": version, "last_inference": 1, "inference_stats": stats}
            more = {"inference_count": fake.count, "execution_count": fake.count, "batch_stats": []}
            return self._send(200, {"model_stats": [{**one, **more}]})
        if rest == ["config"]:
            told: dict[str, object] = {"name": "fake", "max_batch_size": 0}
            if fake.fault == "no max_batch_size":
                del told["max_batch_size"]
            for kind, tensors in (("input", INPUTS), ("output", OUTPUTS)):
                told[kind] = [{"name": name, "dims": shape} for name, (_, shape) in tensors.items()]
            return self._send(200, told)
        if not rest:
            told = {"name": "fake", "versions": ["1"], "platform": "fake"}
            for kind, tensors in (("inputs", INPUTS), ("outputs", OUTPUTS)):
                told[kind] = [
                    {
                        "name": name,
                        "datatype": "STRING"
                        if datatype == "BYTES" and fake.fault == "a datatype of its own"
                        else datatype,
                        "shape": shape,
                    }
                    for name, (datatype, shape) in tensors.items()
                ]
            return self._send(200, told)
        raise Wrong(404, f"nothing at {self.path}")

    def _infer(self, body: bytes) -> None:
        fake = self.fake
        length = int(self.headers.get("Inference-Header-Content-Length", str(len(body))))
        if length > len(body):
            raise Wrong(400, "a header that is longer than the body")
        told, at = json.loads(body[:length]), length
        tensors: dict[str, np.ndarray[Any, Any]] = {}
        listed = told["inputs"]
        if fake.fault == "binary inputs in the wrong order":
            listed = listed[::-1]
        for each in listed:
            name, datatype, shape = each["name"], each["datatype"], each["shape"]
            _checked(name, datatype, shape)
            if name in tensors:
                raise Wrong(400, f"{name} is there twice")
            size = each.get("parameters", {}).get("binary_data_size")
            if size is not None:
                tensors[name] = _unpack(datatype, shape, body[at : at + size])
                at += size
                continue
            tensors[name] = self._json(datatype, shape, each["data"])
        if at != len(body) and fake.fault != "bytes that are left are ignored":
            raise Wrong(400, "bytes are left")
        wanted = told.get("outputs", [])
        if fake.fault == "fails without outputs" and not wanted:
            raise Wrong(500, "NullPointerException")
        outputs = fake.infer(tensors, [each["name"] for each in wanted])
        every = bool(told.get("parameters", {}).get("binary_data_output"))
        every = every and fake.fault != "binary_data_output is ignored"
        binary = {each["name"]: each.get("parameters", {}).get("binary_data", every) for each in wanted}
        self._answer(told, outputs, {name: binary.get(name, every) for name in outputs})

    def _json(self, datatype: str, shape: list[int], data: Any) -> np.ndarray[Any, Any]:
        deep = isinstance(data[0], list)
        if deep and self.fake.fault == "flat data only":
            raise Wrong(400, "data must be flat")
        values = [leaf for row in data for leaf in row] if deep else list(data)
        if self.fake.fault == "shapes are not looked at":
            shape = [-1, *shape[-1:]] if len(shape) > 1 else [-1]
        elif len(values) != int(np.prod(shape)):
            raise Wrong(400, "data and shape differ")
        if datatype == "INT64" and self.fake.fault == "integers as float64":
            values = [int(float(value)) for value in values]
        if datatype == "BYTES":
            # The escaped form is told from the plain one, as by a reader that takes bytes for characters.
            coding = "latin-1" if self.fake.fault == "latin-1" else "utf-8"
            values = [value.encode(coding, "replace") for value in values]
        return _array(datatype, shape, values)

    def _answer(self, asked: dict[str, Any], outputs: dict[str, Any], binary: dict[str, bool]) -> None:
        fault, listed, tail = self.fake.fault, [], b""
        for name, values in outputs.items():
            datatype = OUTPUTS[name][0]
            shown = "FP64" if fault == "one datatype for all" else datatype
            told: dict[str, Any] = {"name": name, "datatype": shown, "shape": list(values.shape)}
            if binary[name]:
                raw = _pack(datatype, values)
                if fault == "big-endian" and datatype != "BYTES":
                    raw = values.astype(values.dtype.newbyteorder(">")).tobytes()
                told["parameters"] = {"binary_data_size": len(raw)}
                tail += raw
            else:
                told["data"] = [each.decode() if isinstance(each, bytes) else each for each in values.tolist()]
                if fault == "outputs have parameters":
                    told["parameters"] = {"unit": "none"}
            listed.append(told)
        whole = {"model_name": "fake", "model_version": "1", "outputs": listed}
        if "id" in asked and fault != "the id is forgotten":
            whole["id"] = asked["id"]
        self._send(200, whole, tail if any(binary.values()) else None)


class _Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    def __init__(self, fake: Fake) -> None:
        self.fake = fake

    def ServerLive(self, request: Any, context: Any) -> Any:
        return service_pb2.ServerLiveResponse(live=True)

    def ServerReady(self, request: Any, context: Any) -> Any:
        return service_pb2.ServerReadyResponse(ready=True)

    def ModelReady(self, request: Any, context: Any) -> Any:
        ready = request.name == "fake" or self.fake.fault == "an unknown model is ready"
        return service_pb2.ModelReadyResponse(ready=ready)

    def ServerMetadata(self, request: Any, context: Any) -> Any:
        return service_pb2.ServerMetadataResponse(name="fake", version="1", extensions=EXTENSIONS)

    def ModelMetadata(self, request: Any, context: Any) -> Any:
        told = service_pb2.ModelMetadataResponse(name="fake", versions=["1"], platform="fake")
        for listed, tensors in ((told.inputs, INPUTS), (told.outputs, OUTPUTS)):
            for name, (datatype, shape) in tensors.items():
                listed.add(name=name, datatype=datatype, shape=shape)
        return told

    def ModelConfig(self, request: Any, context: Any) -> Any:
        config = model_config_pb2.ModelConfig(name="fake")
        for listed, tensors in ((config.input, INPUTS), (config.output, OUTPUTS)):
            for name in tensors:
                listed.add(name=name)
        return service_pb2.ModelConfigResponse(config=config)

    def ModelStatistics(self, request: Any, context: Any) -> Any:
        told = service_pb2.ModelStatisticsResponse()
        one = told.model_stats.add(name="fake", version="1")
        for name, count in self.fake.counts().items():
            getattr(one.inference_stats, name).count = count
        return told

    def ModelInfer(self, request: Any, context: Any) -> Any:
        try:
            return self._infer(request)
        except (Wrong, ValueError, KeyError, TypeError) as error:
            code = grpc.StatusCode.INVALID_ARGUMENT
            if self.fake.fault == "INTERNAL for wrong requests":
                code = grpc.StatusCode.INTERNAL
            if isinstance(error, Wrong) and error.status == 404:
                code = grpc.StatusCode.NOT_FOUND
            return context.abort(code, str(error))

    def _infer(self, request: Any) -> Any:
        fault = self.fake.fault
        if request.model_name != "fake":
            raise Wrong(404, f"no model {request.model_name}")
        raw = len(request.raw_input_contents) > 0
        if raw and len(request.raw_input_contents) != len(request.inputs):
            raise Wrong(400, "other numbers of inputs and raw contents")
        tensors = {}
        for place, each in enumerate(request.inputs):
            shape = list(each.shape)
            _checked(each.name, each.datatype, shape)
            if raw:
                if each.HasField("contents") and fault != "raw and typed are mixed":
                    raise Wrong(400, "raw and typed contents")
                tensors[each.name] = _unpack(each.datatype, shape, request.raw_input_contents[place])
                continue
            member = {"FP32": "fp32_contents", "INT64": "int64_contents", "BYTES": "bytes_contents"}[each.datatype]
            values = list(getattr(each.contents, member))
            if fault == "typed inputs are ignored":
                values = [type(value)() for value in values]
            tensors[each.name] = _array(each.datatype, shape, values)
        outputs = self.fake.infer(tensors, [each.name for each in request.outputs])
        told = service_pb2.ModelInferResponse(model_name="fake", model_version="1")
        if fault != "the id is forgotten":
            told.id = request.id
        for name, values in outputs.items():
            if fault == "other values over gRPC" and name == "y":
                values = np.nextafter(values, np.inf)
            tensor = told.outputs.add(name=name, datatype=OUTPUTS[name][0], shape=values.shape)
            if fault == "typed outputs":
                member = {"FP64": "fp64_contents", "INT64": "int64_contents", "BYTES": "bytes_contents"}
                getattr(tensor.contents, member[OUTPUTS[name][0]]).extend(values.tolist())
            else:
                told.raw_output_contents.append(_pack(OUTPUTS[name][0], values))
        return told
