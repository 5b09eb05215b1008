"""A vocabulary of strings of all planes of Unicode, and the module that scores them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tools.parity.models.mixer import Mixer
from twinrank.training.transforms import read_front_yaml

ENTRIES = 1000
_PLANES = (0x00, 0x01, 0x02, 0x03, 0x0E, 0x0F, 0x10)
_FIXED = (
    "",
    "\0",
    "a\0b",
    "\ufeff",
    "\ufffe",
    "\U0010ffff",
    "é",
    "e\u0301",
    "ﬁ",
    "fi",
    "İ",
    "i\u0307",
    "ß",
    "ss",
    "\r\n",
    "\u2028",
)


def words() -> tuple[str, ...]:
    """The entries: 1,000 different strings, equal ones after normalising or folding among them."""
    random = np.random.Generator(np.random.PCG64(23))
    found = dict.fromkeys(_FIXED)
    while len(found) < ENTRIES:
        plane = _PLANES[len(found) % len(_PLANES)] << 16
        points = [plane + int(random.integers(0xFFFF + 1)) for _ in range(int(random.integers(1, 9)))]
        found[("".join(chr(point) for point in points if not 0xD800 <= point <= 0xDFFF))] = None
    return tuple(found)


def schema_text() -> str:
    """The schema file; YAML takes what JSON writes, but for characters beyond the first plane."""
    entries = ", ".join(_quoted(word) for word in words())
    own, empty = "missing: {policy: own_row}", "missing: {policy: default, value: []}"
    return f"""\
features:
  - {{name: query, placement: context, dtype: string, {own}}}
  - {{name: past, placement: context, dtype: string, list: {{max_length: 5, keep: last}}, {empty}}}
  - {{name: word, placement: candidate, dtype: string, {own}}}
  - {{name: more, placement: candidate, dtype: string, list: {{max_length: 2, keep: first}}, {empty}}}
vocabularies:
  words: {{dtype: string, oov_buckets: 5, entries: [{entries}]}}
transforms:
  - {{kind: lookup, name: query, feature: query, vocabulary: words}}
  - {{kind: hash, name: query_bucket, feature: query, buckets: 500}}
  - {{kind: lookup, name: past, feature: past, vocabulary: words}}
  - {{kind: sequence_mask, name: past_mask, feature: past}}
  - {{kind: lookup, name: word, feature: word, vocabulary: words}}
  - {{kind: hash, name: word_bucket, feature: word, buckets: 500, seed: 4}}
  - {{kind: lookup, name: more, feature: more, vocabulary: words}}
  - {{kind: cross, name: asked, features: [query, word], buckets: 211}}
"""


def _quoted(word: str) -> str:
    def escape(pair: re.Match[str]) -> str:
        high, low = (int(half, 16) for half in pair.groups())
        return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"

    text = json.dumps(word, ensure_ascii=True).replace("\x7f", "\\u007f")
    return re.sub(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", escape, text)


def make() -> nn.Module:
    """Freshly seeded."""
    torch.manual_seed(23)
    return Mixer(read_front_yaml(schema_text(), base=Path.cwd()).outputs).eval()
