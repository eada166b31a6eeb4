"""Kafka or PostgreSQL goes away and comes back: the line waits, says so, and goes on by itself."""

import threading
import time

import pytest


@pytest.fixture
def kafka_back(kafka):
    """Whatever the test did, the next one finds Kafka."""
    yield
    if "does not run" in status_of(kafka):
        kafka.start()


@pytest.fixture
def postgres_back(postgres):
    yield
    if "does not run" in status_of(postgres):
        postgres.start()


def status_of(server) -> str:
    try:
        return server.run("status")
    except RuntimeError as error:
        return str(error)


def delivers(worker) -> None:
    """Waits until more is acknowledged than is now."""
    acked = worker.status()["records_acked"]
    worker.wait(lambda: worker.status().get("records_acked", 0) > acked, "records are acknowledged", 60)


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
        delivers(worker)
    line.scenario.settle(worker, timeout=120)
    assert acquit(line).duplicates == 0


def test_kafka_is_down_in_mid_stream(line, kafka, acquit, full, say, kafka_back):
    seconds = 60 if full else 6
    worker = line.streaming()
    pid = line.scenario.slot_row()["active_pid"]
    with line.writers(pause=0.005):
        delivers(worker)
        kafka.kill()
        worker.wait_log(str(kafka.port))
        worker.wait(lambda: worker.status()["blocked"], "it stops reading when it is full")
        status = worker.status()
        time.sleep(seconds)  # how long the outage lasts
        later = worker.status()
        assert later["state"] == "streaming"
        assert later["in_flight_bytes"] <= 17 << 20, "what is held is bounded"
        assert later["confirmed_lsn"] == status["confirmed_lsn"], "nothing is confirmed meanwhile"
        assert line.scenario.slot_row()["active_pid"] == pid, "PostgreSQL is answered all the time"
        say(f"Kafka was away for {seconds} s; {later['in_flight_records']} records were held")
        kafka.start()
        delivers(worker)
    line.scenario.settle(worker, timeout=180)
    acquit(line)
    assert worker.alive()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_postgres_restarts(line, postgres, acquit, mode, postgres_back):
    worker = line.streaming()
    with line.writers():
        delivers(worker)
        began = time.monotonic()
        postgres.stop(mode)
        took = time.monotonic() - began
        assert took < 30, f"the {mode} stop took {took:.1f} s: was the server not answered?"
        lost = worker.wait_log("reconnect|wait|57P0")
        assert lost["level"] in ("WARN", "ERROR")
        worker.wait(lambda: worker.status()["state"] != "streaming", "it knows that the stream is gone")
        assert worker.get("/livez")[0] == 200
        postgres.start()
        worker.wait_streaming(60)
        delivers(worker)
    line.scenario.settle(worker, timeout=120)
    acquit(line)
    assert worker.alive()


def test_postgres_stops_quickly_while_kafka_is_down(line, kafka, postgres, acquit, kafka_back, postgres_back):
    """A server that shuts down waits for its reader, who cannot confirm: so the reader must leave."""
    worker = line.streaming()
    with line.writers():
        delivers(worker)
        kafka.stop()
        worker.wait(lambda: worker.status()["blocked"], "it stops reading when it is full")
        began = time.monotonic()
        postgres.stop("fast")
        took = time.monotonic() - began
        assert took < 15, f"the stop took {took:.1f} s"
        postgres.start()
        kafka.start()
        worker.wait_streaming(60)
        delivers(worker)
    line.scenario.settle(worker, timeout=120)
    acquit(line)


def test_connection_is_cut_by_the_server(line, postgres, acquit):
    worker = line.streaming()
    with line.writers():
        for _ in range(5):
            delivers(worker)
            pid = line.scenario.slot_row()["active_pid"]
            postgres.execute("select pg_terminate_backend(%s)", (pid,))
            worker.wait(
                lambda: line.scenario.slot_row()["active_pid"] not in (None, pid), "it is back on the slot"
            )
    line.scenario.settle(worker, timeout=60)
    acquit(line)


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
        delivers(worker)
    line.scenario.settle(worker, timeout=60)
    acquit(line)
