"""What /metrics says is what was done, under our names and under the ancestor's."""

import platform

import pytest

from lab.exposition import Family, read_exposition

TABLES = (
    "create table users (id int primary key, name text not null)",
    "create table orders (id int primary key)",
    "create table passed_over (id int primary key)",
)


def scrape(worker) -> dict[str, Family]:
    code, text = worker.get("/metrics")
    assert code == 200
    return read_exposition(text)


@pytest.fixture
def ancestor(scenario):
    """The labels of every series that has an ancestor's name."""
    return {"slot_name": scenario.slot, "host": platform.node()}


@pytest.fixture
def worker(scenario):
    """Transactions: 4 that become records, of 3 inserts, 2 updates and 1 delete in one topic and of 2 inserts
    in another, and one that becomes none."""
    for table in TABLES:
        scenario.execute(table)
    other = scenario.create_topic("orders")
    config = scenario.config(
        tables=("users", "orders", "passed_over"), kafka={"tableTopicMapping": {"public.orders": other}}
    )
    del config["kafka"]["tableTopicMapping"]["public.passed_over"]
    config["kafka"]["unmapped"] = "skip"
    worker = scenario.streaming(config)
    scenario.execute("insert into users values (1, 'a'), (2, 'b'), (3, 'c')")
    scenario.execute("update users set name = name || 'x' where id < 3")
    scenario.execute("delete from users where id = 1")
    scenario.execute("insert into orders values (1), (2)")
    scenario.execute("insert into passed_over values (1)")
    scenario.settle(worker)
    return worker


def test_rows_and_transactions_are_what_was_done(worker, scenario):
    families = scrape(worker)
    changes = families["pqcdc_changes_total"]
    assert {kind: changes.value(operation=kind) for kind in ("insert", "update", "delete", "truncate")} == {
        "insert": 6,
        "update": 2,
        "delete": 1,
        "truncate": 0,
    }
    assert families["pqcdc_transactions_total"].value() == 5
    assert families["pqcdc_skipped_changes_total"].value() == 1
    for name in ("sent", "acked"):
        assert families[f"pqcdc_records_{name}_total"].value() == 8
    assert families["pqcdc_records_refused_total"].value() == 0
    records = scenario.records() + scenario.records(f"{scenario.name}.orders")
    size = sum(len(record.key or b"") + len(record.value or b"") for record in records)
    assert len(records) == 8 and families["pqcdc_sent_bytes_total"].value() == size
    for name in ("pqcdc_in_flight_records", "pqcdc_in_flight_bytes", "pqcdc_transactions_unconfirmed"):
        assert families[name].value() == 0


def test_each_transaction_is_in_the_histograms(worker):
    families = scrape(worker)
    received, acked, whole = (
        families[f"pqcdc_{name}_seconds"].histogram() for name in ("commit_to_receive", "receive_to_ack", "end_to_end")
    )
    assert received[2] == families["pqcdc_transactions_total"].value() == 5
    assert acked[2] == whole[2] == 4, "the one without records is not acknowledged"
    assert 0 < acked[1] <= whole[1] < 4 * 60, "each took part of the whole"
    assert received[0][60.0] == 5, "and the clocks are one machine's"


def test_the_slot_is_what_postgres_says(worker, scenario):
    row = scenario.slot_row()
    families = scrape(worker)
    states = ("reserved", "extended", "unreserved", "lost")
    seen = {state: families["pqcdc_slot_wal_status"].value(wal_status=state) for state in states}
    assert seen == {state: float(state == row["wal_status"]) for state in states}
    assert row["safe_wal_size"] is None, "max_slot_wal_keep_size is not set"
    assert families["pqcdc_slot_safe_wal_bytes"].value() == float("inf")
    assert families["pqcdc_slot_active"].value() == 1
    assert families["pqcdc_slot_retained_bytes"].value() >= families["pqcdc_lag_bytes"].value()


