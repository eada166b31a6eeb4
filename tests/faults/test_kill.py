"""Deaths of the worker: sudden ones lose nothing, asked-for ones do not even repeat anything."""

import random
import re
import signal
import time
from pathlib import Path

import pytest

from lab.line import NARROW
from lab.waiting import wait_until

FAULT_POINTS = re.findall(
    r"^FAULT_POINT\((?!operator_)(\w+),",  # tests/kubernetes has those
    (Path(__file__).resolve().parents[2] / "src/base/fault_points.def").read_text(),
    re.MULTILINE,
)


@pytest.mark.sanitize("address")
def test_sudden_death_at_random_moments(far_line, acquit, full, say, impact):
    line = far_line
    kills, enough = (20, 15) if full else (3, 2)
    rng = random.Random(1)
    worker = line.streaming()
    with line.writers():
        for number in range(1, kills + 1):
            worker.wait_delivery(more=1000)
            time.sleep(rng.uniform(0, 0.5))  # the random moment, not a wait
            worker.signal(signal.SIGKILL)
            strike = impact.death(worker, "kill -9", line.left_behind)
            assert worker.wait_exit() == -signal.SIGKILL
            say(f"kill {number} of {kills}: {strike.records_unconfirmed} records in Kafka were unconfirmed")
            worker = line.streaming()
            strike.over(worker)
    line.scenario.settle(worker, timeout=120)
    impact.prove(enough)
    assert acquit(line).duplicates >= max(strike.records_unconfirmed for strike in impact.strikes)


# Reached that often before it kills: messages, rows and reports by the thousands; one that is to be confirmed
# is looked at each turn, and told ten times a second. So each of them kills in mid-load.
STREAMING_POINTS = {
    "after_receive": 5000,
    "after_handle": 5000,
    "after_send": 5000,
    "before_track": 5000,
    "before_confirm": 500,
    "after_confirm": 30,
}
EDGE_POINTS = ["before_start", "in_stop"]
PREPARING_POINTS = ["after_identity_change", "after_publication_create", "after_slot_create"]


def test_every_fault_point_kills():
    assert sorted([*STREAMING_POINTS, *EDGE_POINTS, *PREPARING_POINTS]) == sorted(FAULT_POINTS)


@pytest.mark.parametrize("point", STREAMING_POINTS)
def test_sudden_death_in_mid_load(far_line, acquit, impact, point):
    line = far_line
    with line.writers(largest=50) as writers:
        # An idle line confirms keepalives, and would be dead before the load began.
        wait_until(lambda: writers.transactions > 100, "there is load")
        worker = line.start({"PQCDC_FAULT": f"{point}=kill@{STREAMING_POINTS[point]}"})
        strike = impact.death(worker, point, line.left_behind)
        assert worker.wait_exit() == -signal.SIGKILL
        assert worker.find_log(f"fault point {point}$")
        worker = line.streaming()
        strike.over(worker)
    line.scenario.settle(worker)
    assert acquit(line).duplicates >= strike.records_unconfirmed
    impact.prove()


@pytest.mark.parametrize("point", EDGE_POINTS)
def test_sudden_death_at_start_and_stop(far_line, acquit, impact, point):
    line = far_line
    worker = line.start({"PQCDC_FAULT": f"{point}=kill"})
    with line.writers(largest=50):
        if point == "in_stop":
            worker.wait_delivery(more=500)
            worker.signal(signal.SIGTERM)
        strike = impact.death(worker, point, line.left_behind)
        assert worker.wait_exit() == -signal.SIGKILL
        worker = line.streaming()
        strike.over(worker)
    line.scenario.settle(worker)
    acquit(line)
    if point == "in_stop":
        impact.prove()


@pytest.mark.sanitize("thread")
def test_sudden_death_between_a_cut_and_its_resume(line, open_transaction, acquit, impact):
    """The queue and the open transaction were kept for a resume that never comes."""
    worker = line.streaming({"PQCDC_FAULT": "before_start=kill@2"}, kafka=NARROW)
    with open_transaction(worker):
        strike = impact.strike(worker, "walsender terminated, then kill -9")
        line.terminate_walsender()
    assert worker.wait_exit(60) == -signal.SIGKILL
    (cut,) = worker.find_logs("^the stream was lost")
    assert cut["transaction_cut"], "proved nothing: no transaction was cut"
    assert worker.find_log("fault point before_start$")
    worker = line.streaming()
    strike.over(worker, beyond=0)
    line.scenario.settle(worker, timeout=60)
    acquit(line)
    impact.prove()


@pytest.mark.parametrize("point", PREPARING_POINTS)
def test_sudden_death_while_slot_and_publication_are_made(line, acquit, point):
    line.scenario.execute(f"select pg_drop_replication_slot('{line.scenario.slot}')")
    line.scenario.execute(f"drop publication {line.scenario.publication}")
    line.scenario.execute("alter table t replica identity default")
    worker = line.start({"PQCDC_FAULT": f"{point}=kill"})
    assert worker.wait_exit(60) == -signal.SIGKILL
    worker = line.streaming()
    with line.writers(largest=50):
        worker.wait(lambda: worker.status()["records_acked"] > 1000, "it streams")
    line.scenario.settle(worker)
    acquit(line)


STOPPING = "^stopping: reading the open transaction to its end$"


@pytest.mark.sanitize("thread")
def test_asked_to_stop_under_load_nothing_is_repeated(line, kafka, acquit, full, say):
    """Every second time Kafka stands still until it is asked, so that a transaction is open and the queue is
    full."""
    stops = 10 if full else 2
    hits = 0
    for number in range(1, stops + 1):
        worker = line.streaming(kafka=NARROW)
        with line.writers(largest=500):
            worker.wait_delivery(more=500)
            if number % 2 == 0:
                with kafka.frozen():
                    worker.wait_full()
                    worker.signal(signal.SIGTERM)
                    worker.wait_log(STOPPING)
                code = worker.wait_exit()
            else:
                code = worker.terminate()
        assert code == 0, worker.stderr()
        said = worker.find_log(STOPPING)
        hits += said["transaction_open"] and said["in_flight"] > 0
        say(
            f"stop {number} of {stops}: {said['in_flight']} records unconfirmed, "
            f"transaction open: {said['transaction_open']}"
        )
    worker = line.streaming()
    line.scenario.settle(worker)
    verdicts = acquit(line)
    assert verdicts.duplicates == 0
    assert hits >= stops // 2, f"proved nothing: {hits} of {stops} stops hit an open transaction"
