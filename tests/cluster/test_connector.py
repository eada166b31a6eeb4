"""What a Connector can be told, and what it says."""

import re

import pytest

from lab.cluster import within
from lab.fleet import CONFIG, PROGRAM
from lab.waiting import wait_until


@pytest.fixture
def role(line):
    """A role that must log in; its password is first."""
    scenario = line.scenario
    name = f"{scenario.name}_role"
    scenario.execute(f"create role {name} login superuser replication password 'first' in role password_required")
    yield name
    scenario.execute(f"drop role {name}")


def with_secret(role: str) -> dict:
    return {"username": role, "password": {"secretRef": {"name": "db", "key": "password"}}}


def test_it_is_paused_and_goes_on(connector, line, acquit):
    connector.start()
    with line.writers(largest=200, pause=0.01):
        connector.wait_delivery()
        connector.patch(paused=True)
        connector.wait_condition("Ready", "False", "Paused")
        connector.pods.wait_ready(0)
        connector.patch(paused=False)
        connector.wait_condition("Ready", "True")
        connector.wait_delivery()
    connector.settle()
    acquit(line)


def test_the_leaders_pod_is_known_by_its_label(connector):
    leader = connector.start()
    connector.wait_condition("LeaderElected", "True")
    connector.wait_marked(leader)
    costs = {
        pod["metadata"]["name"]: pod["metadata"]["annotations"].get("controller.kubernetes.io/pod-deletion-cost")
        for pod in connector.pods.all()
    }
    assert int(costs.pop(leader)) > max(int(cost or 0) for cost in costs.values())


def test_a_password_is_rotated(connector, line, role, acquit):
    """Nothing is restarted: the worker reads the file again when it connects."""
    connector.space.secret("db", password="first")
    connector.start(cdc=with_secret(role))
    before = connector.pods.names()
    with line.writers(largest=200, pause=0.01):
        connector.wait_delivery()
        line.scenario.execute(f"alter role {role} password 'second'")
        connector.space.secret("db", password="second")
        line.terminate_walsender()
        connector.wait_delivery()
    connector.settle()
    acquit(line)
    assert connector.pods.names() == before
    assert connector.pods.restarts() == 0


def test_a_wrong_password_is_said_and_mended(connector, line, role):
    connector.space.secret("db", password="wrong")
    connector.changes = {"cdc": with_secret(role)}
    connector.write()
    condition = connector.wait_condition("Degraded", "True", "DatabaseUnseen")
    assert "password" in condition["message"], condition
    connector.wait_condition("Ready", "False", "DatabaseUnseen")  # once all of them say so
    error = connector.space.get("connector", connector.name)["status"]["lastError"]
    assert error["sqlState"] == "28P01"
    before = connector.pods.names()
    connector.space.secret("db", password="first")
    connector.wait_condition("Ready", "True", timeout=120)
    connector.wait_condition("Degraded", "False")
    assert connector.pods.names() == before
    assert connector.pods.restarts() == 0


def test_a_missing_secret_is_said_and_mended(connector, role):
    """The kubelet says so in events only: the operator names what a pod's volumes need, once its container is not
    created for a while."""
    connector.changes = {"cdc": with_secret(role)}
    connector.write()
    condition = connector.wait_condition("Degraded", "True", "PodsUnavailable")
    assert "ContainerCreating" in condition["message"], condition
    assert 'Secret "db" with key "password"' in condition["message"], condition
    assert "kubectl describe pod " in condition["message"], condition
    assert connector.conditions()["Ready"]["reason"] == "PodsUnavailable"
    connector.space.secret("db", password="first")
    connector.wait_condition("Ready", "True", timeout=150)


def test_a_missing_table_is_said_and_mended(connector, line):
    scenario = line.scenario
    late = f"{scenario.name}_late"
    connector.changes = {
        "cdc": {
            "publication": {"name": late, "tables": [{"name": "late"}]},
            "slot": {"name": late},  # made after the publication: it must not be older
        },
        "kafka": {"tableTopicMapping": {"public.late": line.topic}},
    }
    connector.write()
    condition = connector.wait_condition("Degraded", "True")
    assert "late" in condition["message"], condition
    before = connector.pods.names()
    scenario.execute("create table late (id int primary key)")
    connector.wait_condition("Ready", "True", timeout=120)
    assert connector.pods.names() == before
    assert connector.pods.restarts() == 0


