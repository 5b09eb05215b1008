"""Room 2: bundles.

``bundle`` reads and writes them without torch, ``graph`` makes them from a trained run, ``cli`` is the command.

Nothing is imported here, so that ``twinrank.export.bundle`` stays as light as it is.
"""

__all__: list[str] = []
