"""What real workers meet at a real PostgreSQL and Kafka, as the operator tells it: the reason, what to do, an
event; and that it clears once it is mended, while no worker ends."""

from dataclasses import dataclass

import pytest

from lab.waiting import wait_until

class Staff:
    """A Connector whose pods are real workers."""

    def __init__(self, shop, pods, crew):
        self.shop = shop
        self.crew = crew
        self._pods = pods

    def start(self, **changes: dict) -> None:
        self.run(self.crew.make(), **changes)

    def run(self, replica, **changes: dict) -> None:
        cdc = {"onHalt": "wait", **changes.pop("cdc", {})}
        replica.start(self.crew.line.config(), cdc=cdc, **changes)
        replica.worker.wait_status()
        self._pods.add(f"w{len(self.crew.replicas)}", lambda: replica.worker.get("/status")[1])

    @property
    def workers(self) -> list:
        return [replica.worker for replica in self.crew.replicas]

    def wait(self, kind: str, status: str, reason: str | None = None, timeout: float = 60) -> dict:
        return self.shop.wait_condition("orders", kind, status, reason, timeout)

    def condition(self, kind: str) -> dict:
        return self.shop.condition("orders", kind)

    def wait_streaming(self) -> None:
        self.wait("Ready", "True", "Streaming", timeout=120)
        self.wait("Degraded", "False", "AsExpected")

    def warnings(self) -> list[dict]:
        events = [each for each in self.shop.events() if each.get("regarding", {}).get("kind") == "Connector"]
        return [each for each in events if each["type"] == "Warning"]


@pytest.fixture
def staff(operators, shop, pods_of, worker_port, crew) -> Staff:
    operators.start(f"--worker-port={worker_port}")
    shop.create("orders")
    shop.wait_children("orders")
    return Staff(shop, pods_of("orders"), crew)


@pytest.fixture
def role(line):
    """A role that must log in, and may do everything."""
    scenario = line.scenario
    name = f"{scenario.name}_role"
    scenario.execute(
        "do $$ begin create role password_required; exception when duplicate_object then null; end $$"
    )
    scenario.execute(f"create role {name} login superuser replication password 'first' in role password_required")
    yield name
    scenario.execute(f"reassign owned by {name} to postgres")
    scenario.execute(f"drop owned by {name}")
    scenario.execute(f"drop role {name}")


def begins_late(scenario) -> dict:
    """Nothing of it is there yet."""
    name = f"{scenario.name}_late"
    return {"publication": {"name": name, "tables": [{"name": "late"}]}, "slot": {"name": name}}


@dataclass
class Trouble:
    """Statements have {role} and {database}; late: with a publication and a slot that are to be made."""

    reason: str
    state: str | None  # SQLSTATE
    text: str
    broken: list[str]
    mended: list[str]
    late: bool = False


