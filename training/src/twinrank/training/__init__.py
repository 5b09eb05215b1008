"""Room 1: schema, transforms, data, models and the trainer. Import its sub-packages; this one loads nothing."""

import os

__all__: list[str] = []

# From 1.29 on, ONNX Runtime for Linux looks up its maker's hosts as soon as it is loaded and keeps a database below
# ~/.cache for what it would send; its own call to switch that off comes too late. Whoever wants it sets another value.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
