"""Kafka or PostgreSQL goes away and comes back: the line waits, says so, and goes on by itself."""

import threading
import time

import pytest

from lab.line import NARROW


def test_kafka_is_down_at_start(line, kafka, acquit, kafka_back):
    kafka.stop()
    worker = line.start()
    with line.writers() as writers:
        note = worker.wait_log(str(kafka.port))
        assert note["level"] in ("WARN", "ERROR")
        assert worker.get("/startupz")[0] == 200, "an outage at start must not restart-loop"
        assert worker.get("/livez")[0] == 200
        assert worker.status()["records_acked"] == 0
        transactions = writers.transactions
        worker.wait(lambda: writers.transactions > transactions + 100, "changes pile up")
        kafka.start()
        worker.wait_delivery()
    line.scenario.settle(worker, timeout=120)
    assert acquit(line).duplicates == 0


@pytest.mark.sanitize("thread")
def test_kafka_is_down_in_mid_stream(line, kafka, acquit, full, say, kafka_back, impact):
    seconds = 60 if full else 6
    worker = line.streaming(kafka=NARROW)
    pid = line.walsender()
    with line.writers(pause=0.005):
        worker.wait_delivery(more=500)
        strike = impact.strike(worker, "the broker is killed")
        kafka.kill()
        worker.wait_log(str(kafka.port))
        status = worker.wait_full()
        time.sleep(seconds)  # how long the outage lasts
        later = worker.status()
        assert later["state"] == "streaming"
        assert later["in_flight_bytes"] <= worker.in_flight_limit_bytes, "what is held is bounded"
        assert later["confirmed_lsn"] == status["confirmed_lsn"], "nothing is confirmed meanwhile"
        assert line.walsender() == pid, "PostgreSQL is answered all the time"
        say(f"Kafka was away for {seconds} s; {later['in_flight_records']} records were held")
        kafka.start()
        strike.over(worker)
    line.scenario.settle(worker, timeout=180)
    acquit(line)
    impact.prove()
    assert worker.alive()


@pytest.mark.sanitize("address")
@pytest.mark.versions
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_postgres_restarts(line, postgres, acquit, mode, postgres_back, impact):
    worker = line.streaming()
    with line.writers():
        worker.wait_delivery()
        strike = impact.strike(worker, f"{mode} stop")
        began = time.monotonic()
        postgres.stop(mode)
        took = time.monotonic() - began
        assert took < 15, f"the {mode} stop took {took:.1f} s: was the server not answered?"
        lost = worker.wait_log("reconnect|wait|57P0")
        assert lost["level"] in ("WARN", "ERROR")
        worker.wait(lambda: worker.status()["state"] != "streaming", "it knows that the stream is gone")
        assert worker.get("/livez")[0] == 200
        postgres.start()
        worker.wait_streaming(60)
        strike.over(worker)
    line.scenario.settle(worker, timeout=120)
    assert acquit(line).duplicates == 0, "the stream is resumed where it was"
    impact.prove()
    assert worker.alive()


def test_connection_is_cut_by_the_server(line, acquit, impact):
    worker = line.streaming()
    with line.writers():
        for _ in range(5):
            worker.wait_delivery()
            pid = line.walsender()
            strike = impact.strike(worker, "walsender terminated")
            line.terminate_walsender()
            worker.wait(lambda: line.walsender() not in (None, pid), "it is back on the slot")
            strike.over(worker)
    line.scenario.settle(worker, timeout=60)
    impact.prove()
    assert acquit(line).duplicates == 0, "the stream is resumed where it was"


def test_both_are_away_at_start(line, kafka, postgres, acquit, kafka_back, postgres_back):
    kafka.stop()
    postgres.stop()
    worker = line.start()
    refused = worker.wait_log(f"127.0.0.1:{postgres.port}")
    assert refused["advice"], "it says what to look at"
    assert worker.get("/status")[0] == 503
    assert worker.get("/livez")[0] == 200
    starts = [threading.Thread(target=server.start) for server in (kafka, postgres)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    worker.wait_streaming(60)
    with line.writers():
        worker.wait_delivery()
    line.scenario.settle(worker, timeout=60)
    acquit(line)
