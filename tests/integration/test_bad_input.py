"""Every bad input ends with what is wrong, where, and what to do; not only with an exit status."""

import signal
import socket

import pytest

from lab.scenario import merge
from lab.waiting import wait_until

CONFIG = 78
HALTED = 69


@pytest.fixture
def refused(scenario):
    """refused(config, status, words...): the worker ends with that status and says all the words."""

    def run(config, status, *words, **keywords):
        worker = scenario.worker(config, **keywords)
        assert worker.wait_exit() == status, worker.stderr()
        said = worker.log_text()
        for word in words:
            assert word in said, f"{word!r} is not said in:\n{said}"
        return worker

    return run


@pytest.fixture
def users(scenario):
    scenario.execute("create table users (id serial primary key, name text)")
    return scenario


def advice(worker):
    return worker.find_log("halted")["advice"]


# The configuration: found before anything is connected, all problems at once.


@pytest.mark.sanitize("address")
def test_all_problems_of_a_configuration_at_once(refused, scenario):
    config = scenario.config(
        cdc={
            "hots": "x",
            "slot": {"slotActivityCheckerInterval": "soon"},
            "publication": {"createIfNotExists": "perhaps"},
            "passwordFile": "/nonexistent/password",
            "database": None,
        },
        kafka={"compression": "zip", "producerBatchSize": 0},
    )
    worker = refused(
        config,
        CONFIG,
        *("cdc.hots", "cdc.host", "cdc.slot.slotActivityCheckerInterval", "soon"),
        *("cdc.publication.createIfNotExists", "perhaps", "cdc.passwordFile", "/nonexistent/password"),
        *("cdc.database", "kafka.compression", "zip", "kafka.producerBatchSize"),
    )
    assert str(worker.config_file) in worker.stderr(), "the file is named"
    lines = worker.config_file.read_text().splitlines()
    number = next(n for n, line in enumerate(lines, 1) if "hots" in line)
    assert f":{number}:" in worker.stderr(), "the line is named"


def test_all_problems_of_the_rooms_at_once(refused, scenario):
    config = scenario.config(
        kafka={"topicTemplate": "{tabel}", "properties": {"acks": "1", "client.rak": "x"}},
        format={"name": "flat"},
    )
    worker = refused(config, CONFIG, "kafka.topicTemplate", "{tabel}", '"acks" cannot be set', '"client.rak"')
    lines = worker.config_file.read_text().splitlines()
    number = next(n for n, line in enumerate(lines, 1) if "topicTemplate" in line)
    assert f"{worker.config_file}:{number}: kafka.topicTemplate" in worker.stderr()


def test_certificates_and_brokers_are_checked_at_once(refused, scenario):
    config = scenario.config(
        cdc={"sslRootCert": "/nonexistent/ca.pem"}, kafka={"brokers": ["a b:9092", "c:99999"]}
    )
    refused(config, CONFIG, "cdc.sslRootCert", "/nonexistent/ca.pem", '"a b:9092"', '"c:99999"')


def test_configuration_file_is_missing(scenario, refused):
    refused(None, CONFIG, "/nonexistent/config.yaml", arguments=["--config", "/nonexistent/config.yaml"])


def test_configuration_is_no_yaml(scenario, refused, tmp_path):
    broken = tmp_path / "broken.yaml"
    broken.write_text("cdc:\n  host: [unclosed\n")
    refused(None, CONFIG, str(broken), arguments=["--config", str(broken)])


def test_secret_is_unreadable(scenario, refused, tmp_path):
    refused(scenario.config(cdc={"passwordFile": str(tmp_path)}), CONFIG, str(tmp_path), "cdc.passwordFile")


def test_environment_is_checked_as_the_file_is(scenario, refused):
    environment = {"PQCDC_CDC_HOTS": "x", "PQCDC_CDC_METRIC_PORT": "many"}
    refused(None, CONFIG, "PQCDC_CDC_HOTS", "PQCDC_CDC_METRIC_PORT", "many", environment=environment)


def test_kafka_property_that_delivery_depends_on(scenario, refused):
    config = scenario.config(kafka={"properties": {"enable.idempotence": "false", "no.such": "1"}})
    refused(config, CONFIG, "enable.idempotence")
    refused(scenario.config(kafka={"properties": {"no.such": "1"}}), CONFIG, "no.such")


