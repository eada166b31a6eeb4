"""Kafka by TLS, with passwords, with certificates and with rights: what works, what is said of what does not, and
what is mended without a restart."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka.admin import AclOperation

from lab.certificates import Certificate
from lab.line import Line
from lab.proxy import Proxy
from lab.secured import SecuredKafka, scram_client
from lab.servers import free_port
from lab.topics import WRITING, allow, allow_writing, forbid_writing, topic_names
from lab.worker import Worker

pytestmark = pytest.mark.xdist_group("secured-kafka")

DATA = Path(__file__).resolve().parents[1] / "data"
HALTED = 69
PASSWORD, WRONG_PASSWORD, LATER_PASSWORD = "open-sesame", "swordfish", "abracadabra"
V4 = {"broker.address.family": "v4"}


@pytest.fixture(scope="module")
def secured(state, logs):
    broker = SecuredKafka(state / "secured")
    try:
        broker.start()
        with (
            Proxy(broker.scram_port, broker.scram_port + 1) as broker.scram,
            Proxy(broker.mtls_port, broker.mtls_port + 1) as broker.mtls,
        ):
            yield broker
    finally:
        broker.stop()
        broker.remove(logs / "secured")


@pytest.fixture
def line(scenario_on, postgres, line_on, secured) -> Line:
    return line_on(scenario_on(postgres, kafka=secured))


@dataclass
class Files:
    """What a worker is told the paths of, and the test changes."""

    directory: Path

    def __post_init__(self):
        self.directory.mkdir(exist_ok=True)

    def put(self, name: str, content: str) -> str:
        """Whole or not at all, as a Secret's file is replaced."""
        path = self.directory / name
        new = path.with_suffix(".new")
        new.write_text(content)
        new.rename(path)
        return str(path)

    def put_certificate(self, made: Certificate) -> dict[str, str]:
        return {
            "ssl.certificate.location": self.put("client.crt", made.certificate.read_text()),
            "ssl.key.location": self.put("client.key", made.key.read_text()),
        }


@pytest.fixture
def files(tmp_path) -> Files:
    return Files(tmp_path / "files")


def by_scram(secured: SecuredKafka, files: Files, user: str, **changes) -> dict:
    return {
        "brokers": [f"localhost:{secured.scram_port + 1}"],
        "secureConnection": True,
        "rootCA": files.put("root.pem", secured.root.certificate.read_text()),
        "interCA": secured.inter.certificate.read_text(),
        "scramUsername": user,
        "scramPasswordFile": files.put("password", PASSWORD),
        "properties": V4,
    } | changes


def by_certificate(secured: SecuredKafka, files: Files, made: Certificate | None, **changes) -> dict:
    own = files.put_certificate(made) if made else {}
    return {
        "brokers": [f"localhost:{secured.mtls_port + 1}"],
        "rootCA": files.put("root.pem", secured.root.certificate.read_text()),
        "properties": V4 | {"security.protocol": "SSL"} | own,
    } | changes


def assert_unseen(*outputs: str) -> None:
    for text in outputs:
        assert text and not any(word in text for word in (PASSWORD, WRONG_PASSWORD, LATER_PASSWORD)), text


# What works


def test_a_file_of_the_ancestor_streams(scenario_on, postgres, secured, tmp_path, program):
    """As it is written: only where the servers are, and what this one cannot do, is said otherwise."""
    scenario = scenario_on(postgres, kafka=secured)
    scenario.slot = "cdc_slot"
    scenario.execute("create table users (id serial primary key, name text)")
    scenario.execute("create table books (id serial primary key, title text, hidden text)")
    scenario.execute("create schema ops")  # of its heartbeat
    secured.set_password("cdc_kafka", "kafka_pass")
    for topic in ("users.0", "books.0"):
        allow(secured.bootstrap, topic, "cdc_kafka", *WRITING, AclOperation.CREATE)
    port = free_port()
    environment = {
        **scram_client(tmp_path / "client"),
        "PQCDC_CDC_HOST": postgres.host,
        "PQCDC_CDC_PORT": str(postgres.port),
        "PQCDC_CDC_USERNAME": "postgres",
        "PQCDC_CDC_DATABASE": scenario.database,
        "PQCDC_CDC_METRIC_PORT": str(port),
        "PQCDC_CDC_SLOT_FAILOVER": str(int(postgres.major) >= 17).lower(),
        "PQCDC_KAFKA_BROKERS": f"localhost:{secured.scram_port + 1}",
        "PQCDC_KAFKA_PROPERTIES": json.dumps(V4),
    }
    for name, authority in (("root.pem", secured.root), ("inter.pem", secured.inter)):
        shutil.copy(authority.certificate, tmp_path / name)
    stub = {"cdc": {"metric": {"port": port}}}
    worker = Worker(program, tmp_path / "worker", stub, environment=environment, prefix=["env", "-C", str(tmp_path)])
    shutil.copy(DATA / "ancestor.yaml", worker.config_file)
    scenario.workers.append(worker)
    worker.start().wait_streaming()
    # Before the first row: they are told of at the start.
    worker.wait(lambda: {"users.0", "books.0"} <= topic_names(secured.bootstrap), "the topics are made")
    scenario.transaction(
        "insert into users (name) values ('a')", "update users set name = 'b'", "delete from users",
        "insert into books (title, hidden) values ('t', 'h')",
    )  # fmt: skip
    scenario.settle(worker)
    assert scenario.values("users.0") == [
        {"id": 1, "name": "a", "operation": "INSERT"},
        {"id": 1, "name": "b", "operation": "UPDATE"},
        {"id": 1, "name": "b", "operation": "DELETE"},
    ]
    assert scenario.values("books.0") == [{"id": 1, "title": "t", "operation": "INSERT"}]
    idle = {log["option"] for log in worker.find_logs("^an option has no effect$")}
    assert {"cdc.logger.logger", "cdc.publication.tables[1].queryCondition", "cdc.snapshot.chunkSize"} <= idle
    assert_unseen(worker.stderr(), worker.get("/status")[1])


