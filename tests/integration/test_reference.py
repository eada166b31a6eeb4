"""The worker and the reference of tests/lab/reference.py read the same random changes: they must agree on every
record, byte for byte. The seed is printed; PQCDC_SEED chooses it."""

import json
import os
import random
from collections.abc import Sequence

import psycopg
import pytest
from psycopg import sql

from lab.record import copy_data, parse_lsn
from lab.reference import SESSION, Record, Reference

pytestmark = pytest.mark.versions

LETTERS = "aZ09 _-'\"\\/<>&{},;:[]\t\n\r\b\x01\x7fäß€😀\u2028NULL"


def text(rng: random.Random, longest: int = 20) -> str:
    return "".join(rng.choice(LETTERS) for _ in range(rng.randint(0, longest)))


def real(rng: random.Random, powers: int) -> str:
    special = ("NaN", "Infinity", "-Infinity", "0", "-0", "1e-6", "1e-7", "1e20", "1e21", "123456789012345678")
    drawn = f"{rng.uniform(-10, 10)!r}e{rng.randint(-powers, powers)}"
    return rng.choice(special) if rng.random() < 0.3 else drawn


def numeric(rng: random.Random) -> str:
    digits = "".join(rng.choices("0123456789", k=rng.randint(1, 40)))
    return rng.choice(["", "-"]) + digits + "." + "".join(rng.choices("0123456789", k=rng.randint(1, 20)))


def moment(rng: random.Random) -> str:
    special = ("infinity", "-infinity", "0044-03-15 00:00:00 BC", "12345-01-01 00:00:00", "1999-12-31 23:59:59.5")
    drawn = f"{rng.randint(1000, 9999)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02} "
    drawn += f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}.{rng.randint(0, 999999):06}"
    return rng.choice(special) if rng.random() < 0.2 else drawn


def document(rng: random.Random) -> str:
    draw = {text(rng): rng.choice([None, 1.5, [text(rng)], {"x": -0.0}]) for _ in range(rng.randint(0, 3))}
    return json.dumps(draw, indent=rng.choice([None, 1])).replace("\\u0000", "")


def elements(draw):
    def literal(rng: random.Random) -> str:
        if rng.random() < 0.1:
            return "{}"
        quoted = ['"' + draw(rng).replace("\\", "\\\\").replace('"', '\\"') + '"' for _ in range(4)]
        quoted[rng.randrange(4)] = "NULL"
        flat = ",".join(quoted[: rng.randint(1, 4)])
        return rng.choice([f"{{{flat}}}", f"{{{{{flat}}},{{{flat}}}}}", f"[-1:{len(flat.split()) - 2}]={{{quoted[0]}}}"][:2])

    return literal


def whole(rng: random.Random, bits: int) -> str:
    return str(rng.randint(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))


TYPES = {
    "boolean": lambda rng: rng.choice(["t", "f"]),
    "smallint": lambda rng: whole(rng, 16),
    "integer": lambda rng: whole(rng, 32),
    "bigint": lambda rng: whole(rng, 64),
    "oid": lambda rng: str(rng.randrange(2**32)),
    "real": lambda rng: real(rng, 30),
    "double precision": lambda rng: real(rng, 290),
    "numeric": numeric,
    "numeric(12,3)": lambda rng: f"{rng.uniform(-1e8, 1e8):.3f}",
    "text": text,
    "varchar(40)": text,
    "char(30)": text,
    "bytea": lambda rng: "\\x" + rng.randbytes(rng.randint(0, 9)).hex(),
    "date": lambda rng: moment(rng).split(" ")[0] if rng.random() < 0.9 else "0044-03-15 BC",
    "time": lambda rng: f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.uniform(0, 59):09.6f}",
    "timestamp": moment,
    "timestamptz": moment,
    "interval": lambda rng: f"{rng.randint(-99, 99)} mons {rng.randint(-99, 99)} days {rng.randint(-9999, 9999)} s",
    "uuid": lambda rng: rng.randbytes(16).hex(),
    "json": document,
    "jsonb": document,
    "inet": lambda rng: rng.choice(["10.0.0.1", "10.0.0.0/8", "2001:db8::1", "2001:db8::1/64"]),
    "int4range": lambda rng: f"[{rng.randint(0, 9)},{rng.randint(10, 99)})",
    "mood": lambda rng: rng.choice(["sad", "happy, or \"so\""]),
    "integer[]": elements(lambda rng: whole(rng, 32)),
    "text[]": elements(text),
    "double precision[]": elements(lambda rng: real(rng, 290)),
    "timestamptz[]": elements(moment),
    "bytea[]": elements(lambda rng: "\\x" + rng.randbytes(3).hex()),
    "jsonb[]": elements(document),
}
KEY_TYPES = ("integer", "bigint", "text", "uuid")


