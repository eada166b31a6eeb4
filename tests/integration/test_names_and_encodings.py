"""Names that are hard to quote, databases that are not in UTF-8, and the most columns that a table can have."""

import json
import secrets
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

pytestmark = pytest.mark.versions

IDENTIFIER = sql.Identifier
CONTROLS = "".join(map(chr, range(1, 32)))
# Tables are written in YAML as well, which has no raw form of what only columns are named here.
NAMES = (
    "'",
    '"',
    "\\",
    "a\nb\tc",
    "%s$1{}",
    "ü€\U0001f600",
    "operation",
    "OPERATION",
    "select",
    " ",
    "a.b",
    "null",
    "ü" * 31 + "x",
    CONTROLS,
)
COLUMNS = (*NAMES, "\u2028", "\x7f\x80\x9f", "\ufeff\uffff", "x" * 63, "id", "Id")


@contextmanager
def hostile_database(scenario):
    """A database and a role whose names need quoting wherever they are written."""
    unique = secrets.token_hex(4)
    role, database = f"ro'le \" \\ {unique}", f"da'ta \" \\ = ü {unique}"
    with scenario.postgres.connect() as connection:
        connection.execute(sql.SQL("create role {} superuser login").format(IDENTIFIER(role)))
        connection.execute(sql.SQL("create database {} owner {}").format(IDENTIFIER(database), IDENTIFIER(role)))
        try:
            with psycopg.connect(scenario.postgres.dsn(), dbname=database, autocommit=True) as inside:
                yield role, database, inside
        finally:
            for worker in scenario.workers:
                worker.end()
            drop = "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = %s"
            connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (database,))
            connection.execute(drop, (database,))
            connection.execute(sql.SQL("drop database {} with (force)").format(IDENTIFIER(database)))
            connection.execute(sql.SQL("drop role {}").format(IDENTIFIER(role)))


def hostile_config(scenario, role: str, database: str, schema: str) -> dict:
    """Everything that is a name is one that needs quoting; every option that quotes one is there."""
    tables = [{"schema": schema, "name": name, "replicaIdentity": "FULL"} for name in NAMES]
    tables[0] |= {"keyColumns": ["\\", '"', "id"]}
    publication = {"name": 'pub "l\'ic\\a,tion', "tables": tables}
    return scenario.config(
        tables,
        cdc={"username": role, "database": database, "publication": publication},
        format={"headers": ["table"]},
    )


@pytest.mark.sanitize("address")
def test_names_that_need_quoting(scenario):
    schema = 'sch "e\'m\\a.'
    with hostile_database(scenario) as (role, database, connection):
        connection.execute(sql.SQL("create schema {}").format(IDENTIFIER(schema)))
        columns = sql.SQL(",").join(
            sql.SQL("{} int{}").format(IDENTIFIER(name), sql.SQL(" primary key" if name == "id" else "")) for name in COLUMNS
        )
        for table in NAMES:
            connection.execute(sql.SQL("create table {} ({})").format(IDENTIFIER(schema, table), columns))
        worker = scenario.streaming(hostile_config(scenario, role, database, schema))
        numbers = sql.SQL(",").join(map(sql.Literal, range(len(COLUMNS))))
        for table in NAMES:
            connection.execute(sql.SQL("insert into {} values ({})").format(IDENTIFIER(schema, table), numbers))
        connection.execute(sql.SQL("update {} set \"'\" = -1").format(IDENTIFIER(schema, NAMES[0])))
        scenario.settle(worker)
        checked = worker.command("check")
        records = scenario.records()
    expected = dict(zip(COLUMNS, range(len(COLUMNS)), strict=True)) | {"operation": "INSERT"}
    assert [record.headers["table"].decode() for record in records] == [f"{schema}.{name}" for name in (*NAMES, NAMES[0])]
    for record in records[:-1]:
        value = record.value.decode()
        assert json.loads(value) == expected
        assert value == json.dumps(json.loads(value), ensure_ascii=False, separators=(",", ":")), "nothing else is escaped"
        assert list(json.loads(value)) == sorted(expected, key=str.encode)
    assert json.loads(records[-1].value) == expected | {"'": -1, "operation": "UPDATE"}
    key = json.dumps({name: expected[name] for name in ("\\", '"', "id")}, separators=(",", ":"))
    assert [record.key.decode() for record in (records[0], records[1], records[-1])] == [key, str(expected["id"]), key]
    assert len(worker.find_logs('column "operation" is not in its records')) == len(NAMES)
    assert checked.returncode == 0, checked.stdout


