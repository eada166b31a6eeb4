"""Somebody types what the documents show: README.md, getting-started.md, kubernetes.md and
moving-from-go-pq-cdc-kafka.md.

Blocks are found by their marks (lab/documents.py). What a reader has of his own comes from the environment, which
wins over the file that the document shows: where the servers are, and the port that is free here."""

import json
import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from lab.documents import Block, blocks_of, blocks_run_in, documents_of
from lab.servers import LAB, free_port
from lab.topics import TopicReader, create_topic, delete_topic, topic_names
from lab.waiting import patient, wait_until

ROOT = LAB.parents[1]
DOCS = ROOT / "docs"

# The reader has a second terminal: `pqcdc run` goes on while he types.
PQCDC = """#!/bin/sh
if [ "$1 $2" = "slot drop" ]; then # the reader has stopped it
    for worker in $(cat workers); do
        kill $worker
        while kill -0 $worker 2>/dev/null; do sleep 0.1; done
    done
fi
[ "$1" = run ] || exec {program} "$@"
{program} "$@" >>worker.log 2>&1 &
echo $! >>workers
for _ in $(seq 300); do
    if curl -sf localhost:{port}/readyz >/dev/null; then exit 0; fi
    sleep 0.1
done
cat worker.log >&2
exit 1
"""
KAFKA_TOPICS = f'#!/bin/sh\nexec {LAB}/kafka.sh tool org.apache.kafka.tools.TopicCommand "$@"\n'
# What is installed already is not fetched anew.
APT_GET = """#!/bin/sh
shift
for package; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package")" = installed ] || { echo "$package is missing" >&2; exit 100; }
done
"""


class Typist:
    def __init__(self, directory: Path, program: Path, postgres, kafka):
        self.directory = directory
        self.port = free_port()
        self.places = {"localhost:9092": kafka.bootstrap, "localhost:8080": f"localhost:{self.port}"}
        self._bin = directory / "bin"
        self._bin.mkdir(parents=True)
        self.program("pqcdc", PQCDC.format(program=shlex.quote(str(program)), port=self.port))
        self.program("kafka-topics.sh", KAFKA_TOPICS)
        self.program("apt-get", APT_GET)
        self.environment = {
            **os.environ,
            "PATH": f"{self._bin}:{os.environ['PATH']}",
            "PGHOST": postgres.host,
            "PGPORT": str(postgres.port),
            "PGUSER": "postgres",
            "PQCDC_CDC_HOST": postgres.host,
            "PQCDC_CDC_PORT": str(postgres.port),
            "PQCDC_CDC_METRIC_ADDRESS": "127.0.0.1",
            "PQCDC_CDC_METRIC_PORT": str(self.port),
            "PQCDC_KAFKA_BROKERS": json.dumps([kafka.bootstrap]),
        }

    def program(self, name: str, text: str) -> None:
        (self._bin / name).write_text(text)
        (self._bin / name).chmod(0o755)

    def type(self, blocks: list[Block], where: Path | None = None) -> str:
        """All of them, in order; what they print. What a console block shows must be what is printed."""
        return "".join(getattr(self, f"_{block.language}")(block.text, where or self.directory) for block in blocks)

    def _yaml(self, text: str, where: Path) -> str:
        name = re.match(r"# (\S+)\n", text)[1]
        (where / name).write_text(text)
        return ""

    def _sh(self, text: str, where: Path, *arguments: str) -> str:
        for shown, here in self.places.items():
            text = text.replace(shown, here)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=where,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=patient(120),
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}"
        return done.stdout

    def _sql(self, text: str, where: Path) -> str:
        return self._sh(f"psql -X -q -v ON_ERROR_STOP=1 <<'SQL'\n{text}SQL\n", where)

    def _console(self, text: str, where: Path) -> str:
        printed = ""
        for command, shown in re.findall(r"^\$ (.*\n)((?:(?!\$ ).*\n)*)", text, re.M):
            printed += wait_until(lambda: self._shown(command, shown, where), f"{command}shows\n{shown}", interval=0.3)
        return printed

    def _shown(self, command: str, shown: str, where: Path) -> str | None:
        """What it prints once that is what is shown: spaces apart, and `...` is anything."""
        printed = self._sh(command, where)
        pattern = re.sub(r"\\ +", r" +", re.escape(re.sub(" +", " ", shown))).replace(r"\.\.\.", ".*")
        return printed if re.fullmatch(pattern, printed, re.S) else None

    def pids(self) -> list[int]:
        file = self.directory / "workers"
        return [int(pid) for pid in file.read_text().split()] if file.exists() else []

    def stop(self) -> None:
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in self.pids()), "workers have ended")


