"""Processes that stand still for a while."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.waiting import wait_until


def freeze(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: stands_still(pid), f"process {pid} stands still")


def thaw(pid: int) -> None:
    """One that has ended meanwhile needs none."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """All of its threads stand still; its sockets stay open."""
    freeze(pid)
    try:
        yield
    finally:
        thaw(pid)


def stands_still(pid: int) -> bool:
    """As SIGSTOP makes it."""
    return all(_state(task) == "T" for task in Path(f"/proc/{pid}/task").iterdir())


def _state(task: Path) -> str:
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "T"  # this thread has ended
