"""`pqcdc check`: what is wrong is said with what mends it, and that mends it."""

import json
import shlex
import subprocess
from contextlib import closing
from dataclasses import dataclass

import psycopg
import pytest

from lab.scenario import Scenario, merge
from lab.servers import GuardedKafka, free_port
from lab.topics import create_topic, set_topic, topic_names
from lab.waiting import wait_until

MEND = 1
USAGE = 64
CONFIG = 78
CHECKS = [
    "postgres", "wal_level", "slot", "role", "slots", "senders", "tables", "publication", "replica_identity",
    "synchronous_standby", "routes", "brokers", "topics", "record_size",
]  # fmt: skip
# Kafka's commands, and the classes behind them.
TOOLS = {
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
}


@dataclass
class Found:
    code: int
    rows: list[dict]

    def of(self, check: str, status: str | None = None) -> list[dict]:
        return [row for row in self.rows if row["check"] == check and status in (None, row["status"])]

    def only(self, check: str) -> dict:
        """The one row that is not well, which is of that check."""
        (row,) = [row for row in self.rows if row["status"] != "ok"]
        assert row["check"] == check, row
        return row

    def is_well(self) -> bool:
        return self.code == 0 and all(row["status"] == "ok" for row in self.rows)


@pytest.fixture
def run_check(program, tmp_path):
    def run(config: dict, *arguments: str, expect_stderr: str = "") -> subprocess.CompletedProcess:
        path = tmp_path / "check.yaml"
        path.write_text(json.dumps(config, ensure_ascii=False))
        done = subprocess.run(
            [program, "check", "--config", path, *arguments], capture_output=True, text=True, timeout=60
        )
        assert done.stderr == expect_stderr
        return done

    return run


@pytest.fixture
def check(run_check):
    def look(config: dict) -> Found:
        done = run_check(config, "--output", "json")
        report = json.loads(done.stdout)
        found = Found(done.returncode, report["checks"])
        assert {row["check"] for row in found.rows} == set(CHECKS)
        assert report["ok"] == (found.code == 0) == (not any(row["status"] == "fail" for row in found.rows))
        return found

    return look


@pytest.fixture
def shop(scenario) -> Scenario:
    scenario.execute("create table users (id int primary key, name text)")
    return scenario


@pytest.fixture
def role(shop):
    """Somebody with all that a connector needs, who owns nothing."""
    name = f"{shop.name}_role"
    shop.postgres.execute(f"create role {name} login replication")
    yield name
    shop.execute(f"drop owned by {name}")
    shop.postgres.execute(f"drop role {name}")


def mend(scenario: Scenario, row: dict) -> None:
    for statement in row["sql"].splitlines():
        scenario.execute(statement)


def run_command(kafka, row: dict) -> None:
    name, *arguments = shlex.split(row["command"])
    kafka.run("tool", TOOLS[name], *arguments)


def snapshot(scenario: Scenario) -> list:
    """All that a check could have changed."""
    return [
        scenario.execute(statement)
        for statement in (
            "select slot_name, active from pg_replication_slots where database = current_database()",
            "select pubname, pubinsert, pubupdate from pg_publication",
            "select prpubid::text, prrelid::text from pg_publication_rel",
            "select relname, relreplident, relnatts from pg_class where relkind in ('r', 'p') order by 1",
        )
    ] + [sorted(name for name in topic_names(scenario.kafka.bootstrap) if not name.startswith("__"))]


# All right


def test_nothing_is_there_yet_and_all_is_right(shop, check):
    before = snapshot(shop)
    found = check(shop.config())
    assert found.is_well(), found
    assert "is created at the start" in found.of("publication")[0]["text"]
    assert "is created at the start" in found.of("slot")[0]["text"]
    assert f"PostgreSQL {shop.postgres.version}." in found.of("postgres")[0]["text"]
    assert snapshot(shop) == before


def test_a_worker_streams_and_all_is_right(shop, check):
    shop.streaming()
    before = snapshot(shop)
    found = check(shop.config())
    assert found.is_well(), found
    assert "read by pid" in found.of("slot")[0]["text"] and "of WAL are retained" in found.of("slot")[0]["text"]
    assert "is as configured" in found.of("publication")[0]["text"]
    assert snapshot(shop) == before


