"""The Open Inference Protocol over HTTP, by an unmodified tritonclient: tensors in binary form both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twinrank.bridge._scorer import Array, Route, RouteError, RouteOptions, Scorer
from twinrank.bridge.routes._oip import Encoded, asked_by_name, failed, open_service

__all__ = ["ROUTE"]

_NAME = "oip-http"


class _Client:
    def __init__(self, address: str, timeout: float) -> None:
        import tritonclient.http

        self._module = tritonclient.http
        self._client = tritonclient.http.InferenceServerClient(
            address, connection_timeout=timeout, network_timeout=timeout
        )

    def infer(self, model: str, encoded: Encoded, outputs: Sequence[str]) -> Mapping[str, Array] | RouteError:
        from tritonclient.utils import InferenceServerException

        inputs = []
        for each in encoded.inputs:
            tensor = self._module.InferInput(each.name, list(each.values.shape), each.datatype)
            tensor.set_data_from_numpy(each.values, binary_data=True)
            inputs.append(tensor)
        wanted = [self._module.InferRequestedOutput(name, binary_data=True) for name in outputs]
        try:
            result = self._client.infer(model, inputs, outputs=wanted, parameters=dict(encoded.parameters))
        except InferenceServerException as error:
            if error.status() is None:
                raise failed(_NAME, error) from error
            return self._refusal(model, inputs, wanted, encoded)
        except Exception as error:
            raise failed(_NAME, error) from error
        return {name: result.as_numpy(name) for name in outputs}

    def _refusal(self, model: str, inputs: list[Any], wanted: list[Any], encoded: Encoded) -> RouteError:
        """Ask again for the whole error: the client keeps its text alone."""
        body, size = self._module.InferenceServerClient.generate_request_body(
            inputs, outputs=wanted, parameters=dict(encoded.parameters)
        )
        headers = {} if size is None else {"Inference-Header-Content-Length": str(size)}
        import json

        answer = self._client._post(f"v2/models/{model}/infer", body, headers, None)
        try:
            told = json.loads(answer.read())
            return RouteError(str(told["code"]), told.get("feature"), told.get("candidate"))
        except (ValueError, KeyError) as error:
            raise failed(_NAME, error) from error

    def close(self) -> None:
        self._client.close()


def _open(bundle: Path, options: RouteOptions) -> Scorer:
    return open_service(_NAME, bundle, options, _Client)


ROUTE = Route(
    name=_NAME,
    summary="the Java server by Open Inference Protocol tensors over HTTP",
    level="bits",
    open=_open,
    lacks=asked_by_name(_NAME),
)
