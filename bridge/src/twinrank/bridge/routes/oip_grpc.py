"""The Open Inference Protocol over gRPC, by an unmodified tritonclient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from twinrank.bridge._scorer import Array, Route, RouteError, RouteOptions, Scorer
from twinrank.bridge.routes._oip import Encoded, asked_by_name, failed, open_service

__all__ = ["ROUTE"]

_NAME = "oip-grpc"


class _Client:
    def __init__(self, address: str, timeout: float) -> None:
        import tritonclient.grpc

        self._module = tritonclient.grpc
        self._timeout = timeout
        self._client = tritonclient.grpc.InferenceServerClient(address)

    def infer(self, model: str, encoded: Encoded, outputs: Sequence[str]) -> Mapping[str, Array] | RouteError:
        from tritonclient.utils import InferenceServerException

        inputs = []
        for each in encoded.inputs:
            tensor = self._module.InferInput(each.name, list(each.values.shape), each.datatype)
            tensor.set_data_from_numpy(each.values)
            inputs.append(tensor)
        wanted = [self._module.InferRequestedOutput(name) for name in outputs]
        try:
            result = self._client.infer(
                model, inputs, outputs=wanted, parameters=dict(encoded.parameters), client_timeout=self._timeout
            )
        except InferenceServerException as error:
            # The client keeps the status alone; the call that it hides has the trailers.
            trailers = dict(getattr(error.__context__, "trailing_metadata", tuple)() or ())
            if "twinrank-code" not in trailers:
                raise failed(_NAME, error) from error
            feature, candidate = trailers.get("twinrank-feature"), trailers.get("twinrank-candidate")
            return RouteError(
                trailers["twinrank-code"],
                None if feature is None else unquote(feature),
                None if candidate is None else int(candidate),
            )
        return {name: result.as_numpy(name) for name in outputs}

    def close(self) -> None:
        self._client.close()


def _open(bundle: Path, options: RouteOptions) -> Scorer:
    return open_service(_NAME, bundle, options, _Client)


ROUTE = Route(
    name=_NAME,
    summary="the Java server by Open Inference Protocol tensors over gRPC",
    level="bits",
    open=_open,
    lacks=asked_by_name(_NAME),
)
