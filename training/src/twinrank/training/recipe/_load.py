"""The data that a run file names, read and digested."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twinrank.training.config import DataConfig, TableConfig
from twinrank.training.data import (
    PACKAGED_SETS,
    DataError,
    Interactions,
    SideTable,
    file_sha256,
    interactions_from_table,
    obtain,
    read_table,
)
from twinrank.training.recipe._listener import Listener


@dataclass(frozen=True)
class LoadedData:
    """Events and side tables.

    Attributes:
        events: all of them.
        users: side table, or None.
        items: side table, or None.
        titles: item id to title, for items that have one.
        digests: SHA-256 in lower-case hex by file name.
    """

    events: Interactions
    users: SideTable | None
    items: SideTable | None
    titles: dict[str, str]
    digests: dict[str, str]

    def describe(self, config: DataConfig) -> dict[str, Any]:
        """What data.json holds."""
        return {
            "set": config.set,
            "files": self.digests,
            "users": len(self.events.users),
            "items": len(self.events.items),
            "events": len(self.events),
        }


def load_data(config: DataConfig, *, cache: Path, listener: Listener) -> LoadedData:
    """Reads the files, fetching a packaged set that the cache lacks.

    Raises:
        DataError: if data are absent, damaged or not what the run file says of them.
    """
    if config.set is not None:
        if config.set not in PACKAGED_SETS:
            raise DataError(f"there is no packaged data set {config.set!r}; there are {sorted(PACKAGED_SETS)}.")
        folder = obtain(PACKAGED_SETS[config.set], cache, say=listener.say)
    else:
        folder = Path(str(config.path))
    users, items = _side_table(config.users, folder), _side_table(config.items, folder)
    columns = config.interactions
    events = interactions_from_table(
        read_table(folder / columns.file, delimiter=columns.delimiter),
        user=columns.user,
        item=columns.item,
        time=columns.time,
        time_unit=columns.time_unit,
        rating=columns.rating,
        users=() if users is None else users.table.column(users.key),
        items=() if items is None else items.table.column(items.key),
    )
    titles: dict[str, str] = {}
    if items is not None and config.items is not None and config.items.title is not None:
        titles = dict(zip(items.table.column(items.key), items.table.column(config.items.title), strict=True))
    files = [columns.file, *(table.file for table in (config.users, config.items) if table is not None)]
    return LoadedData(events, users, items, titles, {file: file_sha256(folder / file) for file in files})


def _side_table(config: TableConfig | None, folder: Path) -> SideTable | None:
    if config is None:
        return None
    return SideTable(read_table(folder / config.file, delimiter=config.delimiter), config.key)
