"""Deaths of the worker: sudden ones lose nothing, asked-for ones do not even repeat anything."""

import random
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from lab.workload import change_range

FAULT_POINTS = re.findall(
    r"^FAULT_POINT\((\w+),",
    (Path(__file__).resolve().parents[2] / "src/base/fault_points.def").read_text(),
    re.MULTILINE,
)


def unconfirmed(status: dict) -> bool:
    """Records were handed to Kafka that it has not acknowledged."""
    return status.get("in_flight_records", 0) > 0


def test_sudden_death_at_random_moments(line, acquit, full, say):
    kills, enough = (20, 15) if full else (3, 2)
    rng = random.Random(1)
    hits = 0
    with line.writers():
        for number in range(1, kills + 1):
            worker = line.streaming()
            sent = worker.status()["records_sent"]
            worker.wait(lambda: worker.status()["records_sent"] > sent + 1000, "it is under load")
            time.sleep(rng.uniform(0, 0.5))  # the random moment, not a wait
            status = worker.status()
            worker.kill()
            hits += unconfirmed(status)
            say(f"kill {number} of {kills}: {status['in_flight_records']} records were unconfirmed")
        worker = line.streaming()
    line.scenario.settle(worker, timeout=120)
    verdicts = acquit(line)
    assert hits >= enough, f"proved nothing: only {hits} of {kills} kills hit unconfirmed records"
    assert verdicts.duplicates > 0, "proved nothing: no kill hit anything"


STREAMING_POINTS = [name for name in FAULT_POINTS if not name.endswith("_create")]
CREATION_POINTS = [name for name in FAULT_POINTS if name.endswith("_create")]


@pytest.mark.parametrize("point", STREAMING_POINTS)
def test_sudden_death_at_fault_point(line, acquit, point):
    # What each message passes is worth reaching a few times first.
    nth = 1 if point in ("before_start", "in_stop") else 100
    worker = line.start({"PQCDC_FAULT": f"{point}=kill@{nth}"})
    with line.writers(largest=50):
        if point == "in_stop":
            worker.wait_streaming()
            worker.signal(signal.SIGTERM)
        assert worker.wait_exit(60) == -signal.SIGKILL
        worker = line.streaming()
        acked = worker.status()["records_acked"]
        worker.wait(lambda: worker.status()["records_acked"] > acked + 1000, "it streams again")
    line.scenario.settle(worker)
    acquit(line)


@pytest.mark.parametrize("point", CREATION_POINTS)
def test_sudden_death_while_slot_and_publication_are_made(line, acquit, point):
    line.scenario.execute(f"select pg_drop_replication_slot('{line.scenario.slot}')")
    line.scenario.execute(f"drop publication {line.scenario.publication}")
    worker = line.start({"PQCDC_FAULT": f"{point}=kill"})
    assert worker.wait_exit(60) == -signal.SIGKILL
    worker = line.streaming()
    with line.writers(largest=50):
        worker.wait(lambda: worker.status()["records_acked"] > 1000, "it streams")
    line.scenario.settle(worker)
    acquit(line)


def test_asked_to_stop_under_load_nothing_is_repeated(line, acquit, full, say):
    stops, enough = (10, 5) if full else (2, 1)
    hits = 0
    with line.scenario.connect() as connection:
        for number in range(1, stops + 1):
            worker = line.streaming()
            large = threading.Thread(target=change_range, args=(connection, 1, line.ids))
            with line.writers(largest=500):
                large.start()
                large.join()
                status = busy(worker)
                code = worker.terminate()
            assert code == 0, worker.stderr()
            hits += status["transaction_open"] and unconfirmed(status)
            say(
                f"stop {number} of {stops}: {status['in_flight_records']} records unconfirmed, "
                f"transaction open: {status['transaction_open']}"
            )
    worker = line.streaming()
    line.scenario.settle(worker)
    verdicts = acquit(line)
    assert verdicts.duplicates == 0
    assert hits >= enough, f"proved nothing: {hits} of {stops} stops hit an open transaction"


def busy(worker) -> dict:
    """Its status in the middle of a transaction, if there is such a moment to be caught."""

    def look():
        status = worker.status()
        return status if status.get("transaction_open") and unconfirmed(status) else None

    return worker.wait(look, "a transaction is open with records unconfirmed")
