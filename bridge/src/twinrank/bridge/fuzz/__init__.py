"""Requests that nobody would write, made from a bundle's schema, and the smallest form of one that shows a difference.

`fuzz_cases` makes millions of them quickly, and `shrink` cuts a request down while two live scorers still differ on it.
"""

from twinrank.bridge.fuzz._generator import fuzz_cases
from twinrank.bridge.fuzz._search import Differs
from twinrank.bridge.fuzz._shrink import shrink
from twinrank.bridge.fuzz._values import Vocabulary
from twinrank.bridge.fuzz._vocabulary import vocabulary_of

__all__ = ["Differs", "Vocabulary", "fuzz_cases", "shrink", "vocabulary_of"]