def test_port_is_taken(users, refused):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = users.config(cdc={"metric": {"port": port}})
        refused(config, CONFIG, str(port), "127.0.0.1", "cdc.metric.port")


# PostgreSQL: who and where.


def login(scenario, name, attributes):
    """A role of that name that must give a password; returns it as configuration."""
    scenario.postgres.execute(
        "do $$ begin create role password_required; exception when duplicate_object then null; end $$"
    )
    scenario.postgres.execute(f"drop role if exists {name}")
    scenario.postgres.execute(
        f"create role {name} login {attributes} password 'right' in role password_required"
    )
    return {"username": name}


def test_wrong_password(users, refused):
    role = login(users, f"{users.name}_user", "replication")
    worker = refused(
        users.config(cdc={**role, "password": "sesame-wrong"}),
        HALTED,
        *(role["username"], users.database, str(users.postgres.port), "28P01", "cdc.password"),
    )
    assert "sesame-wrong" not in worker.stderr(), "a secret is never said"


def test_password_from_a_file(users, tmp_path):
    role = login(users, f"{users.name}_user", "superuser replication")
    secret = tmp_path / "password"
    secret.write_text("right\n")
    users.streaming(users.config(cdc={**role, "passwordFile": str(secret)}))


def test_no_such_database(users, refused):
    worker = refused(users.config(cdc={"database": "nowhere"}), HALTED, "nowhere", "3D000")
    assert "cdc.database" in advice(worker)


def test_no_replication_right(users, refused):
    name = f"{users.name}_weak"
    users.execute(f"create publication {users.publication} for table users")
    users.postgres.execute(f"create role {name} login")
    try:
        worker = refused(users.config(cdc={"username": name}), HALTED, name)
        assert f'ALTER ROLE "{name}" REPLICATION' in advice(worker)
    finally:
        users.postgres.execute(f"drop role {name}")


def test_role_may_not_create_the_publication(users, refused):
    name = f"{users.name}_reader"
    users.postgres.execute(f"create role {name} login replication")
    try:
        worker = refused(users.config(cdc={"username": name}), HALTED, users.publication, name)
        assert f'CREATE PUBLICATION "{users.publication}"' in advice(worker)
    finally:
        users.postgres.execute(f"drop role {name}")


# Publication, tables, topics.


def without_creation(config, section):
    return merge(config, {"cdc": {section: {"createIfNotExists": False}}})


def test_publication_is_missing(users, refused):
    worker = refused(
        without_creation(users.config(), "publication"), HALTED, users.publication, "publication_missing"
    )
    assert f'CREATE PUBLICATION "{users.publication}" FOR TABLE' in advice(worker)
    assert '"public"."users"' in advice(worker)
    assert users.slot_row() == {}, "no slot is made before the publication stands"


def test_publication_is_missing_while_the_slot_exists(users, refused):
    users.execute(f"select pg_create_logical_replication_slot('{users.slot}', 'pgoutput')")
    worker = refused(users.config(), HALTED, users.publication, "publication_missing_slot_exists")
    assert "pqcdc slot drop" in advice(worker)
    assert users.execute("select count(*) from pg_publication") == [(0,)]


def test_table_is_missing(users, refused):
    config = users.config(["users", {"name": "no_such", "schema": "public"}])
    worker = refused(config, HALTED, "no_such", "table_missing")
    assert "cdc.publication.tables" in advice(worker)


def test_column_of_a_list_is_missing(users, refused):
    if users.postgres.version < 15:
        pytest.skip("PostgreSQL 15 and later")
    config = users.config([{"name": "users", "columns": ["id", "nmae"]}])
    refused(config, HALTED, "nmae", "users", "column_missing")


def test_column_of_a_key_is_missing(users, refused):
    config = users.config([{"name": "users", "keyColumns": ["id", "nmae"]}])
    worker = refused(config, HALTED, "nmae", "users", "column_missing")
    assert "keyColumns" in advice(worker)
    assert users.slot_row() == {}, "it is found before anything is made"


