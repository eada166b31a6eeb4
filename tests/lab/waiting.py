"""Waiting for conditions, never for time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_slowness = 1.0


def slow_down(factor: float) -> None:
    """From now on whatever is waited for may take that many times as long: what is under test is built with
    a sanitizer."""
    global _slowness
    _slowness = factor


def patient(seconds: float) -> float:
    """A limit for the program under test, as its build deserves."""
    return seconds * _slowness


def wait_until(condition: Callable[[], T], what: str, timeout: float = 30, interval: float = 0.02) -> T:
    """The condition's first true result. `what` tells a person what did not happen."""
    timeout = patient(timeout)
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {timeout:g} s: {what}")
        time.sleep(interval)
