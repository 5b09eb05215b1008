"""Bundle errors: what is wrong with a bundle, under the contract's stable codes."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# The order is the contract's (codes.json, compared in a test): the first one found is the primary code.
BUNDLE_CODES = (
    "file_missing",
    "link_refused",
    "not_a_regular_file",
    "file_unexpected",
    "manifest_digest_mismatch",
    "manifest_invalid_json",
    "format_unsupported",
    "manifest_invalid",
    "size_mismatch",
    "digest_mismatch",
    "signature_missing",
    "signature_invalid",
    "graph_invalid",
    "graph_forbidden",
    "runtime_mismatch",
    "memory_budget_exceeded",
    "session_failed",
    "goldens_invalid",
    "attestation_invalid",
    "host_class_mismatch",
    "golden_mismatch",
    "incompatible_version",
)
_RANK = {code: rank for rank, code in enumerate(BUNDLE_CODES)}
# A hostile file can hold a hundred thousand wrong places; nobody reads them, and listing them costs seconds.
MAX_LISTED = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: a code of the contract, the file (and place in it), and what to do about it."""

    code: str
    path: str
    detail: str

    def __post_init__(self) -> None:
        if self.code not in _RANK:
            raise ValueError(f"{self.code!r} is no bundle code of the contract")

    def __str__(self) -> str:
        return f"{self.code}: {self.path}: {self.detail}"


class BundleError(Exception):
    """A bundle is unusable: stop serving it.

    Attributes:
        problems: every problem of the phase that failed, the primary one first; of each code the first hundred found.
        code: the primary problem's code.
        omitted: how many more there were.
    """

    def __init__(self, problems: Iterable[Problem], omitted: int = 0) -> None:
        ordered = tuple(sorted(problems, key=lambda p: (_RANK[p.code], p.path)))
        if not ordered:
            raise ValueError("a BundleError needs at least one problem")
        self.problems = ordered
        self.omitted = omitted
        more = [f"... and {omitted} more problems"] if omitted else []
        super().__init__("\n".join([*(str(problem) for problem in ordered), *more]))

    @property
    def code(self) -> str:
        """The primary problem's code."""
        return self.problems[0].code


def _printable(text: str) -> str:
    """On one line, and nothing that a terminal would obey: file names and errors of libraries may hold anything."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


class Findings:
    """Collects the problems of one phase."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self._count: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._problems)

    def add(self, code: str, path: str, detail: str) -> None:
        """Records one problem. What a file system or a JSON text holds may not be printable; here it becomes so."""
        self._count[code] += 1
        if self._count[code] <= MAX_LISTED:
            self._problems.append(Problem(code, _printable(path), _printable(detail)))

    def stop(self, cause: BaseException | None = None) -> None:
        """Ends the phase.

        Raises:
            BundleError: if anything was recorded; chained to ``cause``.
        """
        if self._problems:
            raise BundleError(self._problems, self._count.total() - len(self._problems)) from cause
