"""A small world for the trainer: 40 users with one of two tastes, 30 items, files as a user would bring them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from twinrank.training.data import Interactions

HOUR_MS = 3_600_000
USERS, ITEMS, EVENTS_EACH = 40, 30, 14


class SilentListener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.steps = 0
        self.epochs: list[Any] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def step(self, *_: Any) -> None:
        self.steps += 1

    def epoch(self, report: Any) -> None:
        self.epochs.append(report)


@pytest.fixture
def listener() -> SilentListener:
    return SilentListener()


def _rows() -> list[tuple[str, str, float, int]]:
    random = np.random.default_rng(20)
    rows = []
    for user in range(USERS):
        liked = np.arange(user % 2, ITEMS, 2)
        chosen = random.permutation(np.concatenate([random.permutation(liked)[:11], random.permutation(ITEMS)[:3]]))
        start = int(random.integers(0, 60 * 24))
        for step, item in enumerate(dict.fromkeys(chosen.tolist())):
            rating = 5.0 if item % 2 == user % 2 else 2.0
            # Two events share each time, as when a page of films is rated at once.
            rows.append((f"u{user}", f"i{item}", rating, (start + step // 2 * 7) * 3600))
    order = random.permutation(len(rows))
    return [rows[place] for place in order]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with events.tsv, users.csv and items.tsv."""
    made = tmp_path / "data"
    made.mkdir()
    lines = [f"{user}\t{item}\t{rating}\t{time}" for user, item, rating, time in _rows()]
    (made / "events.tsv").write_text("who\twhat\tstars\twhen\n" + "\n".join(lines) + "\n", encoding="utf-8")
    people = [f"u{user},{20 + user},{'MF'[user % 2]}" for user in range(USERS)]
    (made / "users.csv").write_text("name,age,gender\n" + "\n".join(people) + "\n", encoding="utf-8")
    things = [
        f"i{i}\tThing № {i}\t{'?' if i == 3 else 1980 + i}\t{'odd' if i % 2 else 'even'} all" for i in range(ITEMS)
    ]
    (made / "items.tsv").write_text("name\ttitle\tyear\ttags\n" + "\n".join(things) + "\n", encoding="utf-8")
    return made


@pytest.fixture
def settings(folder: Path) -> dict[str, Any]:
    """A run file for that directory, as a mapping to edit."""
    text = (Path(__file__).parent / "small_run.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    loaded["data"]["path"] = str(folder)
    return loaded


@pytest.fixture
def run_file(settings: dict[str, Any]) -> str:
    return yaml.safe_dump(settings, sort_keys=False)


@pytest.fixture
def interactions() -> Callable[..., Interactions]:
    """Makes interactions from (user, item, time in ms) triples."""

    def make(*events: tuple[str, str, int], items: tuple[str, ...] = ()) -> Interactions:
        return Interactions.of(
            user=[user for user, _, _ in events],
            item=[item for _, item, _ in events],
            time=np.array([time for _, _, time in events], dtype=np.int64),
            items=items,
        )

    return make