UNSEEN = {"reason": "DatabaseUnseen"}
NO_RIGHT = {"reason": "Halted:InsufficientPrivilege", "state": "42501"}
TROUBLES = {
    "password": Trouble(
        **UNSEEN,
        state="28P01",
        text="check cdc.username and cdc.password",
        broken=["alter role {role} password 'another'"],
        mended=["alter role {role} password 'first'"],
    ),
    "login": Trouble(
        **UNSEEN,
        state="28000",
        text="may LOGIN",
        broken=["alter role {role} nologin"],
        mended=["alter role {role} login"],
    ),
    "connect": Trouble(
        **UNSEEN,
        state="42501",
        text="GRANT CONNECT ON DATABASE",
        broken=["alter role {role} nosuperuser", "revoke connect on database {database} from public"],
        mended=["alter role {role} superuser", "grant connect on database {database} to public"],
    ),
    "replication": Trouble(
        **NO_RIGHT,
        text='ALTER ROLE "{role}" REPLICATION',
        broken=["alter role {role} nosuperuser noreplication"],
        mended=["alter role {role} replication"],
    ),
    "owner": Trouble(
        **NO_RIGHT,
        text="late",
        broken=["create table late (id int primary key)", "alter role {role} nosuperuser"],
        mended=["alter table late owner to {role}", "grant create on database {database} to {role}"],
        late=True,
    ),
    "table": Trouble(
        reason="Halted:TableMissing",
        state=None,
        text='"public"."late" does not exist; create the tables',
        broken=[],
        mended=["create table late (id int primary key)"],
        late=True,
    ),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_what_the_database_refuses_is_said_and_mended(staff, line, role, name):
    trouble, scenario = TROUBLES[name], line.scenario
    names = {"role": role, "database": scenario.database}
    for statement in trouble.broken:
        scenario.execute(statement.format(**names))
    late = {"cdc": begins_late(scenario), "kafka": {"tableTopicMapping": {"public.late": line.topic}}}
    changes = late if trouble.late else {"cdc": {}}
    changes["cdc"] |= {"username": role, "password": "first"}
    for _ in range(2):
        staff.start(**changes)
    staff.wait("Degraded", "True", trouble.reason)
    staff.wait("Ready", "False", trouble.reason)
    status = staff.shop.status("orders")  # one, since the pod that it names may be another one later
    said = {condition["type"]: condition["message"] for condition in status["conditions"]}
    assert trouble.text.format(**names) in said["Degraded"] and said["Ready"] == said["Degraded"], said
    error = status["lastError"]
    assert error.get("sqlState") == trouble.state and error["message"] in said["Degraded"]

    wait_steady(staff, trouble.reason)
    for statement in trouble.mended:
        scenario.execute(statement.format(**names))
    staff.wait_streaming()
    assert all(worker.alive() for worker in staff.workers)


def wait_steady(staff: Staff, reason: str) -> None:
    """It goes on being wrong: nothing else is said of it, however often workers try."""
    since = staff.condition("Degraded")["lastTransitionTime"]
    halts = reason.startswith("Halted:")
    before = [told_of(worker) for worker in staff.workers]
    tries = [tries_of(replica, halts) for replica in staff.crew.replicas]

    def have_tried() -> bool:
        now = [tries_of(replica, halts) for replica in staff.crew.replicas]
        return all(new >= old + 2 for new, old in zip(now, tries, strict=True))

    wait_until(have_tried, "each has tried again, and again", 120)
    assert halts or [told_of(worker) for worker in staff.workers] == before
    assert staff.condition("Degraded")["lastTransitionTime"] == since
    assert {event["reason"] for event in staff.warnings()} == {reason}


def told_of(worker) -> tuple:
    status = worker.status()
    return status["state"], status["state_since_unix_ms"], status["reason"], status["database"]


def tries_of(replica, halts: bool) -> int:
    return len(replica.worker.find_logs("^halted$")) if halts else replica.links.postgres.proxy.accepted


def test_a_database_that_is_not_there_is_said_and_mended(staff, line):
    """It is made later, as a copy of one that has the table and the publication."""
    scenario = line.scenario
    name = f"{scenario.database}_late"
    for _ in range(2):
        staff.start(cdc={"database": name, "slot": {"name": name}})
    condition = staff.wait("Degraded", "True", "DatabaseUnseen")
    assert "create the database" in condition["message"], condition
    assert staff.shop.status("orders")["lastError"]["sqlState"] == "3D000"
    scenario.postgres.execute(f"create database {name} template {scenario.database}")
    try:
        staff.wait_streaming()
        assert all(worker.alive() for worker in staff.workers)
    finally:
        for worker in staff.workers:
            worker.end()
        slots = f"from pg_replication_slots where database = '{name}'"
        wait_until(lambda: not scenario.postgres.execute(f"select {slots} and active"), "nobody reads")
        scenario.postgres.execute(f"select pg_drop_replication_slot(slot_name) {slots}")
        scenario.postgres.execute(f"drop database {name} with (force)")


def test_a_database_that_is_away_is_said_by_who_leads_too(staff, line):
    """It has streamed: who leads stays so, for nobody else could."""
    for _ in range(2):
        staff.start()
    staff.wait_streaming()
    leader = staff.crew.wait_one_streams()
    for replica in staff.crew.replicas:
        replica.links.postgres.refuse()
    condition = staff.wait("Degraded", "True", "DatabaseUnseen")
    assert "check that PostgreSQL runs" in condition["message"], condition
    staff.wait("Ready", "False", "DatabaseUnseen")
    staff.wait("SlotReady", "Unknown", "NotReported")
    tries = len(leader.worker.find_logs("cannot start streaming"))

    def has_tried() -> bool:
        return len(leader.worker.find_logs("cannot start streaming")) >= tries + 3

    leader.worker.wait(has_tried, "it has tried again and again", 60)
    assert staff.condition("Degraded")["lastTransitionTime"] == condition["lastTransitionTime"]
    assert {event["reason"] for event in staff.warnings()} == {"DatabaseUnseen"}
    for replica in staff.crew.replicas:
        replica.links.postgres.heal()
    staff.wait_streaming()
    assert all(worker.alive() for worker in staff.workers)


def test_a_standby_that_sees_nothing_degrades_a_stream(staff, crew):
    for _ in range(2):
        staff.start()
    staff.wait_streaming()
    leader = crew.wait_one_streams()
    other = next(replica for replica in crew.replicas if replica is not leader)
    other.links.postgres.cut()
    staff.wait("Degraded", "True", "DatabaseUnseen")
    assert staff.condition("Ready")["status"] == "True"
    other.links.postgres.heal()
    staff.wait("Degraded", "False", "AsExpected")
    assert leader.worker.status()["state"] == "streaming"


def test_a_slot_that_is_lost_is_said_and_mended(staff, line):
    """By a person, who accepts the gap."""
    scenario = line.scenario
    for _ in range(2):
        staff.start()
    staff.wait_streaming()
    for replica in staff.crew.replicas:
        replica.links.postgres.refuse()
    wait_until(lambda: not scenario.slot_row()["active"], "the slot is free")
    scenario.execute("select pg_drop_replication_slot(%s)", (scenario.slot,))
    for replica in staff.crew.replicas:
        replica.links.postgres.heal()
    condition = staff.wait("Degraded", "True", "Halted:SlotLost", 120)
    assert "--accept-gap" in condition["message"] and "pqcdc.io/source" in condition["message"], condition
    staff.wait("SlotReady", "False", "SlotMissing")
    scenario.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", (scenario.slot,))
    staff.crew.lease.annotate(source=None)
    staff.wait_streaming()
    assert all(worker.alive() for worker in staff.workers)


# Kafka


def test_a_kafka_that_goes_away_is_said_and_mended(staff, crew, line):
    """Nothing is written meanwhile: nobody misses it but who looks."""
    for _ in range(2):
        staff.start()
    staff.wait_streaming()
    leader = crew.wait_one_streams()
    for replica in crew.replicas:
        replica.links.kafka.refuse()
    condition = staff.wait("Degraded", "True", "KafkaUnreachable")
    assert "no broker is connected" in condition["message"], condition
    assert "Check kafka.brokers" in condition["message"], condition
    staff.wait("Ready", "False", "KafkaUnreachable")
    assert staff.condition("SlotReady")["reason"] == "Active"
    assert staff.shop.status("orders")["lastError"]["reason"] == "BrokersLost"
    assert {event["reason"] for event in staff.warnings()} == {"KafkaUnreachable"}
    for replica in crew.replicas:
        replica.links.kafka.heal()
    staff.wait_streaming()
    assert leader.worker.status()["state"] == "streaming", "it is the same stream"


def test_a_kafka_that_was_never_there_is_said_and_mended(staff, crew):
    """Who reaches no broker does not lead."""
    for _ in range(2):
        replica = crew.make()
        replica.links.kafka.refuse()
        staff.run(replica)
    staff.wait("Degraded", "True", "KafkaUnreachable")
    staff.wait("Ready", "False", "KafkaUnreachable")
    assert staff.condition("LeaderElected")["status"] == "False"
    for replica in crew.replicas:
        replica.links.kafka.heal()
    staff.wait_streaming()
