"""The commands beside `run`."""

import json
import subprocess

import pytest

CONFIG = 78
USAGE = 64
HALTED = 69


@pytest.fixture
def pqcdc(program):
    def run(*arguments):
        return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=30)

    return run


@pytest.fixture
def config_file(scenario, tmp_path):
    def write(**changes):
        scenario.execute("create table if not exists users (id serial primary key, name text)")
        path = tmp_path / "config.yaml"
        path.write_text(json.dumps(scenario.config(**changes)))
        return path

    return write


def test_version(pqcdc):
    done = pqcdc("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("pqcdc ")


@pytest.mark.parametrize("arguments", [[], ["run"], ["config"], ["check"], ["slot", "status"], ["slot", "create"]])
def test_help(pqcdc, arguments):
    done = pqcdc(*arguments, "--help")
    assert done.returncode == 0
    assert "--config" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", [["slot", "--help"], ["slot", "-h"], ["help", "slot"], ["slot", "help"]])
def test_help_of_a_group(pqcdc, arguments):
    done = pqcdc(*arguments)
    assert done.returncode == 0, done.stderr
    assert "slot status" in done.stdout and "slot create" in done.stdout
    assert "--accept-gap" in done.stdout and "--sink" not in done.stdout


def test_usage_errors(pqcdc):
    for arguments in (["bogus"], ["run", "--sink", "paper"], ["--configg", "x"], ["run", "--config"]):
        done = pqcdc(*arguments)
        assert done.returncode == USAGE, arguments
        assert done.stderr.startswith("pqcdc: "), arguments


def test_config_shows_everything_but_secrets(pqcdc, config_file):
    path = config_file(
        cdc={"password": "sesame-1"}, kafka={"properties": {"sasl.password": "sesame-2", "client.rack": "cellar"}}
    )
    done = pqcdc("config", "--config", path, "--set", "kafka.clientID=somebody")
    assert done.returncode == 0, done.stderr
    assert "sesame" not in done.stdout + done.stderr
    assert "somebody" in done.stdout and "cellar" in done.stdout
    assert "slotActivityCheckerInterval" in done.stdout


def test_config_refuses_what_run_refuses(pqcdc, config_file):
    done = pqcdc("config", "--config", config_file(), "--set", "cdc.hots=x")
    assert done.returncode == CONFIG
    assert "cdc.hots" in done.stderr and "cdc.host" in done.stderr


def test_life_of_a_slot(pqcdc, config_file, scenario):
    path = config_file()

    done = pqcdc("slot", "status", "--config", path)
    assert done.returncode == HALTED
    assert scenario.slot in done.stderr and "pqcdc slot create" in done.stderr

    done = pqcdc("slot", "create", "--config", path)
    assert done.returncode == 0, done.stderr
    assert scenario.slot in done.stdout
    assert scenario.slot_row()["plugin"] == "pgoutput"
    assert scenario.execute("select pubname from pg_publication") == [(scenario.publication,)]

    done = pqcdc("slot", "create", "--config", path)
    assert done.returncode == HALTED
    assert "exists already" in done.stderr

    done = pqcdc("slot", "status", "--config", path)
    assert done.returncode == 0, done.stderr
    assert f"name: {scenario.slot}\n" in done.stdout
    assert "active: false\n" in done.stdout

    done = pqcdc("slot", "drop", "--config", path)
    assert done.returncode == 0, done.stderr
    assert scenario.slot_row() == {}

    done = pqcdc("slot", "create", "--config", path)
    assert done.returncode == HALTED, "its publication tells that there was a slot"
    assert "changes committed before are not delivered" in done.stderr
    assert "pqcdc slot create --accept-gap" in done.stderr
    assert scenario.slot_row() == {}

    done = pqcdc("slot", "create", "--accept-gap", "--config", path)
    assert done.returncode == 0, done.stderr
    assert scenario.slot_row()["plugin"] == "pgoutput"


def test_slot_drop_with_publication_can_be_repeated(pqcdc, config_file, scenario):
    path = config_file(cdc={"slot": {"createIfNotExists": True}, "publication": {"createIfNotExists": True}})
    done = pqcdc("slot", "create", "--config", path)
    assert done.returncode == 0, done.stderr
    done = pqcdc("slot", "drop", "--with-publication", "--config", path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"dropped replication slot {scenario.slot}\ndropped publication {scenario.publication}\n"
    assert scenario.slot_row() == {}
    assert scenario.execute("select pubname from pg_publication") == []
    done = pqcdc("slot", "drop", "--with-publication", "--config", path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("does not exist") == 2


def test_slot_drop_leaves_a_publication_that_is_not_ours(pqcdc, config_file, scenario):
    path = config_file(cdc={"publication": {"createIfNotExists": False}})
    scenario.execute(f"create publication {scenario.publication} for table users")
    done = pqcdc("slot", "create", "--accept-gap", "--config", path)
    assert done.returncode == 0, done.stderr
    said = f"publication {scenario.publication} is left alone: cdc.publication.createIfNotExists is false\n"
    for slot in (f"dropped replication slot {scenario.slot}\n", f"replication slot {scenario.slot} does not exist\n"):
        done = pqcdc("slot", "drop", "--with-publication", "--config", path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == slot + said
        assert scenario.slot_row() == {}
        assert scenario.execute("select pubname from pg_publication") == [(scenario.publication,)]


def test_slot_drop_without_the_right_to_drop_the_publication(pqcdc, config_file, scenario):
    """The slot is what must not stay: the rest is a warning, and the end."""
    role = f"{scenario.name}_reader"
    path = config_file(cdc={"username": role, "publication": {"createIfNotExists": True}})
    scenario.execute(f"create publication {scenario.publication} for table users")
    scenario.execute(f"select pg_create_logical_replication_slot('{scenario.slot}', 'pgoutput')")
    scenario.postgres.execute(f"create role {role} login replication")
    try:
        for said in ("dropped replication slot {}\n", "replication slot {} does not exist\n"):
            done = pqcdc("slot", "drop", "--with-publication", "--config", path)
            assert done.returncode == 0, done.stderr
            assert done.stdout == said.format(scenario.slot)
            warning, advice = done.stderr.splitlines()
            assert warning.startswith(
                f'pqcdc: warning: replication slot "{scenario.slot}" is gone, only the publication stays: '
                f'drop publication "{scenario.publication}"'
            )
            assert "must be owner" in warning
            assert f'run as its owner or a superuser: DROP PUBLICATION IF EXISTS "{scenario.publication}";' in advice
            assert scenario.slot_row() == {}
            assert scenario.execute("select pubname from pg_publication") == [(scenario.publication,)]
    finally:
        scenario.postgres.execute(f"drop role {role}")


@pytest.fixture
def elsewhere(scenario):
    """Another database of the same server."""
    name = f"{scenario.name}_elsewhere"
    scenario.postgres.execute(f"create database {name}")
    yield name
    scenario.postgres.execute(f"drop database {name} with (force)")


FOREIGN = {
    "physical": ("pg_create_physical_replication_slot('{slot}')", "physical"),
    "plugin": ("pg_create_logical_replication_slot('{slot}', 'test_decoding')", "test_decoding"),
    "database": ("pg_create_logical_replication_slot('{slot}', 'pgoutput')", "belongs to database"),
}


@pytest.mark.parametrize("flags", [[], ["--with-publication"]], ids=["plain", "with publication"])
@pytest.mark.parametrize("kind", FOREIGN)
def test_a_slot_that_is_not_ours_is_not_dropped(pqcdc, config_file, scenario, elsewhere, kind, flags):
    call, said = FOREIGN[kind]
    path = config_file(cdc={"publication": {"createIfNotExists": True}})
    scenario.execute(f"create publication {scenario.publication} for table users")
    scenario.postgres.execute(
        "select " + call.format(slot=scenario.slot), database=elsewhere if kind == "database" else scenario.database
    )
    try:
        done = pqcdc("slot", "drop", *flags, "--config", path)
        assert done.returncode == HALTED
        assert done.stdout == ""
        assert f'not dropped: replication slot "{scenario.slot}"' in done.stderr and said in done.stderr
        assert "what to do: set cdc.slot.name to another name" in done.stderr
        assert scenario.slot_row()
        assert scenario.execute("select pubname from pg_publication") == [(scenario.publication,)]
    finally:
        scenario.postgres.execute(f"select pg_drop_replication_slot('{scenario.slot}')")


def test_a_temporary_slot_is_not_dropped(pqcdc, config_file, scenario):
    path = config_file()
    with scenario.connect() as session:
        session.execute(f"select pg_create_logical_replication_slot('{scenario.slot}', 'pgoutput', true)")
        done = pqcdc("slot", "drop", "--with-publication", "--config", path)
        assert done.returncode == HALTED
        assert scenario.slot in done.stderr and "stop the worker that reads it" in done.stderr
        assert scenario.slot_row()["temporary"]


def test_slot_in_use_is_not_dropped(pqcdc, config_file, scenario):
    path = config_file()
    scenario.streaming()
    row = scenario.slot_row()
    done = pqcdc("slot", "drop", "--config", path)
    assert done.returncode == HALTED
    assert f"stop the worker that reads it (pid {row['active_pid']}" in done.stderr
    assert scenario.slot_row()["active"]

    done = pqcdc("slot", "create", "--config", path)
    assert done.returncode == HALTED
    assert "exists already" in done.stderr


def test_slot_drop_says_that_only_the_publication_failed(pqcdc, config_file, scenario):
    path = config_file(cdc={"publication": {"createIfNotExists": True}})
    scenario.execute(f"create publication {scenario.publication} for table users")
    scenario.execute(f"select pg_create_logical_replication_slot('{scenario.slot}', 'pgoutput')")
    scenario.execute(
        "create function refuse() returns event_trigger language plpgsql as $$ begin raise 'not today'; end $$"
    )
    scenario.execute(
        "create event trigger refuse on ddl_command_start when tag in ('DROP PUBLICATION') execute function refuse()"
    )
    done = pqcdc("slot", "drop", "--with-publication", "--config", path)
    assert done.returncode == HALTED
    assert done.stdout == f"dropped replication slot {scenario.slot}\n"
    assert f'pqcdc: replication slot "{scenario.slot}" is gone, only the publication stays: ' in done.stderr
    assert "not today" in done.stderr
