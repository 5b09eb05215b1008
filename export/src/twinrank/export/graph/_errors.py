"""Why a run cannot become a bundle."""


class ExportError(Exception):
    """An export was refused; nothing was written.

    Attributes:
        reason: a stable word: ``outputs_differ_from_heads``, ``shape_baked_in``, ``operator_forbidden``,
            ``graph_refused``,
            ``reference_differs``, ``batch_variant``, ``no_request``, ``golden_unexpected``.
        detail: what was found, where.
        remedy: what to do.
    """

    def __init__(self, reason: str, detail: str, remedy: str) -> None:
        self.reason = reason
        self.detail = detail
        self.remedy = remedy
        super().__init__(f"{reason}: {detail}. {remedy}")
