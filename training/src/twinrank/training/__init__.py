"""Room 1: schema, transforms, data, models and the trainer. Import its sub-packages; this one loads nothing."""

__all__: list[str] = []