def test_by_a_certificate_which_is_rotated(line, secured, files, acquit):
    """Nothing is restarted. What the second may is then taken from the first, who is not missed."""
    first, second = f"{line.scenario.name}-1", f"{line.scenario.name}-2"
    for user in (first, second):
        allow_writing(secured.bootstrap, line.topic, user)
    worker = line.streaming(kafka=by_certificate(secured, files, secured.root.sign(first)))
    with line.writers(largest=200, pause=0.01):
        worker.wait_delivery()
        files.put_certificate(secured.root.sign(second))
        secured.mtls.cut()
        worker.wait_log("^credentials_changed$")
        worker.wait_delivery()
        forbid_writing(secured.bootstrap, line.topic, first)
        worker.wait_delivery(more=500)
    line.scenario.settle(worker)
    acquit(line)
    assert len(worker.find_logs("^credentials_changed$")) == 1
    assert worker.find_log("^halted$") is None


def test_a_standby_takes_a_certificate_up_too(line, secured, files, tmp_path, acquit):
    """It is made ready for its turn while it waits."""
    user = line.scenario.name
    allow_writing(secured.bootstrap, line.topic, user)
    leader = line.streaming(kafka=by_certificate(secured, files, secured.root.sign(user)))
    own = Files(tmp_path / "standby")
    standby = line.start(kafka=by_certificate(secured, own, secured.root.sign(user, days=0)))
    standby.wait_state("standby")
    standby.wait_log("^brokers_lost$")
    own.put_certificate(secured.root.sign(user))
    standby.wait_log("^brokers_back$")
    assert standby.status()["state"] == "standby"
    leader.kill()
    line.change(1, 20)
    standby.wait_streaming()
    line.scenario.settle(standby)
    acquit(line)


@pytest.mark.unsanitized("its Kafka client is another one")
def test_by_a_password_which_is_rotated(line, secured, files, tmp_path, acquit):
    user = line.scenario.name
    secured.set_password(user, PASSWORD)
    allow_writing(secured.bootstrap, line.topic, user)
    worker = line.streaming(scram_client(tmp_path / "client"), kafka=by_scram(secured, files, user))
    with line.writers(largest=200, pause=0.01):
        worker.wait_delivery()
        secured.set_password(user, LATER_PASSWORD)
        files.put("password", LATER_PASSWORD)
        secured.scram.cut()
        worker.wait_delivery(more=500)
    line.scenario.settle(worker)
    assert acquit(line).duplicates == 0, "the producer stays"
    assert_unseen(worker.stderr(), worker.get("/status")[1])


# What does not, what is said of it, and what mends it


@dataclass
class Wrong:
    """kafka: the section of the configuration. mend(): what makes it right while the worker runs."""

    kafka: dict
    text: str
    advice: str
    mend: Callable[[], object] | None = None


def wrong_password(secured, files, user) -> Wrong:
    kafka = by_scram(secured, files, user)
    files.put("password", WRONG_PASSWORD)
    text = r"SASL authentication error: Authentication failed .* invalid credentials with SASL mechanism SCRAM-SHA-512"
    return Wrong(kafka, text, "Check user and password .kafka.scramUsername", lambda: files.put("password", PASSWORD))


def wrong_authority(secured, files, user) -> Wrong:
    kafka = by_scram(secured, files, user)
    files.put("root.pem", secured.stranger.certificate.read_text())
    text = "the broker's certificate is refused: (its authority|an authority above its own) is not known here"
    return Wrong(kafka, text, "kafka.rootCA", lambda: files.put("root.pem", secured.root.certificate.read_text()))


def missing_intermediate(secured, files, user) -> Wrong:
    kafka = by_scram(secured, files, user, interCA=None)
    return Wrong(kafka, "the broker's certificate is refused: its authority is not known here", "kafka.interCA")


