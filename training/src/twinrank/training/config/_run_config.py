"""The shape of a run file, and the bounds of its numbers. What the keys mean: training/README.md."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from twinrank.training.config._strict import read_strictly
from twinrank.training.config._yaml import load_yaml

# What a manifest takes (contract, section 3): training for an hour towards a name that no bundle can have helps nobody.
_NAME = re.compile("[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_HEAD = re.compile("[A-Za-z_][A-Za-z0-9_]{0,63}")
_SCORE = "score"

# torch takes a signed 64-bit seed, and dies of a thread count that the machine cannot give.
_MAX_SEED = 2**63 - 1
_MAX_THREADS = 1024


def _require(condition: bool, rule: str) -> None:
    if not condition:
        raise ValueError(rule)


@dataclass(frozen=True)
class InteractionsConfig:
    """The file of events and the names of its columns."""

    file: str
    user: str
    item: str
    time: str
    time_unit: str
    rating: str | None = None
    delimiter: str = "\t"

    def __post_init__(self) -> None:
        _require(self.time_unit in ("s", "ms"), f"time_unit must be 's' or 'ms', not {self.time_unit!r}")
        _require(len(self.delimiter) == 1, "delimiter must be one character")


@dataclass(frozen=True)
class TableConfig:
    """A side table: its file, the column that identifies rows, and for items the column of titles."""

    file: str
    key: str
    title: str | None = None
    delimiter: str = "\t"

    def __post_init__(self) -> None:
        _require(len(self.delimiter) == 1, "delimiter must be one character")


@dataclass(frozen=True)
class DataConfig:
    """Where events come from: a packaged set by name, or a directory of one's own."""

    interactions: InteractionsConfig
    set: str | None = None
    path: str | None = None
    users: TableConfig | None = None
    items: TableConfig | None = None

    def __post_init__(self) -> None:
        _require((self.set is None) != (self.path is None), "give either `set` or `path`")


@dataclass(frozen=True)
class SplitConfig:
    """Fractions of all events at which validation and test begin."""

    validation_at: float
    test_at: float


@dataclass(frozen=True)
class RequestsConfig:
    """How many requests a user gets in each period, and how often popularity is refreshed."""

    training_per_user: int
    evaluation_per_user: int
    snapshot_hours: int = 24

    def __post_init__(self) -> None:
        _require(min(self.training_per_user, self.evaluation_per_user, self.snapshot_hours) >= 1, "all must be >= 1")


@dataclass(frozen=True)
class SourceConfig:
    """Where a feature's values come from; see `twinrank.training.data.FeatureSource`."""

    kind: str
    column: str | None = None
    separator: str | None = None
    absent: tuple[str, ...] = ()
    window_days: int | None = None

    def __post_init__(self) -> None:
        kinds = (
            *("user", "item", "users", "items", "history_item", "history_time", "history_count", "history_rating"),
            *("request_time", "popularity", "item_rating", "covisits"),
        )
        _require(self.kind in kinds, f"kind must be one of {kinds}, not {self.kind!r}")
        _require(self.window_days is None or self.window_days >= 1, "window_days must be >= 1")


@dataclass(frozen=True)
class VocabularyConfig:
    """A vocabulary: the features whose training values it holds, how rare they may be, and rows for unseen ones."""

    dtype: str
    features: tuple[str, ...]
    min_count: int = 1
    max_size: int | None = None
    oov_buckets: int = 1

    def __post_init__(self) -> None:
        _require(min(self.min_count, self.oov_buckets) >= 1, "min_count and oov_buckets must be >= 1")
        _require(self.max_size is None or self.max_size >= 1, "max_size must be >= 1, or left out")
        _require(self.dtype in ("string", "int64"), f"dtype must be 'string' or 'int64', not {self.dtype!r}")


@dataclass(frozen=True)
class HeadConfig:
    """A head: its weight in the score, and for all but the first the lowest rating that is a 1 for it."""

    name: str
    score_weight: float
    rating_at_least: float | None = None
    loss_weight: float = 1.0

    def __post_init__(self) -> None:
        _require(
            _HEAD.fullmatch(self.name) is not None and self.name != _SCORE,
            f"a head's name must be letters, digits and _, at most 64, not begin with a digit, and not be {_SCORE!r}; "
            f"it is {self.name!r}",
        )
        _require(self.loss_weight >= 0, "loss_weight must be >= 0")


