"""The publication is dropped, altered or made anew under a running stream.

PostgreSQL reads a publication as it was at each position of the WAL. One that is missing there is an
error up to 17; from 18 on its changes are passed over with a warning in the server's log.
"""

import re

import pytest

from lab.line import NARROW
from lab import processes

HALTED = 69


def halt_of(worker, timeout: float = 30) -> dict:
    assert worker.wait_exit(timeout) == HALTED, worker.stderr()
    return worker.find_log("^halted$")


def drop(line) -> None:
    line.scenario.execute(f"drop publication {line.scenario.publication}")


def drop_with_records_in_flight(line, kafka, worker, impact) -> None:
    with kafka.frozen():
        worker.wait_full()
        impact.strike(worker, "publication dropped")
        drop(line)
    impact.prove()


def create(line) -> None:
    line.scenario.execute(f"create publication {line.scenario.publication} for table t")


@pytest.fixture
def line_of_18(own_postgres, scenario_on, line_on):
    return line_on(scenario_on(own_postgres("18")))


@pytest.mark.sanitize("thread")
def test_dropped_up_to_17(line, kafka, impact):
    """Neither waiting nor making it anew helps at that position: each start says so again."""
    if line.scenario.postgres.version >= 18:
        pytest.skip("PostgreSQL 17 and earlier")
    worker = line.streaming(kafka=NARROW)
    with line.writers():
        worker.wait_delivery(more=500)
        drop_with_records_in_flight(line, kafka, worker, impact)
        said = halt_of(worker)
    assert said["code"] == "42704" and line.scenario.publication in said["error"]
    assert " at LSN " in said["error"] and "--accept-gap" in said["advice"]
    said = halt_of(line.start())
    assert said["code"] == "publication_missing_slot_exists"
    assert "pqcdc slot drop" in said["advice"]
    create(line)
    said = halt_of(line.start())
    assert said["code"] == "42704" and "--accept-gap" in said["advice"]
    verdicts = line.verdicts()
    assert verdicts.missing and verdicts.ordered and not verdicts.foreign, str(verdicts)


def test_dropped_from_18_on(line_of_18, kafka, impact):
    """The server says nothing and its position goes on: only a look can tell, and the line halts as
    on older servers, for what is passed over is in no slot any more."""
    line = line_of_18
    worker = line.streaming(kafka=NARROW)
    with line.writers():
        worker.wait_delivery(more=500)
        drop_with_records_in_flight(line, kafka, worker, impact)
        said = halt_of(worker)
    assert said["code"] == "publication_missing_slot_exists"
    assert line.scenario.publication in said["error"] and "was dropped" in worker.log_text()


def test_what_18_passes_over_is_gone(line_of_18):
    """Why a look is needed: the slot moves on, and no stream error ever comes. The worker stands still
    meanwhile, so that no look meets the moment."""
    line = line_of_18
    worker = line.streaming()
    with line.writers():
        worker.wait_delivery()
    line.scenario.settle(worker)
    with processes.frozen(worker.pid):
        drop(line)
        line.scenario.execute("select change_rows(array[1, 2, 3])")
        create(line)
    line.scenario.execute("select change_rows(array[4, 5, 6])")
    line.scenario.settle(worker)
    verdicts = line.verdicts()
    assert len(verdicts.missing) == 3 and not verdicts.foreign, str(verdicts)


@pytest.mark.parametrize("major", [None, "18"])
def test_made_anew_in_one_transaction(
    scenario_on, postgres, own_postgres, line_on, acquit, impact, full, major
):
    """There is no position without it: nothing is missed, and the stream goes on."""
    line = line_on(scenario_on(own_postgres(major) if major else postgres))
    worker = line.streaming()
    publication = line.scenario.publication
    with line.writers():
        for _ in range(50 if full else 5):
            worker.wait_delivery(more=500)
            strike = impact.strike(worker, "publication made anew")
            line.scenario.transaction(
                f"drop publication {publication}", f"create publication {publication} for table t"
            )
            strike.over(worker)
    line.scenario.settle(worker)
    impact.prove()
    assert acquit(line).duplicates == 0
    assert worker.metrics()["pqcdc_stream_starts_total"] == 1


