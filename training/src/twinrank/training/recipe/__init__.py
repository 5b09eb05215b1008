"""The recipe: from a run file to a finished run directory. The only place where configuration meets the library."""

from twinrank.training.recipe._errors import RecipeError
from twinrank.training.recipe._listener import Listener
from twinrank.training.recipe._outcome import Outcome
from twinrank.training.recipe._recipe import train

__all__ = ["Listener", "Outcome", "RecipeError", "train"]
