"""Unmodified tritonclient over HTTP against our server; every expected bit is a golden's, which Python wrote."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import tritonclient.http
import tritonclient.http.aio
from serving import Golden, Running
from tritonclient.utils import InferenceServerException

FLOATS = ("FP32", "FP64")


@pytest.fixture
def client(server: Running) -> Iterator[Any]:
    with tritonclient.http.InferenceServerClient(server.grpc, concurrency=4) as connected:
        yield connected


def inputs(golden: Golden, *, binary: bool) -> list[Any]:
    found = []
    for each in golden.encoded.inputs:
        tensor = tritonclient.http.InferInput(each.name, list(each.values.shape), each.datatype)
        tensor.set_data_from_numpy(each.values, binary_data=binary)
        found.append(tensor)
    return found


def asked(golden: Golden, *, binary: bool) -> list[Any]:
    return [tritonclient.http.InferRequestedOutput(name, binary_data=binary) for name in golden.outputs]


def with_strings(server: Running) -> Golden:
    """Return a golden that has strings."""
    return next(
        golden
        for golden in server.goldens
        if said_in_json(golden) and any(each.datatype == "BYTES" and each.values.size for each in golden.encoded.inputs)
    )


def said_in_json(golden: Golden) -> bool:
    """Return whether the client can say a golden in JSON: it writes NaN and the infinities as no JSON has them."""
    return all(bool(np.isfinite(each.values).all()) for each in golden.encoded.inputs if each.datatype in FLOATS)


def equal(result: Any, golden: Golden, *, json: bool = False) -> None:
    for name, bits in golden.outputs.items():
        found = result.as_numpy(name)
        assert found.dtype == bits.dtype
        if json and bits.dtype.kind == "f":
            # In JSON a NaN is the contract's word "NaN", which has no sign.
            assert np.array_equal(np.isnan(found), np.isnan(bits)), name
            found, bits = found[~np.isnan(found)], bits[~np.isnan(bits)]
        assert found.tobytes() == bits.tobytes(), name


@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
@pytest.mark.parametrize("binary_out", [True, False], ids=["binary answer", "JSON answer"])
@pytest.mark.parametrize("binary_in", [True, False], ids=["binary request", "JSON request"])
def test_every_golden_has_its_bits(
    server: Running, client: Any, *, binary_in: bool, binary_out: bool, compression: str | None
) -> None:
    told = [golden for golden in server.goldens if binary_in or said_in_json(golden)]
    assert len(told) >= (len(server.goldens) if binary_in else 5)
    for place, golden in enumerate(told):
        result = client.infer(
            "tiny",
            inputs(golden, binary=binary_in),
            outputs=asked(golden, binary=binary_out),
            request_id=f"golden {place}",
            parameters=golden.encoded.parameters,
            request_compression_algorithm=compression,
            response_compression_algorithm=compression,
        )
        equal(result, golden, json=not binary_out)
        answer = result.get_response()
        assert (answer["id"], answer["model_name"], answer["model_version"]) == (f"golden {place}", "tiny", "1")
        assert all(("data" in each) != binary_out for each in answer["outputs"])


def test_the_answer_is_compressed_where_the_client_asks(server: Running, client: Any) -> None:
    """The client unpacks in silence: what came over the wire is seen below it."""
    golden = max(server.goldens, key=lambda each: each.encoded.n)
    body, size = tritonclient.http.InferenceServerClient.generate_request_body(
        inputs(golden, binary=True), outputs=asked(golden, binary=False), parameters=dict(golden.encoded.parameters)
    )
    for coding in ("gzip", "deflate"):
        headers = {"Inference-Header-Content-Length": str(size), "Accept-Encoding": coding}
        answer = client._post("v2/models/tiny/infer", body, headers, None)
        assert answer.get("Content-Encoding") == coding
        answer.read()


def test_outputs_are_those_asked(server: Running, client: Any) -> None:
    golden = server.goldens[0]
    wanted = [
        tritonclient.http.InferRequestedOutput("score", binary_data=True),
        tritonclient.http.InferRequestedOutput("watched", binary_data=False),
    ]
    result = client.infer("tiny", inputs(golden, binary=True), outputs=wanted, parameters=golden.encoded.parameters)
    assert [each["name"] for each in result.get_response()["outputs"]] == ["score", "watched"]
    for name in ("score", "watched"):
        assert result.as_numpy(name).tobytes() == golden.outputs[name].tobytes()


def test_without_outputs_all_are_in_binary_form(server: Running, client: Any) -> None:
    golden = server.goldens[0]
    result = client.infer("tiny", inputs(golden, binary=True), parameters=golden.encoded.parameters)
    equal(result, golden)
    assert all("data" not in each for each in result.get_response()["outputs"])


def test_strings_mean_the_same_in_both_forms(server: Running, client: Any) -> None:
    golden = with_strings(server)
    changed = {
        each.name: np.full(each.values.shape, "é漢😀".encode(), np.object_) if each.datatype == "BYTES" else each.values
        for each in golden.encoded.inputs
    }
    answers = []
    for binary in (True, False):
        tensors = []
        for each in golden.encoded.inputs:
            tensor = tritonclient.http.InferInput(each.name, list(each.values.shape), each.datatype)
            tensor.set_data_from_numpy(changed[each.name], binary_data=binary)
            tensors.append(tensor)
        answers.append(client.infer("tiny", tensors, parameters=golden.encoded.parameters))
    for name in golden.outputs:
        assert answers[0].as_numpy(name).tobytes() == answers[1].as_numpy(name).tobytes()


def test_asynchronous_answers_are_told_apart_by_their_ids(server: Running, client: Any) -> None:
    under_way = [
        client.async_infer(
            "tiny", inputs(golden, binary=True), request_id=str(place), parameters=golden.encoded.parameters
        )
        for place, golden in enumerate(server.goldens)
    ]
    for place, each in enumerate(under_way):
        result = each.get_result(timeout=60)
        assert result.get_response()["id"] == str(place)
        equal(result, server.goldens[place])


@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
def test_the_asyncio_client_gets_the_same(server: Running, compression: str | None) -> None:
    async def ask() -> None:
        async with tritonclient.http.aio.InferenceServerClient(server.grpc, conn_limit=4) as client:
            results = await asyncio.gather(
                *(
                    client.infer(
                        "tiny",
                        inputs(golden, binary=True),
                        request_id=str(place),
                        parameters=golden.encoded.parameters,
                        request_compression_algorithm=compression,
                        response_compression_algorithm=compression,
                    )
                    for place, golden in enumerate(server.goldens)
                )
            )
            for place, (result, golden) in enumerate(zip(results, server.goldens, strict=True)):
                equal(result, golden)
                assert result.get_response()["id"] == str(place)
            assert await client.is_server_ready()
            assert await client.is_model_ready("tiny")
            statistics = await client.get_inference_statistics("tiny")
            assert statistics["model_stats"][0]["version"] == "1"

    asyncio.run(ask())


def test_the_server_and_its_model_tell_of_themselves(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("tiny", "1")
    assert not client.is_model_ready("tiny", "2")
    assert not client.is_model_ready("none")
    assert {"binary_tensor_data", "statistics"} <= set(client.get_server_metadata()["extensions"])
    metadata = client.get_model_metadata("tiny")
    config = client.get_model_config("tiny", "1")
    assert metadata["versions"] == ["1"]
    for kind in ("input", "output"):
        assert [each["name"] for each in metadata[f"{kind}s"]] == [each["name"] for each in config[kind]]
    assert config["parameters"]["bundle"]["string_value"].startswith("sha256:")
    assert client.get_model_repository_index() == [{"name": "tiny", "version": "1", "state": "READY", "reason": ""}]


def test_statistics_count_each_inference_once(server: Running, client: Any) -> None:
    def counts() -> Mapping[str, int]:
        stats = client.get_inference_statistics("tiny", "1")["model_stats"][0]["inference_stats"]
        names = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")
        return {name: int(stats[name]["count"]) for name in names}

    before = counts()
    golden = server.goldens[0]
    for _ in range(5):
        client.infer("tiny", inputs(golden, binary=True), parameters=golden.encoded.parameters)
    wrong = tritonclient.http.InferInput("nothing", [1], "INT64")
    wrong.set_data_from_numpy(np.zeros(1, np.int64))
    with pytest.raises(InferenceServerException, match="unknown_feature"):
        client.infer("tiny", [wrong])
    after = counts()
    assert {name: after[name] - before[name] for name in before} == {
        "success": 5,
        "fail": 1,
        "queue": 5,
        "compute_input": 5,
        "compute_infer": 5,
        "compute_output": 5,
    }


@pytest.mark.parametrize(
    ("model", "version", "status", "code"),
    [
        ("none", "", "404", "unknown_model"),
        ("tiny", "7", "404", "unknown_model"),
        ("tiny", "", "400", "invalid_request"),
    ],
)
def test_a_refusal_is_a_status_with_its_code(client: Any, model: str, version: str, status: str, code: str) -> None:
    with pytest.raises(InferenceServerException) as refused:
        client.infer(model, [], version)
    assert refused.value.status() == status
    assert refused.value.message().startswith(f"{code}: ")


def test_a_string_that_is_no_utf8_is_refused(server: Running, client: Any) -> None:
    """`user` refuses what is invalid; for other features a policy may take such a string in."""
    golden = server.goldens[0]
    user = tritonclient.http.InferInput("user", [1], "BYTES")
    user.set_data_from_numpy(np.array([b"\xc3\x28"], np.object_))
    tensors = [each for each in inputs(golden, binary=True) if each.name() != "user"]
    with pytest.raises(InferenceServerException) as refused:
        client.infer("tiny", [*tensors, user], parameters=golden.encoded.parameters)
    assert refused.value.status() == "400"
    assert refused.value.message().startswith("invalid_string: ")


def test_models_are_not_changed_at_the_listener_of_the_service(client: Any) -> None:
    with pytest.raises(InferenceServerException) as refused:
        client.unload_model("tiny")
    assert int(refused.value.status()) >= 400
    assert client.is_model_ready("tiny")


def test_goldens_have_every_kind_of_value(server: Running) -> None:
    """The tests above say little if what they ask is empty or left out."""
    assert len(server.goldens) >= 7
    assert max(each.encoded.n for each in server.goldens) >= 16
    filled = {each.datatype for golden in server.goldens for each in golden.encoded.inputs if each.values.size}
    assert filled == {"BYTES", "BOOL", "INT64", "INT32", "FP32", "FP64"}
    names = {each.name for golden in server.goldens for each in golden.encoded.inputs if each.values.size}
    assert any(name.endswith(".lengths") for name in names)
    assert any(name.endswith(".present") for name in names)
