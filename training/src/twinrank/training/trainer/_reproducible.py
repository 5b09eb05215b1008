"""Same seed, same threads, same bits."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def reproducible(*, seed: int, threads: int) -> Iterator[None]:
    """Fixes torch's seed, thread count and algorithms inside the block, and restores all three after it.

    Bits of sums depend on the number of threads, so it is part of the configuration and never "all cores".

    Args:
        seed: of torch's global generator, which initialises weights and draws dropout.
        threads: intra-op threads.
    """
    before = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    state = torch.get_rng_state()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(state)
        torch.use_deterministic_algorithms(deterministic)
        torch.set_num_threads(before)