@dataclass(frozen=True)
class ModelConfig:
    """The ranker; see `twinrank.training.models.SlateRanker`."""

    item: str
    history: str
    history_mask: str
    width: int
    small_width: int
    hidden: tuple[int, ...]
    dropout: float
    history_dropout: float
    heads: tuple[HeadConfig, ...]
    history_extras: tuple[str, ...] = ()
    list_masks: Mapping[str, str] = field(default_factory=dict)
    widths: Mapping[str, int] = field(default_factory=dict)
    unseen_rates: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require(len(self.hidden) == 2, "hidden must be two widths")
        sizes = (self.width, self.small_width, *self.hidden, *self.widths.values())
        _require(min(sizes) >= 1, "all widths must be >= 1")
        rates = (self.dropout, self.history_dropout, *self.unseen_rates.values())
        _require(all(0 <= rate < 1 for rate in rates), "rates must be at least 0 and below 1")
        rated = [head.rating_at_least is not None for head in self.heads]
        _require(
            rated == [False] + [True] * (len(rated) - 1),
            "heads must begin with the one that ranks, without rating_at_least; all others need it",
        )
        _require(len({head.name for head in self.heads}) == len(self.heads), "two heads have one name")


@dataclass(frozen=True)
class TrainingConfig:
    """Sampling, losses and optimisation; see `twinrank.training.trainer`."""

    batch_size: int
    positives: int
    horizon: int
    negatives: int
    negative_power: float
    epochs: int
    patience: int
    learning_rate: float
    weight_decay: float

    def __post_init__(self) -> None:
        counts = (self.batch_size, self.positives, self.horizon, self.negatives, self.epochs, self.patience)
        _require(min(counts) >= 1, "counts must be >= 1")
        _require(self.learning_rate > 0, "learning_rate must be > 0")
        _require(min(self.weight_decay, self.negative_power) >= 0, "weights must be >= 0")


@dataclass(frozen=True)
class BaselineConfig:
    """Grids from which validation chooses each baseline's one parameter."""

    recent_days: tuple[int, ...]
    ease_regularisation: tuple[float, ...]

    def __post_init__(self) -> None:
        _require(bool(self.recent_days) and min(self.recent_days) >= 1, "recent_days must be days >= 1")
        _require(
            bool(self.ease_regularisation) and min(self.ease_regularisation) > 0, "ease_regularisation must be > 0"
        )


@dataclass(frozen=True)
class EvaluationConfig:
    """The cut-off of nDCG and recall, and what the ranker is compared with."""

    k: int
    baselines: BaselineConfig

    def __post_init__(self) -> None:
        _require(self.k >= 1, "k must be >= 1")


@dataclass(frozen=True)
class SampleConfig:
    """Sample requests for goldens and demos: how many of each kind, and the sizes of the ordinary ones."""

    full_catalogue: int
    ordinary: int
    single: int
    smallest: int
    largest: int

    def __post_init__(self) -> None:
        _require(min(self.full_catalogue, self.ordinary, self.single) >= 0, "counts must be >= 0")
        _require(1 <= self.smallest <= self.largest, "sizes must satisfy 1 <= smallest <= largest")


@dataclass(frozen=True)
class TreesConfig:
    """The trees; see `twinrank.training.trees.TreeOptions`, which checks them."""

    library: str
    objective: str
    rounds: int
    learning_rate: float
    leaves: int
    label_gain: tuple[float, ...]
    early_stopping: int | None = None
    monotone: Mapping[str, int] = field(default_factory=dict)
    position_bias: float | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class SlatesConfig:
    """Training slates: the next events after a request, graded, and sampled items that the user never met.

    Grade 0 was not met, 1 was met, and every rating in `grades` that is reached is one grade more.
    """

    horizon: int
    negatives: int
    negative_power: float
    grades: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _require(min(self.horizon, self.negatives) >= 1, "counts must be >= 1")
        _require(self.negative_power >= 0, "negative_power must be >= 0")
        _require(list(self.grades) == sorted(set(self.grades)), "grades must rise")