def test_altered(scenario):
    """Tables, operations and filters count from the very change on, without a restart."""
    for table in ("items", "others"):
        scenario.execute(f"create table {table} (id int primary key, n int)")
        scenario.execute(f"alter table {table} replica identity full")
    scenario.execute(f"create publication {scenario.publication} for table items")
    mapping = {"public.items": scenario.topic, "public.others": scenario.topic}
    worker = scenario.streaming(scenario.config(["items"], kafka={"tableTopicMapping": mapping}))
    alter = f"alter publication {scenario.publication}"
    for statement in (
        "insert into items values (1, 1); insert into others values (2, 2)",
        f"{alter} add table others",
        "insert into others values (3, 3)",
        f"{alter} drop table items",
        "insert into items values (4, 4); insert into others values (5, 5)",
        f"{alter} set (publish = 'insert')",
        "update others set n = 0; insert into others values (6, 6)",
        f"{alter} set table others where (n > 6)" if scenario.postgres.version >= 15 else "select",
        "insert into others values (7, 7)",
    ):
        scenario.execute(statement)
    scenario.settle(worker)
    told = [(value["operation"], value["id"]) for value in scenario.values()]
    assert told == [("INSERT", id_) for id_ in (1, 3, 5, 6, 7)]
    assert worker.metrics()["pqcdc_stream_starts_total"] == 1


# A filter that fails at a bad n, the SQLSTATE, the streams until it halts. An internal error may pass: only
# when it comes again and again at one place it is the row's.
GOOD, BAD = 1, 0
FAILING = {
    "data": ("100 / n > 0", "22012", 1),
    "internal": ("float8_avg(case n when 1 then '{0,0,0}'::float8[] else '{0}' end) is null", "XX000", 5),
}


@pytest.mark.sanitize("address")
@pytest.mark.parametrize("kind", FAILING)
def test_filter_that_fails_halts_and_says_where(scenario, kind):
    """PostgreSQL evaluates it at the row that it decodes: each try fails at the same place, and a person
    must act. Nothing behind it is delivered or confirmed."""
    if scenario.postgres.version < 15:
        pytest.skip("PostgreSQL 15 and later")
    condition, code, streams = FAILING[kind]
    scenario.execute("create table items (id int primary key, n int)")
    scenario.execute(f"create publication {scenario.publication} for table items where ({condition})")
    worker = scenario.streaming(scenario.config(["items"]))
    scenario.execute(f"insert into items values (1, {GOOD}), (2, {GOOD})")
    scenario.settle(worker)
    before = scenario.execute("select pg_current_wal_insert_lsn()")[0][0]
    scenario.transaction(f"insert into items values (3, {GOOD})", f"insert into items values (4, {BAD})")
    scenario.execute(f"insert into items values (5, {GOOD})")

    said = halt_of(worker, timeout=60)
    assert said["code"] == code
    assert re.search(r"\b[0-9A-F]+/[0-9A-F]+\b", said["error"]), said["error"]
    assert "pg_waldump" in said["advice"] and "--accept-gap" in said["advice"]
    assert [log["msg"] for log in worker.logs()].count("streaming") == streams
    delivered = [value["id"] for value in scenario.values()]
    assert list(dict.fromkeys(delivered)) in ([1, 2], [1, 2, 3]), "nothing is skipped"
    confirmed = "select confirmed_flush_lsn <= %s from pg_replication_slots where slot_name = %s"
    assert scenario.execute(confirmed, (before, scenario.slot)) == [(True,)]

    # Another filter counts for later rows only.
    scenario.execute(f"alter publication {scenario.publication} set table items")
    assert halt_of(worker.start(), timeout=60)["code"] == code
    for command in (["drop"], ["create", "--accept-gap"]):
        done = worker.command("slot", *command)
        assert done.returncode == 0, done.stderr
    worker.start().wait_streaming()
    scenario.execute("insert into items values (6, 0)")
    scenario.settle(worker)
    assert scenario.values()[-1]["id"] == 6, "what the advice says works"


@pytest.mark.parametrize("major", [None, "18"])
def test_alteration_is_said(scenario_on, postgres, own_postgres, kafka, line_on, impact, major):
    """Whoever alters it may not know who reads it: the worker says what changed, and goes on."""
    line = line_on(scenario_on(own_postgres(major) if major else postgres))
    worker = line.streaming(kafka=NARROW)
    worker.wait(lambda: (worker.status()["publication"] or {}).get("exists"), "it is seen")
    with line.writers():
        worker.wait_delivery(more=500)
        with kafka.frozen():
            worker.wait_full()
            strike = impact.strike(worker, "publication altered")
            line.scenario.execute(f"alter publication {line.scenario.publication} set (publish = 'insert')")
            said = worker.wait_log("publishes other operations")
        strike.over(worker)
    impact.prove()
    assert said["level"] == "WARN" and said["publication"] == line.scenario.publication
    assert worker.status()["state"] == "streaming"
    assert worker.metrics()["pqcdc_publication_changes_total"] == 1
