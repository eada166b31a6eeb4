"""One test's own world on the session's servers: a database, a slot, a publication, topics."""

import copy
import json
from collections.abc import Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from lab.network import Network
from lab.servers import Kafka, KafkaCluster, Postgres
from lab.topics import Record, TopicReader, create_topic
from lab.waiting import wait_until
from lab.worker import Worker


def merge(base: dict, changes: dict) -> dict:
    """A deep copy of base with the changes laid over it; None takes an entry away."""
    merged = copy.deepcopy(base)
    for name, value in changes.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name] = merge(merged[name], value)
        else:
            merged[name] = copy.deepcopy(value)
    return merged


class Scenario:
    def __init__(
        self,
        name: str,
        postgres: Postgres,
        kafka: Kafka | KafkaCluster,
        program: Path,
        directory: Path,
        encoding: str = "UTF8",
    ):
        self.name = name
        self.postgres = postgres
        self.kafka = kafka
        self.program = program
        self.directory = directory
        self.database = self.slot = self.publication = name
        self.topic = f"{name}.events"
        self.reader = TopicReader(kafka.bootstrap)
        self.workers: list[Worker] = []
        postgres.execute(f"create database {name} encoding '{encoding}' locale 'C' template template0")
        create_topic(kafka.bootstrap, self.topic)

    def close(self) -> None:
        for worker in self.workers:
            worker.end()
        self.reader.close()
        wait_until(lambda: not self.slot_row().get("active"), f"slot {self.slot} is free")
        self.postgres.execute(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = %s",
            (self.database,),
        )
        self.postgres.execute(f"drop database {self.database} with (force)")
        for worker in self.workers:
            worker.check_sound()

    # PostgreSQL

    @property
    def dsn(self) -> str:
        return self.postgres.dsn(self.database)

    def connect(self, autocommit: bool = True) -> psycopg.Connection:
        return self.postgres.connect(self.database, autocommit)

    def execute(self, statement: str | sql.Composed, parameters: tuple = ()) -> list[tuple]:
        return self.postgres.execute(statement, parameters, self.database)

    def transaction(self, *statements: str) -> None:
        with self.connect(autocommit=False) as connection:
            for statement in statements:
                connection.execute(statement)

    def slot_row(self) -> dict:
        """The slot as pg_replication_slots shows it; {} when it is not there."""
        with self.postgres.connect() as connection:
            cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
            cursor.execute("select * from pg_replication_slots where slot_name = %s", (self.slot,))
            return cursor.fetchone() or {}

    # Kafka

    def create_topic(self, suffix: str, partitions: int = 1, **settings: str) -> str:
        name = f"{self.name}.{suffix}"
        create_topic(self.kafka.bootstrap, name, partitions, **settings)
        return name

    def records(self, topic: str | None = None) -> list[Record]:
        return self.reader.read(topic or self.topic)

    def values(self, topic: str | None = None) -> list[dict | None]:
        """The values as JSON; None is a tombstone."""
        return [None if r.value is None else json.loads(r.value) for r in self.records(topic)]

    # The worker

    def config(self, tables: Sequence[dict | str] = ("users",), **changes: dict) -> dict:
        """A configuration that creates what is missing; all tables go to one topic. The changes are
        sections: config(kafka={...}, format={...})."""
        entries = [{"name": table} if isinstance(table, str) else table for table in tables]
        base = {
            "cdc": {
                "host": self.postgres.host,
                "port": self.postgres.port,
                "username": "postgres",
                "database": self.database,
                "publication": {
                    "name": self.publication,
                    "createIfNotExists": True,
                    "tables": entries,
                },
                "slot": {
                    "name": self.slot,
                    "createIfNotExists": True,
                    "slotActivityCheckerInterval": 100,
                },
            },
            "kafka": {
                "brokers": self.kafka.bootstrap.split(","),
                "tableTopicMapping": {
                    f"{entry.get('schema', 'public')}.{entry['name']}": self.topic for entry in entries
                },
            },
        }
        return merge(base, changes)

    def worker(
        self,
        config: dict | None = None,
        arguments: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
        network: Network | None = None,
    ) -> Worker:
        """A worker that was started; the test need not end it."""
        directory = self.directory / f"worker-{len(self.workers) + 1}"
        worker = Worker(
            self.program, directory, config or self.config(), arguments, environment, prefix, network
        )
        self.workers.append(worker)
        return worker.start()

    def streaming(self, *arguments, **keywords) -> Worker:
        worker = self.worker(*arguments, **keywords)
        worker.wait_streaming()
        return worker

    def settle(self, worker: Worker, timeout: float = 30) -> None:
        """Waits until everything that is committed now is delivered and confirmed to the slot."""
        target = self.postgres.execute("select pg_current_wal_insert_lsn()")[0][0]

        def confirmed() -> bool:
            row = self.postgres.execute(
                "select confirmed_flush_lsn >= %s from pg_replication_slots where slot_name = %s",
                (target, self.slot),
            )
            return bool(row and row[0][0])

        worker.wait(confirmed, f"slot {self.slot} confirms {target}", timeout)
