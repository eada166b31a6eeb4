"""Rows that are hard to carry: bytes that have no UTF-8 form, great sizes, tables in pieces."""

import json

import pytest
from psycopg import sql

from lab.servers import Kafka

HALTED = 69


# Encodings


def test_text_that_has_no_utf8_form_halts_and_says_where(scenario_on, postgres):
    """A character that PostgreSQL knows no UTF-8 for cannot pass; what comes before it does."""
    world = scenario_on(postgres, encoding="EUC_JP")
    world.execute("create table items (id int primary key, note text)")
    worker = world.streaming(world.config(["items"]))
    world.execute("insert into items values (1, 'before')")
    world.settle(worker)
    before = world.execute("select pg_current_wal_insert_lsn()")[0][0]
    world.execute(r"insert into items values (2, E'\xa9\xa1')")
    assert worker.wait_exit() == HALTED, worker.stderr()
    said = worker.find_log("^halted$")
    assert said["code"] in ("22P05", "22021")
    lsn = said["error"].split(" at LSN ")[1].split()[0]
    assert world.execute("select %s::pg_lsn >= %s::pg_lsn", (lsn, before)) == [(True,)]
    assert "pg_waldump" in said["advice"] and "--accept-gap" in said["advice"]
    assert [record.key for record in world.records()] == [b"1"]


# Sizes


@pytest.fixture
def roomy_kafka(request, state, logs, kafka, full):
    """A broker that takes requests of 300 MB: with --full one of its own."""
    if not full:
        yield kafka
        return
    limit = 300 << 20
    server = Kafka(state / "kafka-roomy", "2g", f"socket.request.max.bytes={limit}\nmessage.max.bytes={limit}")
    server.start()
    yield server
    server.stop()
    server.remove(logs / "kafka-roomy")


def limits(megabytes: int) -> dict:
    """Everything that a row of that size must pass, but the topic's."""
    return {
        "cdc": {"maxRecordBytes": f"{megabytes}mb"},
        "kafka": {
            "maxInFlightBytes": f"{megabytes}mb",
            "properties": {"message.max.bytes": str(megabytes << 20)},
        },
    }


def insert_giant(world, id_: int, megabytes: int) -> None:
    # Random bytes, of which half a megabyte is made once: they do not compress, and are quick to make.
    world.execute(
        "insert into items select %s, repeat(string_agg(md5(i::text), ''), %s)"
        " from generate_series(1, 32768) i",
        (id_, megabytes),
    )


def giants(world, topic_megabytes: int, **changes):
    """A table whose rows may be large, its topic, the configuration."""
    world.execute("create table items (id int primary key, note text)")
    topic = world.create_topic("giants", **{"max.message.bytes": str(topic_megabytes << 20)})
    mapping = {"tableTopicMapping": {"public.items": topic}}
    config = world.config(["items"], **{**changes, "kafka": {**changes.get("kafka", {}), **mapping}})
    return topic, config


def test_giant_row_arrives_where_the_limits_allow(scenario_on, postgres, roomy_kafka, full, say):
    megabytes = 200 if full else 20
    world = scenario_on(postgres, kafka=roomy_kafka)
    topic, config = giants(world, megabytes + 10, **limits(megabytes + 10))
    worker = world.streaming(config)
    world.execute("insert into items values (1, 'small')")
    world.settle(worker)
    resident = worker.resident_mb()
    insert_giant(world, 2, megabytes)
    world.execute("insert into items values (3, 'small')")
    world.settle(worker, timeout=120)
    (_, giant, last) = world.records(topic)
    assert len(json.loads(giant.value)["note"]) == megabytes << 20
    assert (giant.key, last.key) == (b"2", b"3")
    say(
        f"a row of {megabytes} MB: {resident:.0f} MB before, peak {worker.resident_mb(peak=True):.0f} MB, "
        f"{worker.resident_mb():.0f} MB after"
    )
    assert worker.metrics()["pqcdc_stream_starts_total"] == 1


def test_row_above_our_limit_halts_and_says_which(scenario):
    topic, config = giants(scenario, 30, cdc={"maxRecordBytes": "1mb"})
    worker = scenario.streaming(config)
    scenario.execute("insert into items values (1, 'small')")
    scenario.settle(worker)
    insert_giant(scenario, 2, 2)
    scenario.execute("insert into items values (3, 'small')")
    assert worker.wait_exit() == HALTED, worker.stderr()
    said = worker.find_log("^halted$")
    assert said["code"] == "record_too_large"
    assert "public.items" in said["error"] and " at 0/" in said["error"], "table and LSN"
    assert "cdc.maxRecordBytes" in said["advice"]
    assert [record.key for record in scenario.records(topic)] == [b"1"]
    # The advice is followed: nothing was lost.
    raised = limits(30)
    config["cdc"] |= raised["cdc"]
    config["kafka"] |= raised["kafka"]
    scenario.settle(scenario.streaming(config))
    assert [record.key for record in scenario.records(topic)] == [b"1", b"2", b"3"]


