"""Unmodified tritonclient over gRPC against our server; every expected bit is a golden's, which Python wrote."""

import asyncio
import queue
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.grpc.aio
from serving import Golden, Running
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException


@pytest.fixture
def client(server: Running) -> Iterator[Any]:
    with tritonclient.grpc.InferenceServerClient(server.grpc) as connected:
        yield connected


def inputs(golden: Golden) -> list[Any]:
    found = []
    for each in golden.encoded.inputs:
        tensor = tritonclient.grpc.InferInput(each.name, list(each.values.shape), each.datatype)
        tensor.set_data_from_numpy(each.values)
        found.append(tensor)
    return found


def equal(result: Any, golden: Golden) -> None:
    for name, bits in golden.outputs.items():
        found = result.as_numpy(name)
        assert found.dtype == bits.dtype
        assert found.tobytes() == bits.tobytes(), name


def test_goldens_have_tensors(server: Running) -> None:
    assert len(server.goldens) >= 3
    assert {each.datatype for golden in server.goldens for each in golden.encoded.inputs} >= {
        "BYTES",
        "BOOL",
        "INT64",
        "INT32",
        "FP32",
        "FP64",
    }


@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
def test_every_golden_has_its_bits(server: Running, client: Any, compression: str | None) -> None:
    for place, golden in enumerate(server.goldens):
        result = client.infer(
            "tiny",
            inputs(golden),
            request_id=f"golden {place}",
            parameters=golden.encoded.parameters,
            compression_algorithm=compression,
        )
        equal(result, golden)
        assert result.get_response().id == f"golden {place}"
        assert result.get_response().model_version == "1"


def test_outputs_are_those_asked(server: Running, client: Any) -> None:
    golden = server.goldens[0]
    wanted = [tritonclient.grpc.InferRequestedOutput(name) for name in ("score", "watched")]
    result = client.infer("tiny", inputs(golden), outputs=wanted, parameters=golden.encoded.parameters)
    assert [each.name for each in result.get_response().outputs] == ["score", "watched"]
    assert result.as_numpy("score").tobytes() == golden.outputs["score"].tobytes()


def test_asynchronous_answers_are_told_apart_by_their_ids(server: Running, client: Any) -> None:
    answers: queue.Queue[Any] = queue.Queue()
    for place, golden in enumerate(server.goldens):
        client.async_infer(
            "tiny",
            inputs(golden),
            callback=lambda result, error: answers.put((result, error)),
            request_id=str(place),
            parameters=golden.encoded.parameters,
        )
    for _ in server.goldens:
        result, error = answers.get(timeout=60)
        assert error is None
        equal(result, server.goldens[int(result.get_response().id)])


def test_the_asyncio_client_gets_the_same(server: Running) -> None:
    async def ask() -> None:
        async with tritonclient.grpc.aio.InferenceServerClient(server.grpc) as client:
            results = await asyncio.gather(
                *(
                    client.infer("tiny", inputs(golden), parameters=golden.encoded.parameters)
                    for golden in server.goldens
                )
            )
            for result, golden in zip(results, server.goldens, strict=True):
                equal(result, golden)
            assert await client.is_model_ready("tiny")

    asyncio.run(ask())


def test_the_server_and_its_model_tell_of_themselves(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("tiny", "1")
    assert not client.is_model_ready("tiny", "2")
    assert "statistics" in client.get_server_metadata(as_json=True)["extensions"]
    metadata = client.get_model_metadata("tiny", as_json=True)
    config = client.get_model_config("tiny", as_json=True)["config"]
    assert [each["name"] for each in metadata["inputs"]] == [each["name"] for each in config["input"]]
    assert config["parameters"]["bundle"]["string_value"].startswith("sha256:")
    index = client.get_model_repository_index(as_json=True)["models"]
    assert index == [{"name": "tiny", "version": "1", "state": "READY"}]


def test_statistics_count_each_inference_once(server: Running, client: Any) -> None:
    def counts() -> dict[str, int]:
        stats = client.get_inference_statistics("tiny").model_stats[0].inference_stats
        return {name: getattr(stats, name).count for name in ("success", "fail", "queue", "compute_infer")}

    before = counts()
    golden = server.goldens[0]
    for _ in range(5):
        client.infer("tiny", inputs(golden), parameters=golden.encoded.parameters)
    wrong = tritonclient.grpc.InferInput("nothing", [1], "INT64")
    wrong.set_data_from_numpy(np.zeros(1, np.int64))
    with pytest.raises(InferenceServerException, match="unknown_feature"):
        client.infer("tiny", [wrong])
    after = counts()
    assert {name: after[name] - before[name] for name in before} == {
        "success": 5,
        "fail": 1,
        "queue": 5,
        "compute_infer": 5,
    }


@pytest.mark.parametrize(
    ("model", "version", "status", "code"),
    [
        ("none", "", "StatusCode.NOT_FOUND", "unknown_model"),
        ("tiny", "7", "StatusCode.NOT_FOUND", "unknown_model"),
        ("tiny", "", "StatusCode.INVALID_ARGUMENT", "invalid_request"),
    ],
)
def test_a_refusal_is_a_status_with_its_code(client: Any, model: str, version: str, status: str, code: str) -> None:
    with pytest.raises(InferenceServerException) as refused:
        client.infer(model, [], version)
    assert refused.value.status() == status
    assert refused.value.message().startswith(f"{code}: ")


def test_a_deadline_that_has_passed_is_its_own_status(server: Running, client: Any) -> None:
    with pytest.raises(InferenceServerException) as refused:
        client.infer("tiny", inputs(server.goldens[0]), client_timeout=1e-6)
    assert refused.value.status() == "StatusCode.DEADLINE_EXCEEDED"


def test_what_is_not_offered_says_so(server: Running) -> None:
    with grpc.insecure_channel(server.grpc) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            stub.SystemSharedMemoryStatus(service_pb2.SystemSharedMemoryStatusRequest(), timeout=30)
        assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
        assert "ModelInfer" in refused.value.details()


def test_health_and_reflection_answer_streams(server: Running) -> None:
    """Raw frames of two streamed methods: a watch's first status, and the services by reflection."""
    with grpc.insecure_channel(server.grpc) as channel:
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"", timeout=30)
        assert next(watch) == b"\x08\x01"  # status: SERVING
        watch.cancel()
        for name in ("v1", "v1alpha"):
            reflect = channel.stream_stream(f"/grpc.reflection.{name}.ServerReflection/ServerReflectionInfo")
            symbol = b"inference.GRPCInferenceService"
            asked = [b"\x3a\x00", b"\x22" + bytes([len(symbol)]) + symbol, b"\x22\x01x"]
            services, file, error = reflect(iter(asked), timeout=30)
            assert symbol in services
            assert b"grpc.health.v1.Health" in services
            assert b"ModelInferRequest" in file
            assert b"list_services" in error