@pytest.fixture
def humble_role(role, line):
    """May log in, and nothing else."""
    line.scenario.execute(f"alter role {role} nosuperuser noreplication")
    return role


def test_missing_rights_are_said_and_mended(connector, line, humble_role):
    """By the statement of the message, as it stands there."""
    connector.space.secret("db", password="first")
    connector.changes = {"cdc": with_secret(humble_role)}
    connector.write()
    condition = connector.wait_condition("Degraded", "True")
    (statement,) = re.findall(r"ALTER ROLE .*?;", condition["message"])
    assert humble_role in statement
    assert connector.space.get("connector", connector.name)["status"]["lastError"]["sqlState"] == "42501"
    before = connector.wait_halted()
    line.scenario.execute(statement)
    connector.wait_condition("Ready", "True", timeout=120)
    connector.wait_condition("Degraded", "False")
    assert connector.pods.names() == before
    assert connector.pods.restarts() == 0


@pytest.fixture
def lose_slot(line, postgres):
    """lose_slot(): the server takes WAL away that the slot, which nobody reads, still needs."""

    def lose() -> None:
        postgres.execute("alter system set max_slot_wal_keep_size = '1MB'")
        postgres.execute("select pg_reload_conf()")
        for _ in range(3):
            line.change(1, 10)
            postgres.execute("select pg_switch_wal()")
        postgres.execute("checkpoint")
        assert line.scenario.slot_row()["wal_status"] == "lost"

    yield lose
    postgres.execute("alter system reset max_slot_wal_keep_size")
    postgres.execute("select pg_reload_conf()")


def test_a_lost_slot_is_said_and_mended(connector, line, lose_slot):
    """By what the message tells to do, while all its pods go on."""
    connector.start()
    connector.patch(paused=True)
    connector.pods.wait_ready(0)
    lose_slot()
    connector.patch(paused=False)
    condition = connector.wait_condition("Degraded", "True", "Halted:SlotLost")
    assert connector.conditions()["Ready"]["status"] == "False"
    assert "--accept-gap" in condition["message"]
    connector.wait_event("Halted:SlotLost")
    before = connector.wait_halted()
    (statement,) = re.findall(r"SELECT pg_drop_replication_slot.*?;", condition["message"])
    line.scenario.execute(statement)
    create = (PROGRAM, "slot", "create", "--accept-gap", "--config", CONFIG)
    connector.space.kubectl("exec", min(before), "--", *create)
    connector.wait_condition("Ready", "True", timeout=120)
    connector.wait_condition("Degraded", "False")
    line.change(1, 10)
    connector.settle()
    assert connector.pods.names() == before
    assert connector.pods.restarts() == 0


def test_a_handler_comes_from_a_configmap(connector, line, program):
    """A plug-in that was built outside of the image, in the pods of the image; what it lacks is said and mended."""
    scenario = line.scenario
    scenario.execute("create table outbox (id int primary key, topic text, key text, type text, payload jsonb)")
    scenario.execute(f"alter publication {scenario.publication} add table outbox")
    object_file = program.resolve().parents[1] / "lib/handler-outbox.so"
    connector.space.kubectl("create", "configmap", "outbox-handler", f"--from-file={object_file}")
    handler = {"path": "handler-outbox.so", "options": {"tabel": "public.outbox"}}
    handler["volume"] = {"configMap": {"name": "outbox-handler"}}
    connector.spec["handler"] = handler
    connector.changes = {
        "cdc": {"publication": {"tables": [{"name": "t"}, {"name": "outbox"}]}},
        "kafka": {"tableTopicMapping": {"public.outbox": line.topic}},
    }
    connector.write()
    condition = connector.wait_condition("Degraded", "True", "PodsUnavailable")
    assert "no such option: tabel (table, topicPrefix)" in condition["message"], condition

    handler["options"] = {"table": "public.outbox"}
    connector.write()
    connector.wait_condition("Ready", "True", timeout=120)
    scenario.execute("insert into outbox values (1, %s, 'k', 'made', '[1]')", (line.topic,))
    connector.settle()
    events = [record for record in scenario.records(line.topic) if record.headers.get("type") == b"made"]
    assert [(event.key, event.value, event.headers["id"]) for event in events] == [(b"k", b"[1]", b"1")]

    scenario.execute("update outbox set payload = '2'")
    condition = connector.wait_condition("Degraded", "True", "Halted:HandlerFailed")
    assert "the handler: a row of the outbox was changed" in condition["message"], condition