def another_host(secured, files, user) -> Wrong:
    kafka = by_scram(secured, files, user, brokers=[f"127.0.0.1:{secured.scram_port + 1}"])
    return Wrong(kafka, "the broker's certificate is refused: it is not for this IP address", "advertised.listeners")


def expired_broker(secured, files, user) -> Wrong:
    kafka = by_certificate(secured, files, None, brokers=[f"localhost:{secured.expired_port}"])
    return Wrong(kafka, "the broker's certificate is refused: it has expired", "Give the broker a new certificate")


def expired_client(secured, files, user) -> Wrong:
    kafka = by_certificate(secured, files, secured.root.sign(user, days=0))
    mend = partial(files.put_certificate, secured.root.sign(user))
    return Wrong(kafka, "the broker refuses this client's certificate", "has not expired", mend)


def no_client_certificate(secured, files, user) -> Wrong:
    kafka = by_certificate(secured, files, None)
    text = "the broker asks for a certificate of this client, and none is given"
    return Wrong(kafka, text, "ssl.certificate.location")


WRONG = [
    wrong_password, wrong_authority, missing_intermediate, another_host, expired_broker, expired_client,
    no_client_certificate,
]  # fmt: skip


@pytest.mark.unsanitized("its Kafka client is another one")
@pytest.mark.parametrize("make", WRONG, ids=lambda make: make.__name__)
def test_it_is_said_once_and_mended(line, secured, files, tmp_path, acquit, make):
    user = line.scenario.name
    secured.set_password(user, PASSWORD)
    allow_writing(secured.bootstrap, line.topic, user)
    wrong = make(secured, files, user)
    client = scram_client(tmp_path / "client")
    worker = line.streaming(client, kafka=wrong.kafka)
    line.change(1, 20)
    told = worker.wait_log("^brokers_lost$")
    broker = re.escape(wrong.kafka["brokers"][0])
    assert re.search(f"^kafka: no broker is connected: {broker}/bootstrap: {wrong.text}", told["error"]), told
    assert "nothing is lost" in told["advice"] and re.search(wrong.advice, told["advice"]), told

    report = check(worker, client)
    assert report.returncode == 1
    (row,) = [row for row in json.loads(report.stdout)["checks"] if row["check"] == "brokers"]
    assert row["status"] == "fail"
    assert re.search(f"no broker answers: {broker}/bootstrap: {wrong.text}", row["text"]), row
    assert re.search(wrong.advice, row["advice"]), row

    assert [log["code"] for log in unwell(worker)] == ["brokers_lost"], "one cause, one line"
    if wrong.mend:
        wrong.mend()
        line.scenario.settle(worker)
        acquit(line)
        assert worker.find_log("^brokers_back$")
        assert worker.find_log("^halted$") is None
    assert_unseen(worker.stderr(), worker.get("/status")[1], report.stdout)


def check(worker: Worker, environment: dict[str, str]) -> subprocess.CompletedProcess:
    return subprocess.run(
        [worker.process.args[0], "check", "--config", worker.config_file, "--output", "json"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def unwell(worker: Worker) -> list[dict]:
    return [log for log in worker.logs() if log["level"] in ("WARN", "ERROR")]


# What the user may -> with which code it is halted. Who may write nowhere is not given the id of an idempotent
# producer; whether that or the topic is refused first is chance.
RIGHTS = {
    "nothing": ((), ("TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED")),
    "to see it": ((AclOperation.DESCRIBE,), ("CLUSTER_AUTHORIZATION_FAILED",)),
    "to see it, and to write another one": ((AclOperation.DESCRIBE,), ("TOPIC_AUTHORIZATION_FAILED",)),
}


def test_rights_that_are_missing(line, secured, files, acquit):
    """One after the other is given; what is missing ends the worker, which says what to allow."""
    user = line.scenario.name
    kafka = by_certificate(secured, files, secured.root.sign(user))
    broker = kafka["brokers"][0]
    line.change(1, 20)
    for may, (operations, codes) in RIGHTS.items():
        if operations:
            allow(secured.bootstrap, line.topic, user, *operations)
        if "another" in may:
            allow(secured.bootstrap, f"{line.topic}.other", user, AclOperation.WRITE)
        worker = line.start(kafka=kafka)
        assert worker.wait_exit() == HALTED, worker.stderr()
        log = worker.find_log("^halted: a person must act$")
        assert log["code"] in codes, (may, log)
        command = f"kafka-acls.sh --bootstrap-server {broker} --add --allow-principal 'User:<user>' --operation Write"
        topic = line.topic if log["code"].startswith("TOPIC") else "(<topic>|" + line.topic + ")"
        assert command in log["advice"] and re.search(f"--topic {topic}$", log["advice"]), (may, log)
    allow_writing(secured.bootstrap, line.topic, user)
    worker = line.streaming(kafka=kafka)
    line.scenario.settle(worker)
    acquit(line)