@dataclass(frozen=True)
class RunConfig:
    """A whole run. `features` and `transforms` stay mappings: the schema and the transforms check them."""

    name: str
    seed: int
    threads: int
    max_candidates: int
    data: DataConfig
    split: SplitConfig
    requests: RequestsConfig
    features: tuple[object, ...]
    vocabularies: Mapping[str, VocabularyConfig]
    transforms: tuple[object, ...]
    model: ModelConfig
    training: TrainingConfig
    evaluation: EvaluationConfig
    samples: SampleConfig

    def __post_init__(self) -> None:
        _check_run(self.name, self.seed, self.threads, self.max_candidates)


@dataclass(frozen=True)
class TreesRunConfig:
    """A whole run of trees on interactions."""

    name: str
    seed: int
    threads: int
    max_candidates: int
    data: DataConfig
    split: SplitConfig
    requests: RequestsConfig
    features: tuple[object, ...]
    transforms: tuple[object, ...]
    trees: TreesConfig
    slates: SlatesConfig
    evaluation: EvaluationConfig
    samples: SampleConfig
    vocabularies: Mapping[str, VocabularyConfig] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_run(self.name, self.seed, self.threads, self.max_candidates)


@dataclass(frozen=True)
class RankingFileConfig:
    """Rows of a ranking file, the sizes of their queries, and where the rows were shown; paths."""

    rows: str
    queries: str | None = None
    positions: str | None = None


@dataclass(frozen=True)
class SvmlightConfig:
    """Ranking files: for training, for stopping, and for the last measure."""

    training: RankingFileConfig
    validation: RankingFileConfig
    test: RankingFileConfig | None = None


@dataclass(frozen=True)
class RankingDataConfig:
    """Where queries come from."""

    svmlight: SvmlightConfig


@dataclass(frozen=True)
class RankingEvaluationConfig:
    """Cut-offs of nDCG; the first one stops training."""

    k: tuple[int, ...]

    def __post_init__(self) -> None:
        _require(bool(self.k) and min(self.k) >= 1, "k must be cut-offs >= 1")


@dataclass(frozen=True)
class RankingRunConfig:
    """A whole run of trees on ranking files."""

    name: str
    seed: int
    threads: int
    max_candidates: int
    data: RankingDataConfig
    trees: TreesConfig
    evaluation: RankingEvaluationConfig
    samples: int = 200

    def __post_init__(self) -> None:
        _check_run(self.name, self.seed, self.threads, self.max_candidates)
        _require(self.samples >= 1, "samples must be >= 1")


def _check_run(name: str, seed: int, threads: int, max_candidates: int) -> None:
    _require(
        _NAME.fullmatch(name) is not None,
        "name must be letters, digits, '_', '.' and '-', at most 128, and begin with a letter, digit or '_'; "
        f"it is {name!r}",
    )
    _require(0 <= seed <= _MAX_SEED, f"seed must be 0 to {_MAX_SEED}, not {seed}")
    _require(1 <= threads <= _MAX_THREADS, f"threads must be 1 to {_MAX_THREADS}, not {threads}")
    _require(max_candidates >= 1, "max_candidates must be >= 1")


def read_trees_config(document: Mapping[str, Any]) -> TreesRunConfig | RankingRunConfig:
    """Reads a run file of trees: one that has the section `trees`.

    Raises:
        ConfigError: as for `read_config`.
    """
    data = document.get("data")
    if isinstance(data, Mapping) and "svmlight" in data:
        return read_strictly(RankingRunConfig, document, where="run")
    return read_strictly(TreesRunConfig, document, where="run")


def read_config(text: str) -> tuple[RunConfig, dict[str, Any]]:
    """Reads a run file.

    Returns:
        The configuration, and the mapping it was read from, for provenance.

    Raises:
        ConfigError: if it is not YAML, or anything in it is unknown, absent, of another type or out of bounds.
    """
    document = load_yaml(text)
    return read_strictly(RunConfig, document, where="run"), document
