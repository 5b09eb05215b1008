"""Room 2: bundles.

``bundle`` reads and writes them without torch, ``graph`` makes them from a trained run, ``cli`` is the command.

Nothing that is heavy is imported here, so that ``twinrank.export.bundle`` stays as light as it is.
"""

import twinrank.training  # noqa: F401  first of all: it keeps ONNX Runtime from sending telemetry

__all__: list[str] = []
