"""YAML text to plain values, without YAML's habit of keeping the last of two equal keys."""

from typing import Any

import yaml

from twinrank.training.config._strict import ConfigError


def load_yaml(text: str) -> Any:
    """Returns what the text says, in plain types.

    Raises:
        ConfigError: if it is not YAML, or a mapping gives a key twice.
    """
    try:
        problems: list[str] = []
        _repeated_keys(yaml.compose(text, Loader=yaml.SafeLoader), problems)
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(["not YAML: " + str(error).replace('in "<unicode string>", line', "at line")]) from error
    if problems:
        raise ConfigError(sorted(problems))
    return document


def _repeated_keys(node: Any, problems: list[str]) -> None:
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        line = node.start_mark.line + 1
        problems.extend(
            f"line {line}: the key {key!r} is given twice" for key in {k for k in keys if keys.count(k) > 1}
        )
        for _, value in node.value:
            _repeated_keys(value, problems)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _repeated_keys(value, problems)