@pytest.fixture
def refused_row(scenario):
    """refused_row(whose limit) -> the worker's last word about a row of 2 MB."""

    def run(whose: str) -> dict:
        accepted = limits(10) if whose == "topic" else {}
        topic, config = giants(scenario, 1, **accepted)
        worker = scenario.streaming(config)
        scenario.execute("insert into items values (1, 'small')")
        scenario.settle(worker)
        insert_giant(scenario, 2, 2)
        scenario.execute("insert into items values (3, 'small')")
        assert worker.wait_exit() == HALTED, worker.stderr()
        assert [record.key for record in scenario.records(topic)] == [b"1"], "nothing passes it"
        return worker.find_log("^halted$")

    return run


@pytest.mark.parametrize("whose", ["producer", "topic"])
def test_row_above_kafkas_limits_halts_and_says_what_to_do(scenario, refused_row, whose):
    said = refused_row(whose)
    assert said["code"] == "record_too_large"
    assert f"{scenario.name}.giants" in said["error"]
    assert "2097192 bytes" in said["error"]
    assert "max.message.bytes" in said["advice"] and "cdc.publication.tables[].columns" in said["advice"]


@pytest.mark.parametrize("whose", ["producer", "topic"])
def test_row_above_kafkas_limits_is_named(refused_row, whose):
    said = refused_row(whose)
    assert "public.items" in said["error"] and " 0/" in said["error"], "table and LSN"


# Tables in pieces


@pytest.mark.parametrize("root", [False, True])
def test_partitions_come_and_go(scenario, root):
    """A table that becomes a partition is published from then on, one that is detached no more."""
    for statement in (
        "create table measures (id int, area int, primary key (id, area)) partition by list (area)",
        "create table measures_1 partition of measures for values in (1)",
        "create table measures_2 (like measures including all)",
        "insert into measures_2 values (1, 2)",
    ):
        scenario.execute(statement)
    worker = scenario.streaming(
        scenario.config(
            ["measures"],
            cdc={"publication": {"viaPartitionRoot": root}},
            kafka={"tableTopicMapping": None, "topicTemplate": "{database}.events"},
            format={"headers": ["table"]},
        )
    )
    for statement in (
        "insert into measures_2 values (2, 2)",  # not yet
        "insert into measures values (3, 1)",
        "begin; insert into measures values (4, 1); "
        "alter table measures attach partition measures_2 for values in (2); "
        "insert into measures values (5, 2); commit",
        "update measures set area = 2 where id = 3",  # moves
        "update measures set id = 6 where id = 5",
        "alter table measures detach partition measures_1",
        "insert into measures_1 values (7, 1)",  # no more
        "delete from measures where id = 6",
    ):
        scenario.execute(statement)
    scenario.settle(worker)
    told = [
        (record.headers["table"].decode(), value["operation"], value["id"], value["area"])
        for record, value in zip(scenario.records(), scenario.values())
    ]
    first, second = ["public.measures"] * 2 if root else ["public.measures_1", "public.measures_2"]
    assert told == [
        (first, "INSERT", 3, 1),
        (first, "INSERT", 4, 1),
        (second, "INSERT", 5, 2),
        (first, "DELETE", 3, 1),
        (second, "INSERT", 3, 2),
        (second, "DELETE", 5, 2),
        (second, "INSERT", 6, 2),
        (second, "DELETE", 6, 2),
    ]


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL"])
def test_rows_cross_a_filter(scenario, identity):
    """A row that an UPDATE lets in is an INSERT, one that it takes out a DELETE."""
    scenario.execute("create table items (area int, id int, note text, primary key (area, id))")
    scenario.execute(f"alter table items replica identity {identity}")
    scenario.execute(f"create publication {scenario.publication} for table items where (area > 5)")
    worker = scenario.streaming(scenario.config([{"name": "items", "replicaIdentity": identity}]))
    for statement in (
        "insert into items values (1, 1, 'out'), (9, 2, 'in')",
        "update items set area = 8 where id = 1",
        "update items set note = 'seen' where id = 1",
        "update items set area = 7 where id = 2",  # stays in under another key
        "update items set area = 2 where id = 2",
        "update items set note = 'unseen' where id = 2",
        "delete from items",
    ):
        scenario.execute(statement)
    scenario.settle(worker)
    told = [(v["operation"], v["area"], v["id"], v.get("note")) for v in scenario.values()]
    full = identity == "FULL"
    assert told == [
        ("INSERT", 9, 2, "in"),
        ("INSERT", 8, 1, "out"),
        ("UPDATE", 8, 1, "seen"),
        ("DELETE", 9, 2, "in" if full else None),
        ("INSERT", 7, 2, "in"),
        ("DELETE", 7, 2, "in" if full else None),
        ("DELETE", 8, 1, "seen" if full else None),
    ]
