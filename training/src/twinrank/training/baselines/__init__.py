"""What a ranker must beat to deserve its weights: popularity and EASE, scored under the ranker's own protocol."""

from twinrank.training.baselines._ease import Ease
from twinrank.training.baselines._popularity import Popularity, RecentPopularity

__all__ = ["Ease", "Popularity", "RecentPopularity"]
