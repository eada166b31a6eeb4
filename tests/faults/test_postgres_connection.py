"""The replication connection is cut, or says nothing, in the middle of a transaction."""

import time

import pytest

from lab.line import NARROW
from lab import processes
from lab.network import unread_bytes


@pytest.mark.sanitize("address")
def test_walsender_is_terminated_in_a_transaction(line, open_transaction, acquit, impact, full):
    cuts = 20 if full else 3
    worker = line.streaming(kafka=NARROW)
    for _ in range(cuts):
        pid = line.walsender()
        with open_transaction(worker):
            strike = impact.strike(worker, "walsender terminated")
            line.terminate_walsender()
        worker.wait(lambda: line.walsender() not in (None, pid), "it is back on the slot", timeout=60)
        strike.over(worker, beyond=strike.records_acked)
        line.scenario.settle(worker, timeout=60)
    impact.prove(cuts)
    told = [said for said in worker.find_logs("^the stream was lost") if said["transaction_cut"]]
    assert len(told) == cuts, f"proved nothing: {len(told)} of {cuts} cuts met an open transaction"
    acquit(line)


def test_silence_in_a_transaction_is_no_reason_to_reconnect(line, open_transaction, acquit, impact, full):
    """A server that decodes for long says nothing; as long as its TCP answers it is waited for."""
    timeout = 3
    worker = line.streaming(cdc={"walSenderTimeout": f"{timeout}s"}, kafka=NARROW)
    pid = line.walsender()
    ((port,),) = line.scenario.execute("select client_port from pg_stat_replication where pid = %s", (pid,))
    with open_transaction(worker):
        strike = impact.strike(worker, "walsender frozen")
        processes.freeze(pid)
    try:
        worker.wait(lambda: unread_bytes(port) == 0 and idle(worker), "all that was said is read", timeout=60)
        received = worker.metrics()["pqcdc_received_bytes_total"]
        time.sleep(timeout * (20 if full else 3))  # how long the silence lasts
        status = worker.status()
        assert worker.metrics()["pqcdc_received_bytes_total"] == received, "proved nothing: it was not silent"
        assert status["state"] == "streaming" and status["transaction_open"]
        assert worker.get("/livez")[0] == worker.get("/readyz")[0] == 200
    finally:
        processes.thaw(pid)
    line.scenario.settle(worker, timeout=60)
    strike.over(worker, beyond=strike.records_acked)
    assert line.walsender() == pid, "the same walsender, the same stream"
    assert worker.metrics()["pqcdc_stream_starts_total"] == 1
    assert acquit(line).duplicates == 0
    impact.prove()


def idle(worker) -> bool:
    status = worker.status()
    return status["in_flight_records"] == 0 and not status["blocked"]


@pytest.mark.sanitize("thread")
def test_server_stops_fast_in_a_transaction_while_kafka_is_down(
    line, open_transaction, kafka, postgres, acquit, impact, kafka_back, postgres_back
):
    """A server that shuts down waits for its reader, who cannot confirm: so the reader must leave."""
    worker = line.streaming(kafka=NARROW)
    with open_transaction(worker):
        strike = impact.strike(worker, "Kafka away, fast stop")
        kafka.kill()
    began = time.monotonic()
    postgres.stop("fast")
    took = time.monotonic() - began
    assert took < 15, f"the stop took {took:.1f} s"
    worker.wait_state("starting")
    assert worker.get("/livez")[0] == 200
    (cut,) = worker.find_logs("^the stream was lost")
    assert cut["transaction_cut"] and cut["records_unconfirmed"] == strike.records_unconfirmed
    postgres.start()
    kafka.start()
    strike.over(worker, beyond=strike.records_acked)
    line.scenario.settle(worker, timeout=120)
    impact.prove()
    acquit(line)
