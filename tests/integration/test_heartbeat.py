"""The heartbeat: what it writes, what it is for, and what happens where it cannot."""

from contextlib import contextmanager

import pytest

from lab.waiting import wait_until

FAST = {"interval": "50ms"}
SKIPPING = {"tableTopicMapping": None, "unmapped": "skip"}
MIB = 1 << 20


@pytest.fixture
def beating(scenario):
    """beating(heartbeat, **cdc) -> a worker that streams table users of the scenario."""

    def start(heartbeat: dict, tables=("users",), **changes):
        scenario.execute("create table if not exists users (id int primary key)")
        cdc = {"heartbeat": heartbeat, **changes.pop("cdc", {})}
        return scenario.streaming(scenario.config(tables, cdc=cdc, **changes))

    return start


@contextmanager
def role_of(scenario):
    """A role that may replicate, owns the publication's table, and nothing else."""
    name = f"{scenario.name}_role"
    scenario.execute("create table users (id int primary key)")
    scenario.execute(f"create publication {scenario.publication} for table users")
    scenario.execute(f"create role {name} login replication")
    try:
        yield name
    finally:
        for worker in scenario.workers:
            worker.end()
        scenario.execute(f"drop owned by {name}")
        scenario.execute(f"drop role {name}")


def beats(worker) -> int:
    return worker.status()["heartbeat"]["beats"]


def wait_beats(worker, more: int = 2) -> None:
    enough = beats(worker) + more
    worker.wait(lambda: beats(worker) >= enough, f"{more} more beats")


def retained(scenario) -> int:
    (row,) = scenario.execute(
        "select pg_current_wal_lsn() - restart_lsn from pg_replication_slots where slot_name = %s",
        (scenario.slot,),
    )
    return int(row[0])


def write_elsewhere(scenario, megabytes: int) -> None:
    """WAL of a table that is not published. At each checkpoint the server notes which transactions run,
    as it does all 15 s while something is written: decoding can begin at each such place."""
    scenario.execute("create table others (id int, body text)")
    for _ in range(4):
        scenario.execute(
            "insert into others select i, repeat('x', 1000) from generate_series(1, %s) i", (megabytes * 250,)
        )
        scenario.execute("checkpoint")


def test_wal_of_others_is_let_go(scenario_on, own_postgres):
    """What is decoded at one go is confirmed, by keepalives, but of the places where decoding could begin only
    the first one counts while it is not confirmed. When nothing is written afterwards, that stays so."""
    server = own_postgres(conf="autovacuum = off")  # nobody else writes
    quiet, beating = scenario_on(server), scenario_on(server)
    for scenario, interval in (quiet, 0), (beating, "1s"):
        scenario.execute("create table users (id int primary key)")
        config = scenario.config(cdc={"heartbeat": {"interval": interval}})
        scenario.streaming(config).terminate()
    write_elsewhere(beating, 8)
    written = server.wal_lsn()
    wait_until(lambda: server.wal_lsn() != written, "the server is done with its own notes")

    worker = quiet.worker(quiet.config(cdc={"heartbeat": {"interval": 0}}))
    quiet.settle(worker)
    kept = retained(quiet)
    assert kept > 4 * MIB, "proved nothing: the server keeps little"
    assert worker.status()["heartbeat"] == {"beats": 0, "failures": 0, "error": None}

    other = beating.worker(beating.config(cdc={"heartbeat": {"interval": "1s"}}))
    beating.settle(other)
    assert beats(other) > 0 or retained(quiet) >= kept, "proved nothing: it falls by itself"
    for scenario in quiet, beating:
        wait_until(lambda: retained(scenario) < MIB, f"less than the {kept} bytes are retained")
    assert other.metrics()["pqcdc_heartbeats_total"] == beats(other) > 0
    assert quiet.records() == beating.records() == []


@pytest.mark.sanitize("address")
def test_a_table_that_is_not_there_is_made(scenario, beating):
    worker = beating({**FAST, "table": {"schema": "Ops", "name": 'pul"se'}}, (), kafka=SKIPPING)
    worker.wait_log("the heartbeat fails; the line goes on")
    problem = worker.wait(lambda: worker.status()["heartbeat"]["error"], "the error is in the status")
    assert 'create the heartbeat\'s table "Ops"."pul""se"' in problem["text"]
    scenario.execute('create schema "Ops"')
    worker.wait_log("the heartbeat works again")
    wait_beats(worker)
    rows = scenario.execute('select id, last_heartbeat > now() - interval \'1 min\' from "Ops"."pul""se"')
    assert rows == [(1, True)]
    assert len(worker.find_logs("the heartbeat fails")) == 1, "each cause is said once"
    # It is published, as all tables are, but has no topic: it makes no record, and the slot goes on.
    scenario.settle(worker)
    assert worker.status()["tables"] == [{"table": 'Ops.pul"se', "topic": None, "changes": 0}]
    assert scenario.records() == []


