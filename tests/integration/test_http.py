"""What a running worker tells over HTTP."""

import http.client
import json

import pytest

USERS = "create table users (id serial primary key, name text not null)"


@pytest.fixture
def worker(scenario):
    """One that streamed two inserts and a delete."""
    scenario.execute(USERS)
    worker = scenario.streaming()
    scenario.execute("insert into users (name) values ('a'), ('b')")
    scenario.execute("delete from users where id = 1")
    scenario.settle(worker)
    return worker


def test_status(worker, scenario):
    code, body = worker.get("/status")
    status = json.loads(body)
    assert code == 200
    assert (status["role"], status["state"], status["reason"]) == ("active", "streaming", None)
    assert (status["records_sent"], status["records_acked"]) == (3, 3)
    assert (status["in_flight_records"], status["in_flight_bytes"]) == (0, 0)
    assert status["transaction_open"] is False
    assert status["slot"]["name"] == scenario.slot
    assert status["tables"] == [{"table": "public.users", "topic": scenario.topic, "changes": 3}]
    flushed = scenario.execute(
        "select confirmed_flush_lsn <= %s from pg_replication_slots where slot_name = %s",
        (status["confirmed_lsn"], scenario.slot),
    )
    assert flushed == [(True,)], "the slot is never ahead of what the worker confirmed"


def test_status_says_when_postgres_is_away(worker, scenario):
    scenario.postgres.stop()
    try:
        code = worker.wait(lambda: worker.get("/status")[0] == 503, "/status answers 503")
        assert code
        assert worker.get("/livez")[0] == 200
    finally:
        scenario.postgres.start()
    worker.wait(lambda: worker.get("/status")[0] == 200, "/status answers 200 again")


def test_slot(worker, scenario):
    def seen():
        code, body = worker.get("/slot")
        slot = json.loads(body)
        return slot if code == 200 and slot.get("active") else None

    slot = worker.wait(seen, "the slot is seen as active")
    row = scenario.slot_row()
    assert slot["name"] == scenario.slot
    assert slot["activePID"] == row["active_pid"]
    assert slot["holder"].startswith("pqcdc")
    assert slot["restartLSN"] == row["restart_lsn"]
    assert slot["walStatus"] == "reserved"
    assert slot["lag"] >= 0 and slot["retainedWALSize"] >= slot["lag"]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/startupz"])
def test_probe(worker, path):
    assert worker.get(path) == (200, "ok\n")
    code, body = worker.get(path + "?verbose")
    assert code == 200
    assert body.startswith("[+] ") and body.endswith("ok\n")


def test_metrics(worker):
    code, text = worker.get("/metrics")
    assert code == 200
    samples = worker.metrics()
    assert samples['pqcdc_changes_total{operation="insert"}'] == 2
    assert samples['pqcdc_changes_total{operation="delete"}'] == 1
    assert samples['pqcdc_state{state="streaming"}'] == 1
    assert samples['pqcdc_state{state="halted"}'] == 0
    assert samples["pqcdc_postgres_up"] == 1
    assert samples["pqcdc_kafka_brokers_up"] >= 1
    for line in text.splitlines():
        if line.startswith("# TYPE"):
            assert f"# HELP {line.split()[2]} " in text, f"{line} has no help"


def test_counters_rise_with_the_work(worker, scenario):
    before = worker.metrics()['pqcdc_changes_total{operation="insert"}']
    scenario.execute("insert into users (name) select 'x' from generate_series(1, 100)")
    scenario.settle(worker)
    assert worker.metrics()['pqcdc_changes_total{operation="insert"}'] == before + 100


def test_unknown_path_and_method(worker):
    code, body = worker.get("/nowhere")
    assert code == 404
    assert "/status" in body and "/metrics" in body
    assert worker.get("/status", "POST")[0] == 405
    assert worker.get("/status", "HEAD") == (200, "")


def answers(address: str, port: int) -> bool:
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()


@pytest.mark.parametrize("address", ["127.0.0.2", ""], ids=["one", "all"])
def test_the_address_that_is_listened_on(scenario, address):
    """One of this machine's, or all of them."""
    scenario.execute(USERS)
    worker = scenario.worker(scenario.config(cdc={"metric": {"address": address}}))
    worker.wait(lambda: answers("127.0.0.2", worker.port), "it listens")
    assert answers("127.0.0.1", worker.port) == (address != "127.0.0.2")