class Table:
    """Columns by name; the key's come first."""

    def __init__(self, rng: random.Random, number: int):
        self.rng = rng
        self.name = rng.choice(["t", 'T"b', "täble "]) + str(number)
        self.key = [f"k{at} {text(rng, 3)}" for at in range(rng.choice([1, 1, 2, 3]))]
        self.columns = {name: rng.choice(KEY_TYPES) for name in self.key}
        for at in range(rng.randint(1, 12)):
            self.columns[f"{text(rng, 6)}{at}"] = rng.choice(list(TYPES))
        if rng.random() < 0.3:
            self.columns["operation"] = "text"
        self.columns["large"] = "text"
        self.full = rng.random() < 0.5
        self.rows: list[tuple[str, ...]] = []

    @property
    def id(self) -> sql.Identifier:
        return sql.Identifier("public", self.name)

    def create(self, connection: psycopg.Connection) -> None:
        columns = [sql.SQL("{} {}").format(sql.Identifier(n), sql.SQL(t)) for n, t in self.columns.items()]
        key = sql.SQL(",").join(map(sql.Identifier, self.key))
        connection.execute(
            sql.SQL("create table {} ({}, primary key ({}))").format(self.id, sql.SQL(",").join(columns), key)
        )
        connection.execute(sql.SQL("alter table {} alter large set storage external").format(self.id))
        if self.full:
            connection.execute(sql.SQL("alter table {} replica identity full").format(self.id))

    def draw(self, name: str) -> str | None:
        if name == "large":
            return text(self.rng, 5) * 1000 if self.rng.random() < 0.3 else "small"
        if name not in self.key and self.rng.random() < 0.15:
            return None
        return TYPES[self.columns[name]](self.rng)

    def assignment(self, name: str) -> sql.Composed:
        return sql.SQL("{} = {}::{}").format(
            sql.Identifier(name), sql.Literal(self.draw(name)), sql.SQL(self.columns[name])
        )

    def insert(self) -> sql.Composed:
        values = [
            sql.SQL("{}::{}").format(sql.Literal(self.draw(n)), sql.SQL(t)) for n, t in self.columns.items()
        ]
        names = sql.SQL(",").join(map(sql.Identifier, self.columns))
        return sql.SQL("insert into {} ({}) values ({}) on conflict do nothing").format(
            self.id, names, sql.SQL(",").join(values)
        )

    def some_row(self) -> sql.Composed:
        # ctid, so that every column may be anything.
        return sql.SQL("where ctid = (select ctid from {} offset {} limit 1)").format(
            self.id, sql.Literal(self.rng.randrange(3))
        )

    def update(self) -> sql.Composed:
        names: Sequence[str] = [n for n in self.columns if n not in self.key]
        names = self.rng.sample(list(names), self.rng.randint(1, min(3, len(names))))
        if self.rng.random() < 0.3:
            names.append(self.rng.choice(self.key))
        changes = sql.SQL(",").join(map(self.assignment, names))
        return sql.SQL("update {} set {} {}").format(self.id, changes, self.some_row())

    def delete(self) -> sql.Composed:
        return sql.SQL("delete from {} {}").format(self.id, self.some_row())

    def alter(self) -> sql.Composed:
        name, kind = f"new{len(self.columns)}", self.rng.choice(list(TYPES))
        self.columns[name] = kind
        return sql.SQL("alter table {} add column {} {}").format(self.id, sql.Identifier(name), sql.SQL(kind))

    def change(self) -> sql.Composed:
        chance = self.rng.random()
        if chance < 0.55:
            return self.insert()
        if chance < 0.8:
            return self.update()
        if chance < 0.96:
            return self.delete()
        return self.alter() if chance < 0.98 else sql.SQL("truncate {}").format(self.id)


def write(connection: psycopg.Connection, tables: list[Table], rng: random.Random, transactions: int) -> None:
    """Transactions of random changes, some rolled back to a savepoint; each statement works or is undone."""
    for _ in range(transactions):
        with connection.transaction():
            for _ in range(rng.randint(1, 12)):
                table = rng.choice(tables)
                columns = dict(table.columns)
                keep = rng.random() > 0.1
                try:
                    with connection.transaction(force_rollback=not keep):
                        connection.execute(table.change())
                except (psycopg.errors.UniqueViolation, psycopg.errors.ProgramLimitExceeded):
                    keep = False
                if not keep:
                    table.columns = columns


def told(worker) -> list[Record]:
    # Of bytes: those of text end at U+2028 as well.
    return [Record(**json.loads(line)) for line in worker.stdout().splitlines()]


def test_worker_and_reference_agree(scenario, full, say):
    seed = int(os.environ.get("PQCDC_SEED", random.randrange(2**32)))
    say(f"seed {seed} (PQCDC_SEED={seed} runs it again)")
    rng = random.Random(seed)
    tables = [Table(rng, number) for number in range(4)]
    names = sql.SQL(",").join(table.id for table in tables)
    with scenario.connect() as connection:
        connection.execute("create type mood as enum ('sad', 'happy, or \"so\"')")
        for table in tables:
            table.create(connection)
        connection.execute(
            sql.SQL("create publication {} for table {}").format(sql.Identifier(scenario.publication), names)
        )
        for slot in (scenario.slot, f"{scenario.slot}_reference"):
            connection.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", (slot,))
        write(connection, tables, rng, 2000 if full else 150)
    entries = [{"name": table.name, "replicaIdentity": "FULL" if table.full else "DEFAULT"} for table in tables]
    config = scenario.config(
        entries,
        kafka={"brokers": ["127.0.0.1:1"], "tableTopicMapping": None, "topicTemplate": "events"},
        format={"headers": ["pos", "xid", "table", "operation"], "tombstones": True, "truncate": True},
    )
    worker = scenario.streaming(config, ["--sink", "stdout"])
    scenario.settle(worker, timeout=60)
    assert worker.terminate() == 0
    until = parse_lsn(scenario.execute("select pg_current_wal_insert_lsn()")[0][0])
    keys = {("public", table.name): table.key for table in tables if table.full}
    stream = copy_data(
        f"{scenario.dsn} options='{SESSION}' client_encoding=UTF8",
        f"{scenario.slot}_reference",
        scenario.publication,
        until,
    )
    expected = list(Reference("events", keys).read(stream))
    records = told(worker)
    for number, (ours, theirs) in enumerate(zip(records, expected, strict=False)):
        assert ours == theirs, f"seed {seed}, record {number}"
    assert len(records) == len(expected), f"seed {seed}"
    say(f"{len(records)} records of {len(tables)} tables are equal")
    assert len(records) > 200, f"proved nothing: seed {seed} makes {len(records)} records"
