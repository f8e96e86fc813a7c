"""The batcher: what waits is the next batch, nothing waits for ever, and no answer goes to another's question."""

import asyncio
import threading
from collections.abc import Callable, Sequence

import pytest

from domain.errors import Overloaded
from serving.services.application import engine_lanes
from serving.services.batching import STUCK_S, Batcher, worthwhile_batch_size

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Engine:
    """Doubles numbers; holds each batch until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.free = threading.Event()
        self.free.set()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        assert self.free.wait(5)
        return [2 * item for item in items]


async def started(engine: Engine, batches: int) -> None:
    async with asyncio.timeout(5):
        while len(engine.batches) < batches:
            await asyncio.sleep(0.001)


async def test_an_idle_engine_begins_at_once() -> None:
    engine = Engine()
    assert await Batcher(engine).submit(4) == 8
    assert engine.batches == [[4]]


async def test_what_came_while_the_engine_was_busy_is_the_next_batch_up_to_its_size() -> None:
    engine = Engine()
    batcher = Batcher(engine, max_batch_size=3)
    engine.free.clear()
    first = asyncio.create_task(batcher.submit(0))
    await started(engine, 1)
    others = [asyncio.create_task(batcher.submit(number)) for number in range(1, 6)]
    await asyncio.sleep(0)
    engine.free.set()
    assert await asyncio.gather(first, *others) == [0, 2, 4, 6, 8, 10]
    assert engine.batches == [[0], [1, 2, 3], [4, 5]]


async def test_an_engine_that_fails_fails_its_batch_and_no_other() -> None:
    def fail_on_three(items: Sequence[int]) -> list[int]:
        if 3 in items:
            raise ValueError("three")
        return list(items)

    batcher = Batcher(fail_on_three, max_batch_size=1)
    answers = await asyncio.gather(*(batcher.submit(number) for number in range(5)), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["0", "1", "2", "three", "4"]


async def test_whoever_went_away_takes_no_place_in_a_batch() -> None:
    engine = Engine()
    batcher = Batcher(engine)
    engine.free.clear()
    first = asyncio.create_task(batcher.submit(0))
    await started(engine, 1)
    gone, stays = asyncio.create_task(batcher.submit(1)), asyncio.create_task(batcher.submit(2))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    engine.free.set()
    assert await asyncio.gather(first, stays) == [0, 4]
    assert engine.batches == [[0], [2]]


async def test_an_image_that_waited_too_long_is_not_scored_for_nobody() -> None:
    engine, now = Engine(), 0.0
    batcher = Batcher(engine, wait_s=10.0, clock=lambda: now)
    engine.free.clear()
    first = asyncio.create_task(batcher.submit(0))
    await started(engine, 1)
    late = asyncio.create_task(batcher.submit(1))
    await asyncio.sleep(0)
    now = 11.0
    engine.free.set()
    assert await first == 0
    with pytest.raises(Overloaded):
        await late
    assert engine.batches == [[0]]


async def test_a_batch_that_does_not_come_back_is_noticed() -> None:
    engine, now = Engine(), 0.0
    batcher = Batcher(engine, clock=lambda: now)
    assert not batcher.is_stuck()
    engine.free.clear()
    asked = asyncio.create_task(batcher.submit(0))
    await started(engine, 1)
    now = STUCK_S + 1
    assert batcher.is_stuck()
    engine.free.set()
    await asked
    assert not batcher.is_stuck()


async def test_each_batch_is_observed() -> None:
    seen: list[int] = []
    batcher = Batcher(Engine(), observe=lambda size, _: seen.append(size))
    await batcher.submit(1)
    assert seen == [1]


async def test_two_lanes_work_side_by_side_and_share_what_waits() -> None:
    engine = Engine()
    batcher = Batcher(engine, lanes=2)
    engine.free.clear()
    first = [asyncio.create_task(batcher.submit(number)) for number in (0, 1)]
    await started(engine, 2)  # neither waits for the other
    others = [asyncio.create_task(batcher.submit(number)) for number in range(2, 6)]
    await asyncio.sleep(0)
    engine.free.set()
    assert await asyncio.gather(*first, *others) == [0, 2, 4, 6, 8, 10]
    assert engine.batches[:2] == [[0], [1]]
    assert max(len(batch) for batch in engine.batches) <= 4
    assert sorted(number for batch in engine.batches for number in batch) == list(range(6))


async def test_one_lane_that_does_not_come_back_is_noticed_beside_one_that_does() -> None:
    now, hangs = 0.0, threading.Event()

    def run(items: Sequence[int]) -> list[int]:
        if 0 in items:
            assert hangs.wait(5)
        return list(items)

    batcher = Batcher(run, lanes=2, clock=lambda: now)
    stuck = asyncio.create_task(batcher.submit(0))
    await asyncio.sleep(0)
    assert await batcher.submit(1) == 1
    now = STUCK_S + 1
    assert batcher.is_stuck()
    assert await batcher.submit(2) == 2  # the other lane still answers
    hangs.set()
    assert await stuck == 0
    assert not batcher.is_stuck()


@pytest.mark.parametrize(
    ("seconds", "size"),
    [
        (lambda images: 1.0, 16),  # a call costs the same whatever is in it
        (lambda images: 1.0 * images, 1),  # an image costs the same in whatever company
        (lambda images: 1.0 * max(4, images), 4),
    ],
)
async def test_a_batch_grows_while_it_answers_more_images_a_second(seconds: Callable[[int], float], size: int) -> None:
    now = 0.0

    def run(images: int) -> None:
        nonlocal now
        now += seconds(images)

    assert worthwhile_batch_size(run, lanes=1, clock=lambda: now) == size


@pytest.mark.parametrize(("threads", "lanes"), [("1", 1), ("2", 2), ("16", 2)])
async def test_two_batches_run_side_by_side_however_many_cores_there_are(
    threads: str, lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIDUCIAL_ENGINE_THREADS", threads)
    assert engine_lanes() == lanes
