"""The wall clock jumps: nothing waits by it, and what is shown stays readable."""

import math
import subprocess
from pathlib import Path

import pytest

from lab.servers import LAB


class Clock:
    """The wall clock of a worker; clocks that only count stay right."""

    def __init__(self, library: str, file: Path):
        self._file = file
        self.environment = {"LD_PRELOAD": library, "WALL_CLOCK_FILE": str(file)}
        self.set("0")

    def set(self, wrong_by: str) -> None:
        # Renamed into place: the worker reads the file at any moment.
        new = self._file.with_suffix(".new")
        new.write_text(wrong_by)
        new.rename(self._file)


@pytest.fixture
def clock(tmp_path):
    build = [LAB / "tools/build.sh", "wall_clock", "-shared", "-fPIC"]
    library = subprocess.run(build, check=True, capture_output=True, text=True).stdout.strip()
    return Clock(library, tmp_path / "clock")


def shows_sense(worker) -> None:
    status = worker.status()
    assert status["lag_ms"] >= 0 and status["slot"]["ageMs"] < 10000, status
    samples = worker.metrics()
    assert samples["pqcdc_lag_seconds"] >= 0
    assert samples.pop("pqcdc_slot_safe_wal_bytes") == math.inf
    assert all(math.isfinite(value) and value >= 0 for value in samples.values()), samples
    for path in ("/livez", "/readyz", "/startupz"):
        assert worker.get(path)[0] == 200, path


def seen(jump: str, lag_ms: int) -> bool:
    """A lag is from PostgreSQL's clock to ours."""
    return lag_ms > 3_500_000 if jump == "+3600" else lag_ms == 0


@pytest.mark.parametrize("jump", ["+3600", "-3600"])
def test_wall_clock_jumps(line, acquit, impact, clock, jump):
    worker = line.streaming(clock.environment)
    with line.writers(pause=0.005):
        worker.wait_delivery()
        worker.wait(lambda: 0 < worker.status()["lag_ms"] < 60_000, "a lag is seen")
        strike = impact.strike(worker, f"{jump} s")
        clock.set(jump)
        worker.wait(lambda: seen(jump, worker.status()["lag_ms"]), "the jump is seen")
        strike.over(worker)
        shows_sense(worker)
        # What waits and times out does so by clocks that only count.
        strike = impact.strike(worker, f"{jump} s and walsender terminated")
        line.terminate_walsender()
        worker.wait(lambda: worker.metrics()["pqcdc_stream_starts_total"] == 2, "it streams again")
        strike.over(worker)
        assert strike.recovery < 10, "the back-off is of milliseconds"
        shows_sense(worker)
        clock.set("0")
        worker.wait(lambda: 0 < worker.status()["lag_ms"] < 60_000, "the clock is right again")
    line.scenario.settle(worker, timeout=60)
    acquit(line)
    impact.prove()
    assert worker.terminate() == 0


def test_wall_clock_is_hours_ahead(line, acquit, clock):
    """Kafka refuses records from so far in the future: the worker halts, and says what to look at."""
    clock.set("+7200")
    worker = line.start(clock.environment)
    with line.writers(pause=0.005):
        assert worker.wait_exit() == 69
        assert "clock" in worker.find_log("INVALID_TIMESTAMP")["advice"]
        clock.set("0")
        worker = line.streaming(clock.environment)
        worker.wait_delivery()
    line.scenario.settle(worker)
    acquit(line)