def test_as_a_table(shop, run_check):
    done = run_check(shop.config())
    assert done.returncode == 0
    rows = done.stdout.splitlines()
    assert [row.split()[:2] for row in rows[:-2]] == [["ok", name] for name in CHECKS]
    assert rows[-1] == "0 to mend, 0 to know, 0 not looked at, 15 well"
    done = run_check(shop.config(cdc={"slot": {"createIfNotExists": False}}), "--output", "text")
    assert done.returncode == MEND
    assert f"sql: SELECT pg_create_logical_replication_slot('{shop.slot}', 'pgoutput');\n" in done.stdout
    assert "1 to mend" in done.stdout.splitlines()[-1]


def test_a_wrong_command_line_or_configuration(shop, program, run_check):
    done = subprocess.run([program, "check", "--output", "paper"], capture_output=True, text=True)
    assert done.returncode == USAGE and "expected one of text, json" in done.stderr
    done = subprocess.run([program, "slot", "status", "--output", "json"], capture_output=True, text=True)
    assert done.returncode == USAGE
    done = subprocess.run([program, "check", "--set", "cdc.hots=x"], capture_output=True, text=True)
    assert done.returncode == CONFIG and done.stdout == ""


# PostgreSQL: what is wrong -> the row that says it, whose SQL mends it

