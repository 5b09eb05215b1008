"""What is said of a model file that cannot become a forest, or cannot be compared with its library."""

from __future__ import annotations


class TreeModelError(Exception):
    """A tree model that cannot be read, or not with the native library's bits.

    Attributes:
        code: ``tree_model_invalid`` (damaged, edited, not such a file, or refused by the library itself),
            ``tree_model_unsupported`` (sound, and its scores cannot be given to the bit), ``tree_model_too_large``;
            ``tree_native_missing`` where the library that must be asked is not installed.
        where: the place: a line, a tree and node, or a field.
        remedy: what to do.
    """

    def __init__(self, code: str, where: str, detail: str, remedy: str) -> None:
        super().__init__(f"{code}: {where}: {detail}. {remedy}")
        self.code = code
        self.where = where
        self.detail = detail
        self.remedy = remedy


def refuse_pickle(data: bytes, remedy: str) -> None:
    """Refuses what pickle or joblib wrote: reading it would run whatever its writer wanted.

    Raises:
        TreeModelError: ``tree_model_invalid`` if the bytes begin as a pickle of protocol 2 or later does.
    """
    if data[:1] == b"\x80":
        what = "this is a Python pickle (joblib writes them too), which could run anything when it is read"
        raise TreeModelError(
            "tree_model_invalid", "byte 0", what, f"Load it where you trust it, and save the model itself: {remedy}"
        )
