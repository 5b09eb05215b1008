"""The server's counts are the client's own, exactly: what was ranked, what was refused, and why."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tools.service.bundles import CANDIDATES, NAME
from tools.service.stage import PATH, Stage, Verdict, add

_NONE = "-"
_SAMPLE = re.compile(r"^([a-z_]+)(?:\{(.*)\})? ([0-9.eE+-]+)$")
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
_FLOOD = 64


def run(stage: Stage, count: int) -> Verdict:
    """Sends good and bad requests over both protocols, the last of them more than the server takes, and compares."""
    service = stage.start()
    plan = _plan(stage)
    drivers = [
        stage.driver({}, "--plan", str(plan), "--connections", "8", bodies=False),
        stage.driver({}, "--plan", str(plan), "--protocol", "h2", "--connections", "2", bodies=False),
        stage.driver({}, "--plan", str(plan), "--connections", str(_FLOOD), bodies=False),
    ]
    client: dict[str, int] = {}
    wrong: list[str] = []
    half = count // 5
    shares = (2 * half, 2 * half, count - 4 * half)
    for driver, load, share in zip(drivers, ("x4", "x4", f"x{_FLOOD}"), shares, strict=True):
        phase = driver.phase("warm-count", load, str(share))
        add(client, phase["by_label"])
        if phase["errors"]:
            wrong.append(f"requests without an answer, which nobody can count: {phase['errors']}")
    expected = _expected(client)
    text = service.get("/metrics")[1].decode()
    found: dict[str, int] = {}
    for labels, value in _samples(text, "rec_requests_total"):
        add(found, {f"{labels['model']} {labels['outcome']}": value})
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key, 0) != found.get(key, 0):
            wrong.append(f"rec_requests_total, {key}: the server has {found.get(key, 0)}, we {expected.get(key, 0)}")
    ranked = expected.get(f"{NAME} ok", 0)
    sums = {
        "rec_candidates_count": ranked,
        "rec_candidates_sum": ranked * CANDIDATES,
        "rec_model_candidates_total": ranked * CANDIDATES,
        "rec_request_seconds_count": sum(expected.values()),
    }
    for name, value in sums.items():
        given = sum(value for _, value in _samples(text, name))
        if given != value:
            wrong.append(f"{name}: the server has {given:.0f}, we {value}")
    refused = sum(expected.values()) - ranked
    kinds = len(expected)
    return Verdict(
        f"{count} requests over HTTP/1.1 and HTTP/2: {ranked} ranked and {refused} refused for {kinds - 1} reasons, "
        f"{len(wrong)} counts differ; {json.dumps(expected)}",
        wrong,
    )


def _plan(stage: Stage) -> Path:
    good = [json.loads(line) for line in stage.requests.read_text(encoding="utf-8").splitlines()]
    lines: list[dict[str, Any]] = []
    for number, body in enumerate(good):
        lines.append({"label": NAME, "body": body})
        lines.append({"label": NAME, "body": body, "path": f"/v1/models/{NAME}/versions/2:rank"})
        row = dict(body["candidates"][0])
        odd: list[dict[str, Any]] = [
            {"label": NAME, "text": "{"},
            {"label": NAME, "body": {"context": body["context"], "candidates": [row | {"surprise": 1}]}},
            {"label": NAME, "body": {"context": body["context"], "candidates": [row | {"item": 7}]}},
            {"label": NAME, "body": {"context": {}, "candidates": [row]}},
            {"label": NAME, "text": "a=b", "headers": {"content-type": "text/plain"}},
            {"label": NAME, "method": "GET"},
            {"label": NAME, "body": body, "path": f"/v1/models/{NAME}/versions/77:rank"},
            {"label": _NONE, "body": body, "path": "/v1/models/nobody:rank"},
            {"label": "", "method": "GET", "path": "/v1/models"},
            {"label": "", "method": "GET", "path": "/nowhere"},
        ]
        lines.append(odd[number % len(odd)])
    plan = stage.folder / "plan.jsonl"
    plan.write_text("".join(json.dumps({"path": PATH} | line) + "\n" for line in lines), encoding="utf-8")
    return plan


def _expected(client: dict[str, int]) -> dict[str, int]:
    """The driver's ``model status code`` as the server's ``model outcome``."""
    counts: dict[str, int] = {}
    for key, count in client.items():
        model, status, *code = key.split(" ")
        add(counts, {f"{model} {code[0] if code else 'ok' if status == '200' else status}": count})
    return counts


def _samples(text: str, name: str) -> list[tuple[dict[str, str], float]]:
    found = []
    for line in text.splitlines():
        match = _SAMPLE.match(line)
        if match and match[1] == name:
            found.append((dict(_LABEL.findall(match[2] or "")), float(match[3])))
    return found