BY_HAND = {"cdc": {"publication": {"createIfNotExists": False}, "slot": {"createIfNotExists": False}}}
NO_PUBLICATION = {"cdc": {"publication": {"createIfNotExists": False}}}
FULL = {"cdc": {"publication": {"tables": [{"name": "users", "replicaIdentity": "FULL"}]}}}
ALL_TABLES = {"cdc": {"publication": {"tables": []}}, "kafka": {"topicTemplate": "{table}", "unmapped": "skip"}}
WRONG = {
    "no publication": ([], NO_PUBLICATION, "publication", "fail", "createIfNotExists is false"),
    "no slot": (
        ["create publication {name} for table users"],
        {"cdc": {"slot": {"createIfNotExists": False}}},
        "slot",
        "fail",
        "createIfNotExists is false",
    ),
    "operations": (
        ["create publication {name} for table users with (publish = 'insert')"],
        {},
        "publication",
        "fail",
        "publishes (insert), (insert, update, delete, truncate) is configured",
    ),
    "table lacks": (
        ["create table other (id int primary key)", "create publication {name} for table other"],
        {},
        "publication",
        "fail",
        'lacks "public"."users"; also publishes "public"."other"',
    ),
    "schema lacks": (
        ["create schema \"Sch 1\"", "create publication {name} for table users, tables in schema public"],
        {"cdc": {"publication": {"schemas": ["Sch 1"]}}},
        "publication",
        "fail",
        'does not publish all tables of schema "Sch 1"; publishes all tables of schema "public"',
    ),
    "identity of a schema": (
        ["create schema sch", "create table sch.bare (id int)", "create table others (id int)"],
        {"cdc": {"publication": {"schemas": ["sch"]}}},
        "replica_identity",
        "fail",
        'UPDATE and DELETE on "sch"."bare"',
    ),
    "slot without publication": (
        ["select pg_create_logical_replication_slot('{name}', 'pgoutput')"],
        {},
        "publication",
        "fail",
        "could not read one that is made now",
    ),
    "all tables for a list": (
        [
            "create publication {name} for all tables",
            "select pg_create_logical_replication_slot('{name}', 'pgoutput')",
        ],
        {"cdc": {"slot": {"createIfNotExists": False}}},
        "publication",
        "fail",
        "is FOR ALL TABLES, a list of tables or schemas is configured",
    ),
    "slot of another plugin": (
        ["create publication {name} for table users", "select pg_create_logical_replication_slot('{name}', 'test_decoding')"],
        {},
        "slot",
        "fail",
        "test_decoding, pgoutput is needed",
    ),
    "physical slot": (
        ["create publication {name} for table users", "select pg_create_physical_replication_slot('{name}')"],
        {},
        "slot",
        "fail",
        "is a physical one",
    ),
    "identity that the worker sets": ([], FULL, "replica_identity", "warn", "is DEFAULT, not FULL; the worker sets it"),
    "identity of a partition": (
        [
            "drop table users",
            "create table users (id int) partition by list (id)",
            "create table users_1 partition of users for values in (1)",
            "alter table users replica identity full",
        ],
        {},
        "replica_identity",
        "fail",
        'UPDATE and DELETE on "public"."users_1"',
    ),
    "identity of all tables": (
        ["create table bare (id int)", "create publication {name} for all tables"],
        ALL_TABLES,
        "replica_identity",
        "fail",
        'UPDATE and DELETE on "public"."bare"',
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_mended_by_the_sql_that_is_said(shop, check, wrong):
    statements, changes, name, status, text = WRONG[wrong]
    for statement in statements:
        shop.execute(statement.format(name=shop.name))
    config = shop.config(**changes)
    if wrong == "identity of all tables":
        config["kafka"].pop("tableTopicMapping")
        for table in ("users", "bare"):
            create_topic(shop.kafka.bootstrap, f"{shop.name}.{table}")
        config["kafka"]["topicTemplate"] = f"{shop.name}.{{table}}"
    try:
        before = snapshot(shop)
        found = check(config)
        row = found.only(name)
        assert row["status"] == status and text in row["text"], row
        assert found.code == (MEND if status == "fail" else 0)
        assert snapshot(shop) == before
        mend(shop, row)
        assert check(config).is_well()
    finally:
        if wrong == "physical slot" and shop.slot_row().get("slot_type") == "physical":
            shop.execute(f"select pg_drop_replication_slot('{shop.slot}')")


def test_a_publication_and_a_slot_of_hostile_names_made_by_hand(shop, check):
    shop.execute('create schema "S 1"')
    shop.execute('''create table "S 1"."Or""der's" (id int primary key)''')
    config = merge(
        shop.config(**BY_HAND),
        {
            "cdc": {"publication": {"name": "p'q\" r", "tables": [{"schema": "S 1", "name": "Or\"der's"}]}},
            "kafka": {"topicTemplate": shop.topic, "tableTopicMapping": None},
        },
    )
    found = check(config)
    assert found.code == MEND
    (publication,) = found.of("publication", "fail")
    (slot,) = found.of("slot", "fail")
    mend(shop, publication)
    mend(shop, slot)
    assert check(config).is_well()


def test_a_table_without_identity_makes_updates_of_the_application_fail(shop, check):
    shop.execute("create table bare (id int)")
    shop.execute("insert into bare values (1)")
    shop.execute(f"create publication {shop.publication} for table bare")
    config = shop.config(["bare"])
    row = check(config).only("replica_identity")
    assert row["status"] == "fail" and "PostgreSQL refuses UPDATE and DELETE" in row["text"]
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        shop.execute("update bare set id = 2")
    mend(shop, row)
    shop.execute("update bare set id = 2")
    assert check(config).is_well()


def test_tables_and_columns_that_do_not_exist(shop, check):
    found = check(shop.config(["users", "Users"]))
    (row,) = found.of("tables", "fail")
    assert found.code == MEND and '"public"."Users" does not exist' in row["text"] and "case-sensitive" in row["advice"]
    for name in ("publication", "replica_identity", "routes", "topics"):
        assert [row["status"] for row in found.of(name)] == ["skip"], name
    assert found.of("publication")[0]["text"].endswith("because of: tables")
    shop.execute('create table "Users" (id int primary key)')
    assert check(shop.config(["users", "Users"])).is_well()
    found = check(shop.config([{"name": "users", "keyColumns": ["nick"]}]))
    assert '"public"."users"."nick"' in found.of("tables", "fail")[0]["text"]


def test_a_table_without_a_topic(shop, check):
    config = shop.config()
    config["kafka"]["tableTopicMapping"] = {"public.other": shop.topic}
    row = check(config).only("routes")
    assert row["status"] == "fail" and "users" in row["text"] and row["advice"]


def test_topics_of_partitions(shop, check):
    """A partition goes where its parent does, or has a topic of its own while its parent has none."""
    shop.execute("create table m (id int primary key) partition by range (id)")
    shop.execute("create table m_1 partition of m for values from (0) to (9)")
    shop.execute(f"create publication {shop.publication} for table m")

    def mapped(table):
        return shop.config(["m"], kafka={"tableTopicMapping": {"public.m": None, table: shop.topic}})

    assert check(mapped("public.m")).is_well()
    assert check(mapped("public.m_1")).is_well()
    (row,) = check(mapped("public.x")).of("routes", "fail")
    assert "public.m_1" in row["text"]


def test_failover_of_an_older_server(shop, check):
    if shop.postgres.version >= 17:
        pytest.skip("PostgreSQL before 17")
    (row,) = check(shop.config(cdc={"slot": {"failover": True}})).of("slot", "fail")
    assert "needs PostgreSQL 17" in row["text"]


def test_rights_of_a_role(shop, check, role):
    config = shop.config(**merge(FULL, {"cdc": {"username": role}}))
    shop.postgres.execute(f"alter role {role} noreplication")
    found = check(config)
    assert found.code == MEND
    (replication,) = found.of("role", "fail")
    (publication,) = found.of("publication", "fail")
    (identity,) = found.of("replica_identity", "fail")
    assert replication["sql"] == f'ALTER ROLE "{role}" REPLICATION;'
    assert "may not create it" in publication["text"]
    assert "may not set it" in identity["text"]
    assert len([row for row in found.rows if row["status"] == "fail"]) == 3
    mend(shop, replication)
    assert check(config).of("role")[0]["status"] == "ok"
    mend(shop, publication)
    assert check(config).only("replica_identity")["status"] == "fail"
    mend(shop, identity)
    assert check(config).is_well()


def test_an_owner_may_create_and_set(shop, check, role):
    shop.execute(f"alter table users owner to {role}")
    config = shop.config(**merge(FULL, {"cdc": {"username": role}}))
    found = check(config)
    assert "may not create it" in found.of("publication", "fail")[0]["text"], "CREATE on the database lacks"
    shop.execute(f"grant create on database {shop.database} to {role}")
    assert check(config).only("replica_identity")["status"] == "warn"
    worker = shop.streaming(config)
    shop.settle(worker)
    assert check(config).is_well()


def test_a_slot_of_somebody_else_is_not_dropped_for_the_publication(shop, check):
    shop.execute(f"select pg_create_logical_replication_slot('{shop.slot}', 'test_decoding')")
    found = check(shop.config(**NO_PUBLICATION))
    assert "nobody needs this slot" in found.of("slot", "fail")[0]["advice"]
    assert "drop" not in found.of("publication", "fail")[0]["sql"]


def test_a_slot_that_another_program_reads(shop, check):
    shop.execute(f"create publication {shop.publication} for table users")
    dsn = f"{shop.dsn} replication=database application_name=other"
    with closing(psycopg.connect(dsn, autocommit=True)) as other:
        other.execute(f"CREATE_REPLICATION_SLOT {shop.slot} LOGICAL pgoutput NOEXPORT_SNAPSHOT")
        other.pgconn.send_query(
            f"START_REPLICATION SLOT {shop.slot} LOGICAL 0/0"
            f" (proto_version '1', publication_names '{shop.publication}')".encode()
        )
        wait_until(lambda: shop.slot_row().get("active"), "the slot is read")
        row = check(shop.config()).only("slot")
        assert row["status"] == "warn" and "(other)" in row["text"]


def test_limits_of_a_server(own_postgres, scenario_on, check):
    server = own_postgres(conf="wal_level = replica\nmax_wal_senders = 0\nmax_replication_slots = 0")
    shop = scenario_on(server)
    shop.execute("create table users (id int primary key)")
    found = check(shop.config())
    assert found.code == MEND
    assert [row["check"] for row in found.rows if row["status"] == "fail"] == ["wal_level", "slots", "senders"]
    assert "no WAL sender is left" in found.of("role", "skip")[0]["text"]
    for name in ("wal_level", "slots", "senders"):
        (row,) = found.of(name)
        assert row["advice"] == "then restart PostgreSQL"
        mend(shop, row)
    server.stop()
    server.start()
    assert check(shop.config()).is_well()


def test_wal_of_a_slot_goes(own_postgres, scenario_on, check):
    server = own_postgres(conf="max_slot_wal_keep_size = 1MB")
    shop = scenario_on(server)
    shop.execute("create table users (id int primary key)")
    shop.execute(f"create publication {shop.publication} for table users")

    def fill() -> str:
        server.execute("select pg_logical_emit_message(false, 'fill', repeat('x', 100000))")
        server.execute("select pg_switch_wal()")
        return shop.slot_row()["wal_status"]

    create = f"select pg_create_logical_replication_slot('{shop.slot}', 'pgoutput')"
    shop.execute(create)
    assert check(shop.config()).is_well()
    wait_until(lambda: fill() == "unreserved", "the slot may lose WAL")
    row = check(shop.config()).only("slot")
    assert row["status"] == "warn" and "wal_status unreserved" in row["text"]
    mend(shop, row)
    wait_until(lambda: server.execute("show max_slot_wal_keep_size") == [("-1",)], "the setting counts")
    assert check(shop.config()).is_well()

    server.execute("alter system reset max_slot_wal_keep_size")
    server.execute("select pg_reload_conf()")
    wait_until(lambda: fill() and server.execute("checkpoint") == [] and fill() == "lost", "the slot is lost", 60)
    row = check(shop.config()).only("slot")
    assert row["status"] == "fail" and "is lost" in row["text"] and "--accept-gap" in row["advice"]
    mend(shop, row)
    assert check(shop.config()).is_well()


def test_the_last_slot_and_the_last_sender_are_ours(own_postgres, scenario_on, check):
    shop = scenario_on(own_postgres(conf="max_wal_senders = 1\nmax_replication_slots = 1"))
    shop.execute("create table users (id int primary key)")
    assert check(shop.config()).is_well()
    shop.streaming()
    found = check(shop.config())
    assert found.is_well(), found
    assert "one of them is ours" in found.of("senders")[0]["text"] and "one of them is ours" in found.of("slots")[0]["text"]
    other = check(merge(shop.config(), {"cdc": {"slot": {"name": "other"}}}))
    assert [row["check"] for row in other.rows if row["status"] == "fail"] == ["slots", "senders"]


def test_a_synchronous_standby(own_postgres, scenario_on, check):
    server = own_postgres()
    shop = scenario_on(server)
    shop.execute("create table users (id int primary key)")
    for names, counts in (
        ("", False), ("s1", False), ("FIRST 1 (s1, s2)", False), ('"a*", s2', False),
        ("*", True), ("ANY 1 (s1, *)", True), ('FIRST 1 ("*")', True),
    ):  # fmt: skip
        set_names(server, names)
        found = check(shop.config())
        if not counts:
            assert found.is_well(), names
            continue
        row = found.only("synchronous_standby")
        assert found.code == 0 and row["status"] == "warn" and "may wait for Kafka" in row["text"], names
        with server.connect() as connection:
            connection.execute("set synchronous_commit = local")
            for statement in row["sql"].splitlines():
                connection.execute(statement)
        wait_until(lambda: server.execute("show synchronous_standby_names") == [("",)], "the setting counts")
        assert check(shop.config()).is_well()


def set_names(server, names: str) -> None:
    with server.connect() as connection:
        connection.execute("set synchronous_commit = local")
        connection.execute(f"alter system set synchronous_standby_names = '{names}'")
        connection.execute("select pg_reload_conf()")
    wait_until(lambda: server.execute("show synchronous_standby_names") == [(names,)], "the setting counts")


def test_no_postgres(shop, check):
    found = check(shop.config(cdc={"port": free_port(), "password": "sesame-1"}))
    assert found.code == MEND
    assert "refused" in found.of("postgres", "fail")[0]["text"]
    assert found.of("brokers")[0]["status"] == "ok"
    assert {row["check"] for row in found.rows if row["status"] == "skip"} == set(CHECKS) - {
        "postgres", "brokers", "record_size",
    }  # fmt: skip
    assert "sesame" not in json.dumps(found.rows)


def test_a_plugin(shop, check, run_check, program):
    """Whether it can be loaded; without one there is no row of it."""
    found = {}
    for name in ("handler-outbox", "there-is-none"):
        path = str(program.resolve().parents[1] / f"lib/{name}.so")
        done = run_check(shop.config(handler={"path": path}), "--output", "json")
        rows = [row for row in json.loads(done.stdout)["checks"] if row["check"] == "handler"]
        found[name] = (done.returncode, [(row["status"], row["text"].replace(path, "PATH")) for row in rows])
    assert found["handler-outbox"] == (0, [("ok", "PATH can be loaded: outbox")])
    code, ((status, text),) = found["there-is-none"]
    assert (code, status) == (MEND, "fail") and "PATH cannot be loaded" in text and "No such file" in text


# Kafka: what is wrong -> the row that says it, whose command mends it


def test_no_brokers(shop, check):
    found = check(shop.config(kafka={"brokers": [f"127.0.0.1:{free_port()}"]}))
    assert found.code == MEND
    assert "no broker answers" in found.of("brokers", "fail")[0]["text"]
    assert [row["status"] for row in found.of("topics")] == ["skip"]
    assert found.of("publication")[0]["status"] == "ok"


def test_a_missing_topic(shop, check):
    missing = f"{shop.name}.missing"
    config = shop.config()
    config["kafka"]["tableTopicMapping"] = {"public.users": missing}
    before = snapshot(shop)
    found = check(config)
    row = found.only("topics")
    assert found.code == MEND and row["status"] == "fail" and missing in row["text"]
    assert snapshot(shop) == before, "looking makes no topic"
    assert check(merge(config, {"kafka": {"allowAutoTopicCreation": True}})).is_well()
    assert snapshot(shop) == before
    run_command(shop.kafka, row)
    assert check(config).is_well()


def test_a_topic_that_takes_less_than_records_may_have(shop, check):
    set_topic(shop.kafka.bootstrap, shop.topic, **{"max.message.bytes": "5000"})
    row = check(shop.config()).only("record_size")
    assert row["status"] == "fail" and "takes 5000 bytes, records may have 1000000" in row["text"]
    assert check(shop.config(cdc={"maxRecordBytes": 5000})).is_well()
    run_command(shop.kafka, row)
    assert check(shop.config()).is_well()
    row = check(shop.config(cdc={"maxRecordBytes": "2mb"})).only("record_size")
    assert row["status"] == "warn" and "message.max.bytes: 2097152" in row["advice"]


def test_fewer_replicas_in_sync_than_must_be(shop, check):
    set_topic(shop.kafka.bootstrap, shop.topic, **{"min.insync.replicas": "2"})
    row = check(shop.config()).only("topics")
    assert row["status"] == "fail" and "1 replicas in sync, min.insync.replicas is 2" in row["text"]
    assert check(shop.config(kafka={"requiredAcks": 1})).is_well()


@pytest.fixture(scope="module")
def guarded(state, logs):
    broker = GuardedKafka(state / "guarded")
    broker.environment["KAFKA_AUTO_CREATE"] = "true"
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()
        broker.remove(logs / "guarded")


def test_looking_makes_no_topic(shop, check, guarded):
    """Of these brokers every question for a topic would, from a client that allows it."""
    topic = f"{shop.name}.never"
    config = shop.config(kafka={"brokers": [guarded.bootstrap], "allowAutoTopicCreation": True})
    config["kafka"]["tableTopicMapping"] = {"public.users": topic}
    for _ in range(2):
        (row,) = check(config).of("topics")
        assert row["status"] == "ok" and "does not exist: the first record makes it" in row["text"]
    assert topic not in topic_names(guarded.bootstrap)


def test_a_topic_that_may_not_be_seen(shop, check, guarded):
    create_topic(guarded.bootstrap, shop.topic)
    config = shop.config(kafka=guarded.client())
    found = check(config)
    (row,) = found.of("topics")
    assert found.code == MEND and row["status"] == "fail"
    assert f"--allow-principal 'User:{guarded.USER}'" in row["command"]
    assert guarded.PASSWORD not in json.dumps(found.rows)
    run_command(guarded, {"command": row["command"].replace(config["kafka"]["brokers"][0], guarded.bootstrap)})
    found = check(config)
    assert found.code == 0 and found.of("topics")[0]["status"] == "ok"
    assert found.only("record_size")["status"] == "skip", "its limits may not be read"


def test_a_login_that_is_refused(shop, check, guarded):
    config = shop.config(kafka=merge(guarded.client(), {"properties": {"sasl.password": "sesame-2"}}))
    found = check(config)
    (row,) = found.of("brokers", "fail")
    assert "Authentication failed" in row["text"] and "Check user and password" in row["advice"]
    assert "sesame" not in json.dumps(found.rows)
