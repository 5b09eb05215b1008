"""Java in a JVM that already runs, through a Py4J gateway: somebody's own service, verified in place.

Without a connection file to attach to, the route starts a gateway of its own. A gateway runs any code for whoever
holds its token: the token is in a file that only its owner may read, and travels on loopback only.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import stat
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twinrank.bridge import _frames
from twinrank.bridge._deadline import DeadlineError, Worker
from twinrank.bridge._java import JavaMissingError, find_jar, find_java
from twinrank.bridge._process import Child
from twinrank.bridge._scorer import Reason, Route, RouteFailedError, RouteOptions, Scorer
from twinrank.bridge._testee import FrameScorer

__all__ = ["ROUTE"]

_NAME = "py4j"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class _Connection:
    """Where a gateway listens and the token that opens it, as its connection file says."""

    file: Path
    host: str
    port: int
    token: str = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> _Connection:
        """Read a connection file that nobody but its owner can read.

        Raises:
            RouteFailedError: if it is not of the form that the gateway writes, is open to others, or leads elsewhere.
        """
        try:
            mode = path.stat().st_mode
            told = json.loads(path.read_text(encoding="utf-8"))
            connection = cls(path, str(told["host"]), int(told["port"]), str(told["token"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            detail = f"{path} is no gateway's connection file ({error!r}): start the gateway, it writes one"
            raise RouteFailedError(_NAME, "unavailable", detail) from error
        if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            detail = f"{path} can be read by others, so its token is void: start the gateway anew, in a private folder"
            raise RouteFailedError(_NAME, "unavailable", detail)
        if connection.host not in _LOOPBACK:
            detail = (
                f"{path} leads to {connection.host}: a token travels in the clear, so gateways are on loopback only"
            )
            raise RouteFailedError(_NAME, "unavailable", detail)
        return connection


def _not_py4j(record: logging.LogRecord) -> bool:
    return record.module != "java_gateway"


class _Gateway:
    """A gateway's entry point as a transport."""

    def __init__(self, connection: _Connection, stack: ExitStack, child: Child | None) -> None:
        from py4j.java_gateway import GatewayParameters, JavaGateway
        from py4j.protocol import Py4JAuthenticationError, Py4JError, Py4JJavaError

        # Py4J logs the traceback of what it raises to the root logger; it would stand in the middle of a report.
        logging.getLogger().addFilter(_not_py4j)
        self._connection = connection
        self._answered = False
        self._refused: type[Exception] = Py4JAuthenticationError
        self._child = child
        self._stack = stack
        self._java_error: type[Exception] = Py4JJavaError
        self._error: type[Exception] = Py4JError
        parameters = GatewayParameters(address=connection.host, port=connection.port, auth_token=connection.token)
        gateway: Any = JavaGateway(gateway_parameters=parameters)
        stack.callback(gateway.close)
        self._entry: Any = gateway.entry_point
        self._worker: Worker[bytes] = Worker("twinrank-py4j")
        stack.callback(self._worker.close)

    def exchange(self, frame: bytes, timeout: float) -> tuple[dict[str, Any], bytes]:
        """Call `handle` over the socket. A gateway of ours that hangs is killed; somebody else's is only left."""
        try:
            answer = self._worker.call(lambda: bytes(self._entry.handle(frame)), timeout)
            self._answered = True
            return _frames.decode(answer)
        except DeadlineError:
            killed = ""
            if self._child is not None:
                self._child.kill()
                killed = ", so it was killed"
            raise self._failed("hung", f"no answer within {timeout:g} s{killed}") from None
        except self._java_error as error:
            raise self._failed("crashed", f"the entry point threw: {str(error).splitlines()[0]}") from error
        except (self._error, OSError) as error:
            raise self._ended(error) from error

    def _ended(self, error: Exception) -> RouteFailedError:
        """Name what became of the connection; a gateway that never answered us has not crashed before our eyes."""
        if self._child is not None:
            return self._failed("crashed", f"the connection failed: {error}; the gateway: {self._child.exit_text()}")
        at = self._connection
        if self._answered:
            ended = "the service has ended, or has opened its gateway anew, as after a swap"
            return self._failed("crashed", f"the connection to {at.host}:{at.port} failed: {error} ({ended})")
        if isinstance(error, self._refused):
            detail = f"the gateway at {at.host}:{at.port} refuses the token in {at.file}: it was opened anew since, "
            return self._failed("unavailable", f"{detail}or the file is another's; take the file that it wrote last")
        if isinstance(getattr(error, "cause", error), ConnectionRefusedError):
            detail = f"nothing listens at {at.host}:{at.port}, where {at.file} leads: the service has ended or has "
            return self._failed("unavailable", f"{detail}closed its gateway; open it again, it writes a new file")
        return self._failed("crashed", f"the connection to {at.host}:{at.port} failed: {error}")

    def close(self) -> None:
        """End the connection, and the gateway if this route started it."""
        with contextlib.suppress(Exception):  # closing a connection to a gateway that is gone
            self._stack.close()

    def _failed(self, reason: Reason, detail: str) -> RouteFailedError:
        return RouteFailedError(_NAME, reason, detail, "" if self._child is None else self._child.last_words())


def _start(stack: ExitStack, options: RouteOptions) -> tuple[Path, Child]:
    """Start the gateway jar; it ends when this process does, because its stdin does."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="twinrank-")))
    connection_file = folder / "gateway.json"
    command = find_java().run_jar(find_jar("gateway"), "--connection-file", str(connection_file), "--until-stdin-ends")
    child = Child(command, stdin=True)
    stack.callback(child.close)
    if not child.await_file(connection_file, options.load_timeout):
        end = child.exit_text()
        detail = f"the gateway wrote no connection file within {options.load_timeout:g} s: {end}"
        raise RouteFailedError(_NAME, "crashed" if end else "hung", detail, child.last_words())
    return connection_file, child


def _open(bundle: Path, options: RouteOptions) -> Scorer:
    stack = ExitStack()
    try:
        child: Child | None = None
        connection_file = options.gateway
        if connection_file is None:
            connection_file, child = _start(stack, options)
        transport = _Gateway(_Connection.read(connection_file), stack, child)
    except JavaMissingError as error:
        stack.close()
        raise RouteFailedError(_NAME, "unavailable", str(error)) from error
    except ImportError as error:
        stack.close()
        raise RouteFailedError(_NAME, "unavailable", f"{error}: install twinrank[bridge]") from error
    except BaseException:
        stack.close()
        raise
    return FrameScorer(_NAME, transport, bundle, options)


ROUTE = Route(name=_NAME, summary="Java in a running JVM, through a Py4J gateway", level="bits", open=_open)
