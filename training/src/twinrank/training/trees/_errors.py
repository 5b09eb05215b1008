"""What can stop trees."""


class TreesError(Exception):
    """A parameter, a column, a library or a ranking file is such that no trees can be trained."""
