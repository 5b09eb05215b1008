"""Modules as another team's package would hold them: factories that `twinrank export --module` calls."""