def test_kafkas_password_is_rotated(connector, line, kafka, acquit):
    """Nothing is restarted: the worker reads the file again when it connects."""
    kafka.set_password("worker", "first")
    connector.space.secret("kafka", password="first")
    properties = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-256", "sasl.username": "worker"}
    password = {"sasl.password": {"secretRef": {"name": "kafka", "key": "password"}}}
    connector.start(kafka={"brokers": [kafka.guarded], "properties": properties, "propertyFiles": password})
    before = connector.pods.names()
    with line.writers(largest=200, pause=0.01):
        connector.wait_delivery()
        kafka.set_password("worker", "second")
        connector.space.secret("kafka", password="second")
        kafka.stop()  # who is connected need not log in again
        kafka.start()
        connector.wait_delivery()
    connector.settle()
    acquit(line)
    assert connector.pods.names() == before
    assert connector.pods.restarts() == 0


def test_deleted_it_leaves_the_slot(connector, line):
    connector.start()
    connector.space.kubectl("delete", f"connector/{connector.name}", within(60))
    connector.pods.wait_ready(0)
    assert line.scenario.slot_row()


def test_deleted_it_takes_the_slot_along_when_told_so(connector, line):
    connector.spec = {"deletionPolicy": "Delete"}
    connector.start()
    connector.space.kubectl("delete", f"connector/{connector.name}", within(120))
    assert not line.scenario.slot_row()
    connector.pods.wait_ready(0)


def test_its_deletion_is_given_up_when_told_so(connector, line, postgres, postgres_back):
    connector.spec = {"deletionPolicy": "Delete"}
    connector.start()
    postgres.stop()
    connector.space.kubectl("delete", f"connector/{connector.name}", "--wait=false")
    connector.wait_condition("Ready", "False", "Deleting")
    connector.space.kubectl("annotate", f"connector/{connector.name}", "pqcdc.io/abandon-slot=true")
    connector.space.kubectl("wait", "--for=delete", f"connector/{connector.name}", within(90))
    postgres.start()
    assert line.scenario.slot_row()


def test_its_deletion_is_tried_again_when_told_so(connector, line, postgres, postgres_back):
    """By what the message tells to do."""
    connector.spec = {"deletionPolicy": "Delete"}
    connector.start()
    postgres.stop()
    connector.space.kubectl("delete", f"connector/{connector.name}", "--wait=false")
    condition = connector.wait_drop_failed()
    assert "Connection refused" in condition["message"], condition
    (command,) = re.findall(r"to try again: kubectl ([^;]*);", condition["message"])
    postgres.start()
    assert line.scenario.slot_row()
    connector.space.kubectl(*command.split())
    connector.space.kubectl("wait", "--for=delete", f"connector/{connector.name}", within(60))
    assert not line.scenario.slot_row()


def test_deleted_it_leaves_a_slot_that_it_never_read(connector, line):
    """Somebody else made it, and it has the name that the Connector was given."""
    connector.spec = {"deletionPolicy": "Delete", "paused": True}
    connector.write()
    connector.wait_condition("Ready", "False", "Paused")
    connector.space.kubectl("delete", f"connector/{connector.name}", "--wait=false")
    condition = connector.wait_drop_failed()
    assert f'the Lease does not remember that slot "{line.scenario.slot}" was read' in condition["message"], condition
    (command,) = re.findall(r"to give the slot up: kubectl (.*)", condition["message"])
    connector.space.kubectl(*command.split())
    connector.space.kubectl("wait", "--for=delete", f"connector/{connector.name}", within(60))
    assert line.scenario.slot_row()


def test_two_on_one_slot(connector, operator, line, files):
    """The younger one stands back, and says so."""
    connector.start()
    twin = type(connector)(connector.space, line, files, "twin")
    twin.write()
    condition = twin.wait_condition("Degraded", "True", "DuplicateSlot")
    assert connector.name in condition["message"]
    assert not twin.pods.names()
    connector.wait_condition("Ready", "True")
    connector.space.kubectl("delete", f"connector/{connector.name}", within(60))
    twin.wait_condition("Ready", "True", timeout=150)