def test_a_published_table_with_a_topic_makes_records(scenario, beating):
    scenario.execute("create table pulse (id int primary key, last_heartbeat timestamptz)")
    worker = beating({**FAST, "table": {"name": "pulse"}}, ["users", "pulse"])
    wait_beats(worker, 3)
    scenario.settle(worker)
    operations = [value["operation"] for value in scenario.values()]
    assert operations[0] == "INSERT" and set(operations[1:]) == {"UPDATE"}
    assert {record.key for record in scenario.records()} == {b"1"}


def test_a_published_table_without_a_topic_is_skipped(scenario, beating):
    """go-pq-cdc asks for it among the published tables, makes it before the publication, and needs no topic for it."""
    mapping = {"public.pulse": None, "public.users": scenario.topic}
    worker = beating({**FAST, "table": {"name": "pulse"}}, ["users", "pulse"], kafka={"tableTopicMapping": mapping})
    wait_beats(worker, 3)
    scenario.execute("insert into users values (1)")
    scenario.settle(worker)
    assert [record.key for record in scenario.records()] == [b"1"]
    assert {"table": "public.pulse", "topic": None, "changes": 0} in worker.status()["tables"]


def test_a_query(scenario, beating):
    scenario.execute("create table ticks (n int)")
    worker = beating({**FAST, "query": "insert into public.ticks select count(*) from public.ticks"})
    wait_beats(worker)
    ticks = [n for (n,) in scenario.execute("select n from ticks order by 1")]
    assert ticks[:2] == [0, 1]


def test_a_query_that_would_wait_does_not_keep_the_line(scenario, beating):
    scenario.execute("create table ticks (n int)")
    worker = beating({**FAST, "query": "insert into public.ticks values (1)"})
    with scenario.connect(autocommit=False) as connection:
        connection.execute("lock table ticks")
        worker.wait(lambda: worker.status()["heartbeat"]["failures"] > 2, "beats fail")
        assert worker.status()["heartbeat"]["error"]["code"] == "55P03"
        assert worker.get("/status")[0] == 200, "PostgreSQL is still asked often enough"
        scenario.execute("insert into users values (1)")
        worker.wait(lambda: scenario.records(), "the line goes on")
    worker.wait_log("the heartbeat works again")


def test_a_query_that_leaves_a_transaction_open(scenario, beating):
    worker = beating({**FAST, "query": "begin"})
    assert "leaves a transaction open" in worker.wait_log("the heartbeat fails")["error"]
    sleepers = "select count(*) from pg_stat_activity where state like 'idle in%' and application_name like 'pqcdc:%'"
    worker.wait(lambda: scenario.execute(sleepers) == [(0,)], "no transaction is open")


def test_a_role_that_may_not_write(scenario, beating):
    """Nor does it hinder: only the heartbeat fails, and says what to do."""
    scenario.execute("create table pulse (id int primary key, last_heartbeat timestamptz)")
    with role_of(scenario) as name:
        worker = beating({**FAST, "table": {"name": "pulse"}}, cdc={"username": name, "publication": {}})
        log = worker.wait_log("the heartbeat fails")
        assert log["level"] == "WARN" and log["code"] == "42501"
        assert "GRANT INSERT, UPDATE, SELECT ON" in log["advice"]
        scenario.execute(f"grant insert, update, select on pulse to {name}")
        worker.wait_log("the heartbeat works again")


def test_a_standby_does_not_beat(scenario, beating):
    scenario.execute("create table ticks (pid int)")
    heartbeat = {**FAST, "query": "insert into public.ticks select pg_catalog.pg_backend_pid()"}
    first = beating(heartbeat)
    second = scenario.worker(scenario.config(cdc={"heartbeat": heartbeat}))
    second.wait_state("standby")
    wait_beats(first, 10)
    assert second.status()["heartbeat"] == {"beats": 0, "failures": 0, "error": None}
    first.kill()
    wait_beats(second)
