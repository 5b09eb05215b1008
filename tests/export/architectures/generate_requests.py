"""Writes requests.jsonl: the sample requests of the shop, by arithmetic alone."""

import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
TAGS = ["red", "green", "blue", "new", "old", "big", "small", "rare"]


def requests() -> list[str]:
    lines = []
    for r in range(24):
        past = [(r * 5 + 3 * j) % 22 for j in range(r % 11)]
        context = {"history_item": [f"i{i}" for i in past], "history_dwell": [0.5 + (i * 7 % 13) for i in past]}
        if r % 6:
            context["user"] = f"u{r % 7}"
        candidates = []
        for c in range(1 if r % 8 == 0 else 3 + r):
            one = {"item": f"i{(r + 2 * c) % 23}", "price": round(0.99 + 3.7 * ((r * c) % 41), 2)}
            if c % 4:
                one["tags"] = [TAGS[(r + c + t) % 8] for t in range((r + c) % 7)]
            candidates.append(one)
        lines.append(json.dumps({"context": context, "candidates": candidates}))
    return lines


if __name__ == "__main__":
    (HERE / "requests.jsonl").write_text("\n".join(requests()) + "\n", encoding="ascii")
    print("requests.jsonl")
