"""Timing: the engine that takes longer is the one that is said to."""

import time

import numpy as np

from models import timing
from models.engines import Outputs

INPUTS = np.zeros((3, 1, 4, 4), dtype=np.float32)


class Waits:
    """Takes so many milliseconds for each image."""

    def __init__(self, ms: float) -> None:
        self.ms, self.sizes = ms, set[int]()

    def __call__(self, inputs: np.ndarray) -> Outputs:
        self.sizes.add(len(inputs))
        time.sleep(self.ms * len(inputs) / 1000)
        return {}


def test_times_are_of_one_image_alone_and_of_one_in_a_batch_of_sixteen() -> None:
    quick, slow = Waits(0.5), Waits(2.0)

    found = timing.timed({"quick": quick, "slow": slow}, INPUTS)

    assert quick.sizes == slow.sizes == {1, 16}
    assert 0.5 <= found["quick"].ms_batched < found["slow"].ms_batched
    assert 0.5 <= found["quick"].ms_single < found["slow"].ms_single
    assert found["slow"].ms_batched >= 2.0


def test_the_machine_is_named_with_its_threads() -> None:
    assert timing.machine(threads=2).endswith(", 2 threads")
    assert len(timing.machine(threads=1)) > len(", 1 thread")