@pytest.fixture
def typist(tmp_path, program, postgres, kafka):
    reader = Typist(tmp_path / "reader", program, postgres, kafka)
    yield reader
    reader.stop()


def drop_database(postgres, name: str, *roles: str) -> None:
    postgres.execute("select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = %s", (name,))
    postgres.execute(f"drop database {name} with (force)")
    for role in roles:
        postgres.execute(f"drop role if exists {role}")


@pytest.fixture
def shop(postgres, kafka, typist):
    """The database of the examples, with nothing in it. Whoever types `psql` is there."""
    postgres.execute("create database shop")
    typist.environment["PGDATABASE"] = "shop"
    yield postgres
    typist.stop()
    drop_database(postgres, "shop", "cdc_user", "shop_owner", "cdc")
    for topic in topic_names(kafka.bootstrap) & {"shop.orders", "users", "orders", "users.0"}:
        delete_topic(kafka.bootstrap, topic)


def values(kafka, topic: str) -> list[dict]:
    reader = TopicReader(kafka.bootstrap)
    try:
        return [json.loads(record.value) for record in reader.read(topic)]
    finally:
        reader.close()


def test_getting_started(typist, shop, kafka):
    typist.type(blocks_run_in(DOCS / "getting-started.md", "test_getting_started"))
    assert [value["operation"] for value in values(kafka, "shop.orders")] == ["INSERT", "UPDATE", "DELETE"]
    assert shop.execute("select count(*) from pg_replication_slots where database = 'shop'") == [(0,)]
    assert shop.execute("select count(*) from pg_publication", database="shop") == [(0,)]


def test_readme(typist, shop, kafka):
    """Its example: two tables, of which one is in another schema."""
    for statement in (
        "create role cdc login replication",
        "grant create on database shop to cdc",
        "create schema sales authorization cdc",
        "create table users (id serial primary key, name text, created_on timestamptz)",
        "alter table users owner to cdc",
        "create table sales.orders (id int primary key)",
        "alter table sales.orders owner to cdc",
    ):
        shop.execute(statement, database="shop")
    for topic in ("users", "orders"):
        create_topic(kafka.bootstrap, topic)
    secret = typist.directory / "secret"
    secret.write_text("secret\n")
    typist.environment["PQCDC_CDC_PASSWORD_FILE"] = str(secret)
    printed = typist.type(blocks_run_in(ROOT / "README.md", "test_readme"))
    assert '"state":"streaming"' in printed.replace(" ", "")
    shop.execute("insert into users (name) values ('Oyleli1')", database="shop")
    shop.execute("insert into sales.orders values (7)", database="shop")
    wait_until(lambda: values(kafka, "orders"), "a record")
    (record,) = values(kafka, "users")
    assert json.dumps(record, separators=(",", ":")) in (ROOT / "README.md").read_text()
    assert values(kafka, "orders") == [{"id": 7, "operation": "INSERT"}]