def test_topic_of_no_published_table_is_noted(users):
    config = users.config(kafka={"tableTopicMapping": {"public.usres": "x"}, "topicTemplate": "{table}"})
    worker = users.streaming(config)
    assert worker.find_log("has a topic but is not published")["table"] == "public.usres"


def test_table_has_no_topic(users, refused):
    config = users.config(kafka={"tableTopicMapping": None})
    worker = refused(config, HALTED, "public.users", "topic_unmapped")
    assert 'add "public.users" to kafka.tableTopicMapping' in advice(worker)
    assert users.slot_row() == {}, "no slot is made that nothing could read"


def test_topic_is_missing(users):
    topic = f"{users.name}.absent"
    config = users.config(
        kafka={
            "tableTopicMapping": {"public.users": topic},
            "properties": {"topic.metadata.propagation.max.ms": "500"},
        }
    )
    worker = users.streaming(config)
    users.execute("insert into users (name) values ('a')")
    assert worker.wait_exit() == HALTED, worker.stderr()
    assert topic in worker.find_log("halted")["error"]
    assert "allowAutoTopicCreation" in advice(worker)


# The slot.


def test_slot_is_missing(users, refused):
    worker = refused(without_creation(users.config(), "slot"), HALTED, users.slot, "slot_missing")
    assert "cdc.slot.createIfNotExists" in advice(worker)


def test_slot_is_physical(users, refused):
    users.postgres.execute(f"select pg_create_physical_replication_slot('{users.slot}')")
    try:
        worker = refused(users.config(), HALTED, users.slot, "slot_physical")
        assert f"pg_drop_replication_slot('{users.slot}')" in advice(worker)
    finally:
        users.postgres.execute(f"select pg_drop_replication_slot('{users.slot}')")


def test_slot_of_another_plugin(users, refused):
    users.execute(f"select pg_create_logical_replication_slot('{users.slot}', 'test_decoding')")
    worker = refused(users.config(), HALTED, users.slot, "test_decoding", "pgoutput")
    assert "cdc.slot.name" in advice(worker)


def test_slot_of_another_database(users, refused):
    users.postgres.execute(f"select pg_create_logical_replication_slot('{users.slot}', 'pgoutput')")
    try:
        worker = refused(users.config(), HALTED, users.slot, users.database, '"postgres"')
        assert "cdc.slot.name" in advice(worker)
    finally:
        users.postgres.execute(f"select pg_drop_replication_slot('{users.slot}')")


@pytest.mark.sanitize("address")
def test_slot_vanishes_under_a_worker(users):
    worker = users.streaming()
    worker.signal(signal.SIGSTOP)  # so that it cannot be back before the slot is gone
    users.postgres.execute("select pg_terminate_backend(%s)", (users.slot_row()["active_pid"],))
    wait_until(lambda: not users.slot_row()["active"], "the slot is free")
    users.postgres.execute("select pg_drop_replication_slot(%s)", (users.slot,))
    worker.signal(signal.SIGCONT)
    assert worker.wait_exit() == HALTED, worker.stderr()
    assert "slot_lost" in worker.log_text()
    assert "--accept-gap" in advice(worker)
    assert users.slot_row() == {}, "a slot that was seen is never made again"


def test_wal_level_is_not_logical(users, refused, own_postgres):
    server = own_postgres(conf="wal_level = replica")
    server.execute("create table users (id serial primary key, name text)")
    config = users.config(cdc={"port": server.port, "database": "postgres"})
    worker = refused(config, HALTED, "wal_level", "replica")
    assert "ALTER SYSTEM SET wal_level = logical" in advice(worker)


# onHalt: wait


def test_waiting_instead_of_exiting(users):
    config = merge(without_creation(users.config(), "slot"), {"cdc": {"onHalt": "wait"}})
    worker = users.worker(config)
    status = worker.wait_state("halted")
    assert status["reason"]["code"] == "slot_missing"
    code, body = worker.get("/readyz")
    assert code == 503 and "slot_missing" in body
    assert worker.get("/livez")[0] == 200
    users.execute(f"select pg_create_logical_replication_slot('{users.slot}', 'pgoutput')")
    worker.wait_streaming()
    assert worker.get("/readyz")[0] == 200