def test_the_ancestors_names_and_labels(worker, scenario, ancestor):
    families = scrape(worker)
    samples = {
        name: family.value(**ancestor)
        for name, family in families.items()
        if name.startswith("go_pq_cdc_") and name != "go_pq_cdc_kafka_write_total"
    }
    assert (samples["go_pq_cdc_insert_total"], samples["go_pq_cdc_update_total"]) == (6, 2)
    assert samples["go_pq_cdc_delete_total"] == 1
    same = {
        "slot_is_active": "pqcdc_slot_active",
        "slot_confirmed_flush_lsn": "pqcdc_slot_confirmed_flush_lsn",
        "slot_current_lsn": "pqcdc_current_wal_lsn",
        "slot_retained_wal_size": "pqcdc_slot_retained_bytes",
        "slot_lag": "pqcdc_lag_bytes",
    }
    for name, own in same.items():
        assert samples[f"go_pq_cdc_replication_slot_{name}"] == families[own].value(), name
    lag_ms = samples["go_pq_cdc_cdc_latency_current_milliseconds"]
    assert 0 < lag_ms == pytest.approx(families["pqcdc_lag_seconds"].value() * 1e3)
    assert samples["go_pq_cdc_cdc_latency_current"] == pytest.approx(lag_ms * 1e6)
    assert samples["go_pq_cdc_kafka_process_latency_current"] == pytest.approx(lag_ms * 1e6)
    change_ms = samples["go_pq_cdc_process_latency_current_milliseconds"]
    assert 0 <= change_ms < 1e3 and samples["go_pq_cdc_process_latency_current"] == pytest.approx(change_ms * 1e6)
    assert 0 < samples["go_pq_cdc_kafka_bulk_request_process_latency_current"]
    written = families["go_pq_cdc_kafka_write_total"]
    assert written.value(topic_name=scenario.topic, **ancestor) == 6
    assert written.value(topic_name=f"{scenario.name}.orders", **ancestor) == 2
    assert len(written.samples) == 2 and "go_pq_cdc_kafka_err_total" not in families


def test_what_was_refused_is_counted_by_topic(scenario, ancestor):
    scenario.execute(TABLES[0])
    tiny = scenario.create_topic("tiny", **{"max.message.bytes": "2000"})
    config = scenario.config(kafka={"tableTopicMapping": {"public.users": tiny}}, cdc={"onHalt": "wait"})
    worker = scenario.streaming(config)
    scenario.execute("insert into users select 1, string_agg(md5(n::text), '') from generate_series(1, 200) n")
    worker.wait(lambda: worker.metrics()["pqcdc_records_refused_total"] >= 1, "the record is refused")
    refused = scrape(worker)
    count = refused["pqcdc_records_refused_total"].value()
    assert refused["go_pq_cdc_kafka_err_total"].value(topic_name=tiny, **ancestor) == count
    assert "go_pq_cdc_kafka_write_total" not in refused


def test_reconnects_are_counted_by_their_cause(worker, scenario):
    assert "pqcdc_reconnects_total" not in scrape(worker)
    scenario.execute("select pg_terminate_backend(%s)", (scenario.slot_row()["active_pid"],))
    worker.wait(lambda: worker.metrics()["pqcdc_stream_starts_total"] == 2, "it streams again")
    families = scrape(worker)
    causes = families["pqcdc_reconnects_total"]
    assert causes.value(cause="57P01") == 1
    assert sum(causes.samples.values()) == families["pqcdc_failures_total"].value()


def test_who_waits_is_passive(worker, scenario):
    waiting = scenario.worker(scenario.config(tables=("users", "orders")))
    waiting.wait(lambda: waiting.metrics()['pqcdc_state{state="standby"}'] == 1, "it stands by")
    roles = [
        {role: scrape(each)["pqcdc_role"].value(role=role) for role in ("active", "passive")}
        for each in (worker, waiting)
    ]
    assert roles == [{"active": 1, "passive": 0}, {"active": 0, "passive": 1}]
