"""What can stop a recipe before it starts."""


class RecipeError(Exception):
    """The output directory holds something that training must not overwrite or mix with."""
