"""The slot is lost in each of the ways that PostgreSQL knows: the line halts, and says what to do."""

import pytest

from lab.line import NARROW
from lab.waiting import wait_until

HALTED = 69


def halt_of(worker) -> dict:
    """The worker ended because a person must act; its last word."""
    assert worker.wait_exit() == HALTED, worker.stderr()
    said = worker.find_log("^halted$")
    assert said is not None and said["level"] == "ERROR"
    return said


def drop_slot(line) -> None:
    wait_until(lambda: not line.scenario.slot_row()["active"], "the slot is free")
    line.scenario.execute("select pg_drop_replication_slot(%s)", (line.scenario.slot,))


def lose_slot(postgres, scenario) -> None:
    """Writes WAL until the server has removed what the slot needs."""
    postgres.execute("alter system set max_slot_wal_keep_size = '1MB'")
    postgres.execute("select pg_reload_conf()")

    def lost() -> bool:
        postgres.execute("select pg_logical_emit_message(false, 'fill', repeat('x', 100000))")
        postgres.execute("select pg_switch_wal()")
        postgres.execute("checkpoint")
        return scenario.slot_row()["wal_status"] == "lost"

    try:
        wait_until(lost, "the slot is lost", timeout=60)
    finally:
        postgres.execute("alter system reset max_slot_wal_keep_size")
        postgres.execute("select pg_reload_conf()")


def test_dropped_between_two_streams(line, postgres, acquit, impact, postgres_back):
    worker = line.streaming()
    with line.writers():
        worker.wait_delivery()
        impact.strike(worker, "restart, slot dropped")
        worker.freeze()  # so that it cannot be back before the slot is gone
        postgres.stop("immediate")
        postgres.start()
        drop_slot(line)
        worker.thaw()
        said = halt_of(worker)
    impact.prove()
    assert said["code"] == "slot_lost"
    assert line.scenario.slot in said["error"] and "--accept-gap" in said["advice"]
    assert line.scenario.slot_row() == {}, "a slot that was seen is never made again"
    verdicts = line.verdicts()
    assert verdicts.missing and verdicts.ordered and not verdicts.foreign, str(verdicts)


def test_dropped_between_the_look_and_the_start(line):
    """START_REPLICATION itself finds that the slot is gone."""
    worker = line.start({"PQCDC_FAULT": "before_start=stop"})
    worker.wait_frozen()
    assert worker.find_log("fault point before_start")
    drop_slot(line)
    worker.thaw()
    said = halt_of(worker)
    assert said["code"] == "slot_lost"
    assert line.scenario.slot_row() == {}, "a slot that was seen is never made again"


@pytest.mark.parametrize("create", [False, True])
def test_dropped_while_no_worker_runs(line, acquit, create):
    """The memory of a slot ends with the process: whether one may be made is the configuration's."""
    worker = line.streaming()
    with line.writers():
        worker.wait_delivery()
    line.scenario.settle(worker)
    assert worker.terminate() == 0
    acquit(line)
    drop_slot(line)
    worker = line.start(cdc={"slot": {"createIfNotExists": create}})
    if create:
        worker.wait_streaming()
        assert worker.find_log("slot created")["level"] == "INFO"
        line.scenario.settle(worker)
    else:
        said = halt_of(worker)
        assert said["code"] == "slot_missing" and "pg_create_logical_replication_slot" in said["advice"]
        assert line.scenario.slot_row() == {}
    assert line.verdicts().duplicates == 0


def test_lost_while_kafka_is_down(line, kafka, postgres, impact, acquit, kafka_back):
    """max_slot_wal_keep_size ends even a slot that is being read, when its reader cannot confirm."""
    worker = line.streaming(kafka=NARROW)
    with line.writers():
        worker.wait_delivery(more=500)
        kafka.kill()
        worker.wait_full()
        impact.strike(worker, "Kafka away, slot lost")
    lose_slot(postgres, line.scenario)
    said = halt_of(worker)
    impact.prove()
    assert said["code"] == "slot_lost"
    assert line.scenario.slot in said["error"]
    assert "max_slot_wal_keep_size" in said["advice"]
    assert line.scenario.slot_row()["wal_status"] == "lost", "it was not made anew"
    kafka.start()
    assert worker.start().wait_exit() == HALTED, "nor by another start"
    verdicts = line.verdicts()
    assert verdicts.missing and verdicts.ordered and not verdicts.foreign, str(verdicts)
    follow_advice(line, worker, said["advice"])


def follow_advice(line, worker, advice) -> None:
    """What the advice says works: from then on everything arrives again."""
    drop = f"SELECT pg_drop_replication_slot('{line.scenario.slot}')"
    assert drop in advice
    line.scenario.execute(drop)
    refused = worker.command("slot", "create")
    assert refused.returncode != 0 and "--accept-gap" in refused.stderr
    made = worker.command("slot", "create", "--accept-gap")
    assert made.returncode == 0, made.stderr
    worker = line.streaming()
    line.scenario.execute("truncate history, t")
    with line.writers():
        worker.wait_delivery()
    line.scenario.settle(worker)
    assert not line.verdicts().missing


def test_idle_for_too_long(line_on, scenario_on, own_postgres, acquit):
    """PostgreSQL 18 gives up slots that nobody reads for a while."""
    server = own_postgres("18", "idle_replication_slot_timeout = 1s")
    line = line_on(scenario_on(server))
    worker = line.streaming()
    with line.writers():
        worker.wait_delivery()
    line.scenario.settle(worker)
    assert worker.terminate() == 0
    acquit(line)

    def invalidated() -> bool:
        server.execute("checkpoint")
        return line.scenario.slot_row()["invalidation_reason"] == "idle_timeout"

    wait_until(invalidated, "the slot is invalidated", interval=0.2)
    said = halt_of(line.start())
    assert said["code"] == "slot_invalidated" and "idle_timeout" in said["error"]
    assert "idle_replication_slot_timeout" in said["advice"] and "--accept-gap" in said["advice"]
    assert line.scenario.slot_row()["invalidation_reason"] == "idle_timeout", "it was not made anew"
