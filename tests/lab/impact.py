"""What a fault hit, and how long the line took to get over it.

    strike = impact.strike(worker, "the broker is killed")   # right before the fault is made
    ...the fault...
    strike.over(worker)                                      # waits until records are acknowledged again

A worker that dies of itself, or that says what it left, is judged afterwards: impact.death(), impact.told().

The run ends with a table of all of it. impact.prove() fails a test whose faults hit nothing.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lab.waiting import patient, wait_until
from lab.worker import Worker

PATIENCE = 2.0
ENDED = "^ended in the middle: what is unconfirmed comes again$"


@dataclass
class Strike:
    what: str
    records_unconfirmed: int = 0
    transaction_open: bool = False
    records_acked: int = 0
    began: float = field(default_factory=time.monotonic)
    recovery: float | None = None

    def over(self, worker: Worker, timeout: float = 60, beyond: int | None = None) -> None:
        """Waits until more records are acknowledged than now, or than `beyond`; notes the time since the
        strike."""
        worker.wait_delivery(timeout, beyond=beyond)
        self.recovery = time.monotonic() - self.began


class Impact:
    """The strikes of one test."""

    def __init__(self, test: str):
        self.test = test
        self.strikes: list[Strike] = []

    def strike(self, worker: Worker, what: str) -> Strike:
        """Looks at the worker right before the fault: at a moment with records unconfirmed, if one comes
        soon. One that cannot be asked counts as idle."""
        until = time.monotonic() + patient(PATIENCE)
        status = worker.status_if_answered()
        while (status is None or status["in_flight_records"] == 0) and time.monotonic() < until:
            status = worker.status_if_answered()
        if status is None:
            return self._note(Strike(what))
        seen = (status["in_flight_records"], status["transaction_open"], status["records_acked"])
        return self._note(Strike(what, *seen))

    def death(self, worker: Worker, what: str, left_behind: Callable[[], int], timeout: float = 60) -> Strike:
        """Waits until the worker is dead of itself. The world tells what that hit: left_behind() counts
        what Kafka has got and the slot does not know of."""
        wait_until(lambda: not worker.alive(), f"it dies: {what}", timeout)
        strike = Strike(what)
        until = time.monotonic() + patient(PATIENCE)
        strike.records_unconfirmed = left_behind()
        while strike.records_unconfirmed == 0 and time.monotonic() < until:  # some may be on their way
            strike.records_unconfirmed = left_behind()
        return self._note(strike)

    def told(self, worker: Worker, what: str) -> Strike:
        """What the worker's stream left when it ended, by its own last word on that."""
        said = worker.wait(lambda: worker.last_log(ENDED), "it says what it left")
        return self._note(Strike(what, said["records_unconfirmed"], said["transaction_cut"]))

    def _note(self, strike: Strike) -> Strike:
        self.strikes.append(strike)
        return strike

    @property
    def hits(self) -> int:
        """Strikes that met records unconfirmed."""
        return sum(strike.records_unconfirmed > 0 for strike in self.strikes)

    @property
    def cuts(self) -> int:
        """Strikes that met an open transaction."""
        return sum(strike.transaction_open for strike in self.strikes)

    def prove(self, hits: int = 1) -> None:
        assert self.hits >= hits, (
            f"proved nothing: {self.hits} of {len(self.strikes)} faults met records unconfirmed, "
            f"{hits} were asked for"
        )

    def row(self) -> str:
        recoveries = [s.recovery for s in self.strikes if s.recovery is not None]
        slowest = f"{max(recoveries):8.2f}" if recoveries else f"{'-':>8}"
        unconfirmed = max((s.records_unconfirmed for s in self.strikes), default=0)
        return f"{len(self.strikes):6} {unconfirmed:12} {self.cuts:4} {slowest}  {self.test}"


HEADER = f"{'faults':>6} {'unconfirmed':>12} {'cut':>4} {'recovery':>8}  test"
LEGEND = (
    "faults made; most records unconfirmed at one of them; faults in an open transaction; "
    "slowest recovery in seconds"
)
