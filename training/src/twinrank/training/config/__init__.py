"""Run files: YAML read strictly into plain dataclasses. Only the recipe sees them; libraries take flat arguments."""

from twinrank.training.config._run_config import (
    BaselineConfig,
    DataConfig,
    EvaluationConfig,
    HeadConfig,
    ModelConfig,
    RequestsConfig,
    RunConfig,
    SampleConfig,
    SourceConfig,
    TableConfig,
    TrainingConfig,
    VocabularyConfig,
    read_config,
)
from twinrank.training.config._strict import ConfigError, read_strictly
from twinrank.training.config._yaml import load_yaml

__all__ = [
    "BaselineConfig",
    "ConfigError",
    "DataConfig",
    "EvaluationConfig",
    "HeadConfig",
    "ModelConfig",
    "RequestsConfig",
    "RunConfig",
    "SampleConfig",
    "SourceConfig",
    "TableConfig",
    "TrainingConfig",
    "VocabularyConfig",
    "load_yaml",
    "read_config",
    "read_strictly",
]
