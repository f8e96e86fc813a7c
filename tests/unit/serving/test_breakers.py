"""Circuit breakers: when a version is out, who tries it again, and which news is too old to count."""

import pytest

from serving.breakers import FAILURES, LONGEST_PAUSE_S, PAUSE_S, Breaker, Breakers, State


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock=clock)


def open_it(breaker: Breaker, clock: Clock) -> None:
    breaker.failed(begun=clock.now, timed_out=True)
    clock.now += 0.001


def test_it_opens_after_failures_in_a_row(breaker: Breaker, clock: Clock) -> None:
    for _ in range(FAILURES - 1):
        breaker.failed(begun=clock.now)
    assert breaker.may_ask()
    breaker.failed(begun=clock.now)
    assert (breaker.state, breaker.may_ask(), breaker.is_out()) == (State.OPEN, False, True)


def test_an_answer_in_between_begins_the_count_again(breaker: Breaker, clock: Clock) -> None:
    for _ in range(3 * FAILURES):
        breaker.failed(begun=clock.now)
        breaker.succeeded(begun=clock.now)
    assert breaker.state is State.CLOSED


def test_one_time_out_suffices(breaker: Breaker, clock: Clock) -> None:
    breaker.failed(begun=clock.now, timed_out=True)
    assert breaker.state is State.OPEN


def test_after_the_pause_one_request_tries_and_no_other(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker, clock)
    assert not breaker.may_ask()
    clock.now += PAUSE_S
    assert not breaker.is_out()
    assert [breaker.may_ask() for _ in range(3)] == [True, False, False]
    assert (breaker.state, breaker.is_out()) == (State.HALF_OPEN, True)


def test_a_trial_that_succeeds_closes_it(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker, clock)
    clock.now += PAUSE_S
    breaker.may_ask()
    breaker.succeeded(begun=clock.now)
    assert (breaker.state, breaker.may_ask()) == (State.CLOSED, True)


def test_trials_that_fail_come_ever_more_rarely_up_to_a_limit(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker, clock)
    pauses = []
    for _ in range(8):
        clock.now += breaker.pause_s
        assert breaker.may_ask()
        breaker.failed(begun=clock.now)
        pauses.append(breaker.pause_s)
    assert pauses[:3] == [2 * PAUSE_S, 4 * PAUSE_S, 8 * PAUSE_S]
    assert pauses[-1] == LONGEST_PAUSE_S


def test_an_answer_to_a_question_from_before_says_nothing(breaker: Breaker, clock: Clock) -> None:
    asked_before = clock.now
    clock.now += 1
    open_it(breaker, clock)
    breaker.succeeded(begun=asked_before)
    assert breaker.state is State.OPEN
    clock.now += PAUSE_S
    breaker.may_ask()
    breaker.succeeded(begun=clock.now)
    clock.now += 1
    breaker.failed(begun=asked_before, timed_out=True)
    assert breaker.state is State.CLOSED


def test_a_trial_whose_caller_goes_away_leaves_the_next_one_to_try(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker, clock)
    clock.now += PAUSE_S
    assert breaker.may_ask()
    breaker.abandoned(begun=clock.now)
    assert breaker.may_ask()


def test_a_service_that_ended_is_forgotten(clock: Clock) -> None:
    breakers = Breakers(clock=clock)
    open_it(breakers.of("http://a"), clock)
    breakers.of("http://b")
    assert breakers.states() == {"http://a": State.OPEN, "http://b": State.CLOSED}
    breakers.forget("http://a")
    assert breakers.of("http://a").may_ask()
