"""The team's own service: here in process, elsewhere a client of whatever answers."""

from pathlib import Path

from twinrank.export.bundle import Bundle, open_bundle


class Ranker:
    """Ranks films; every request is the JSON that callers send."""

    def __init__(self, bundle: Path) -> None:
        self._bundle: Bundle = open_bundle(bundle)

    def rank(self, request: bytes) -> tuple[dict, list[int], list[int]]:
        scores = self._bundle.score(request)
        return {**scores.heads, "score": scores.score}, list(scores.order), list(scores.dropped)