# Encodings


def test_latin1_becomes_utf8(scenario_on, postgres):
    world = scenario_on(postgres, encoding="LATIN1")
    world.execute('create table "größe" ("schlüssel" text primary key, wert text)')
    mapping = {"public.größe": world.topic}
    worker = world.streaming(world.config(["größe"], kafka={"tableTopicMapping": mapping}))
    every = "".join(chr(code) for code in range(1, 0x100))
    world.execute('insert into "größe" values (%s, %s)', ("Straße", every))
    world.execute('update "größe" set wert = %s', ("£5 ½",))
    world.settle(worker)
    (first, second) = world.records()
    assert first.key.decode() == second.key.decode() == "Straße"
    assert first.value.decode() == json.dumps(
        {"operation": "INSERT", "schlüssel": "Straße", "wert": every},
        ensure_ascii=False,
        separators=(",", ":"),
    )
    assert json.loads(second.value)["wert"] == "£5 ½"


@pytest.mark.sanitize("address")
def test_bytes_that_are_no_utf8_do_not_stop_the_line(scenario_on, postgres):
    """A SQL_ASCII database holds any bytes, in names too: the record is JSON all the same, nothing is lost."""
    world = scenario_on(postgres, encoding="SQL_ASCII")
    every = bytes(range(1, 0x100))
    with psycopg.connect(world.dsn, autocommit=True, client_encoding="SQL_ASCII") as connection:
        connection.execute(b'create table items (id text primary key, note text, list text[], doc json, "\xff" int)')
        worker = world.streaming(world.config(["items"]))
        connection.execute(b"insert into items values ('1', 'before')")
        connection.execute(
            b"insert into items values"
            b" (E'k\xff', E'a\xfe\xffb \xc3\xa9\xe2\x82', array['\xff', '\xc3\xa9'], '\"\xff\"', 7)"
        )
        connection.execute("insert into items values ('2', convert_from(%b, 'SQL_ASCII'))", (every,))
        world.settle(worker)
    records = world.records()
    values = world.values()
    replaced = "\N{REPLACEMENT CHARACTER}"
    assert [record.key for record in records] == [b"1", b"k\xff", b"2"]
    assert values[1] == {
        "id": f"k{replaced}",
        "note": f"a{replaced * 2}b é{replaced * 2}",
        "list": [replaced, "é"],
        "doc": f'"{replaced}"',
        replaced: 7,
        "operation": "INSERT",
    }
    assert values[2]["note"] == every[:0x7F].decode() + replaced * 0x80
    assert worker.metrics()["pqcdc_stream_starts_total"] == 1


# Sizes


def test_table_of_1600_columns(scenario):
    names = [f"c{number:04}" for number in range(1600)]
    columns = ", ".join(f"{name} smallint" for name in names[1:])
    scenario.execute(f"create table wide ({names[0]} int primary key, {columns})")
    worker = scenario.streaming(scenario.config(["wide"]))
    rows = 20
    literals = ", ".join(f"{number}" for number in range(1, 1600))
    scenario.execute(f"insert into wide select i, {literals} from generate_series(1, {rows}) i")
    scenario.execute("update wide set c0001 = null, c1599 = -1 where c0000 = 1")
    scenario.settle(worker)
    values = scenario.values()
    expected = {name: number for number, name in enumerate(names)}
    assert values[:rows] == [{**expected, "c0000": i, "operation": "INSERT"} for i in range(1, rows + 1)]
    changed = {"c0000": 1, "c0001": None, "c1599": -1, "operation": "UPDATE"}
    assert values[rows:] == [{**expected, **changed}]