def test_build(typist):
    """In the tree that is built already: there is nothing left to do."""
    printed = typist.type(blocks_run_in(ROOT / "README.md", "test_build"), ROOT)
    assert "Usage: pqcdc" in printed
    packages = re.search(r"apt-get install (.*)", blocks_run_in(ROOT / "README.md", "test_build")[0].text)[1].split()
    needed = subprocess.run([LAB / "deps.sh", "--list", "build"], capture_output=True, text=True, check=True).stdout
    assert set(needed.split()) - {"libc6-dev", "libcmocka-dev"} == set(packages), "what the README installs"


def test_quickstart(typist):
    """It has servers of its own."""
    typist.environment = dict(os.environ)
    (block,) = blocks_run_in(DOCS / "getting-started.md", "test_quickstart")
    assert block.text == blocks_run_in(ROOT / "README.md", "test_quickstart")[0].text
    printed = typist.type([block], ROOT)
    assert all(f'"operation":"{operation}"' in printed for operation in ("INSERT", "UPDATE", "DELETE"))
    assert "everything was confirmed to PostgreSQL" in printed


def test_moving_from_the_ancestor(typist, shop, kafka):
    """The slot and the publication are those that the ancestor left, with a change that it did not see."""
    for statement in (
        "create role cdc_user login replication",
        "create table users (id serial primary key, name text not null, created_on timestamptz)",
        "alter table users owner to cdc_user; alter table users replica identity full",
        "create publication cdc_publication for table users with (publish = 'insert, update, delete')",
        "select pg_create_logical_replication_slot('cdc_slot', 'pgoutput')",
        "insert into users (name) values ('Oyleli1')",
    ):
        shop.execute(statement, database="shop")
    create_topic(kafka.bootstrap, "users.0")
    page = DOCS / "moving-from-go-pq-cdc-kafka.md"
    typist.type(blocks_run_in(page, "test_moving_from_the_ancestor"))
    wait_until(lambda: values(kafka, "users.0"), "what was written in between")
    shop.execute("update users set name = 'Oyleli2'; delete from users", database="shop")
    wait_until(lambda: len(values(kafka, "users.0")) == 3, "the three changes")
    assert [json.dumps(value, separators=(",", ":")) for value in values(kafka, "users.0")] == [
        '{"created_on":null,"id":1,"name":"Oyleli1","operation":"INSERT"}',
        '{"created_on":null,"id":1,"name":"Oyleli2","operation":"UPDATE"}',
        '{"created_on":null,"id":1,"name":"Oyleli2","operation":"DELETE"}',
    ]


def test_rights_of_the_kubernetes_example(typist, shop, kafka):
    """As a superuser: then the user may make the publication of a table that it does not own itself."""
    shop.execute("create role shop_owner")
    shop.execute("create table orders (id int primary key, what text); alter table orders owner to shop_owner", database="shop")
    typist.type(blocks_run_in(DOCS / "kubernetes.md", "test_rights_of_the_kubernetes_example"))
    create_topic(kafka.bootstrap, "shop.orders")
    example = blocks_run_in(DOCS / "getting-started.md", "test_getting_started")
    typist.type([block for block in example if block.language == "yaml" or "> password" in block.text])
    typist.type([Block(0, "sh", "pqcdc check --config pqcdc.yaml", None)])


def test_configurations_that_are_shown_are_accepted(program, tmp_path):
    """Those of other pages too, whose names are nobody's."""
    shown = [
        (page.name, block)
        for page in documents_of(ROOT)
        for block in blocks_of(page)
        if block.language == "yaml" and re.match(r"(# .*\n)*cdc:\n", block.text)
    ]
    assert {name for name, _ in shown} >= {"README.md", "configuration.md", "getting-started.md"}
    (tmp_path / "password").write_text("secret\n")
    for name, block in shown:
        if "secretRef" in block.text:  # a Connector's, which the charts' tests hold against its schema
            continue
        file = tmp_path / "pqcdc.yaml"
        file.write_text(re.sub(r"/run/secrets/[\w-]+", "password", block.text))
        done = subprocess.run([program, "config", "--config", file], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, f"{name}:{block.line}: {done.stderr}"
