"""From SQL to records: what arrives in the topic, byte by byte."""

import json
import re

import pytest
from psycopg import sql

pytestmark = pytest.mark.versions

USERS = "create table users (id serial primary key, name text not null, created_on timestamptz)"


@pytest.fixture
def flow(scenario):
    """flow(tables, statements, before=..., **config) -> the records of the scenario's topic."""

    def run(tables, statements, before=(), **changes):
        for statement in before:
            scenario.execute(statement)
        worker = scenario.streaming(scenario.config(tables, **changes))
        for statement in statements:
            scenario.execute(statement)
        scenario.settle(worker)
        return scenario.records()

    return run


def pairs(records):
    """(key, value) as text; None stays None."""
    return [tuple(part and part.decode() for part in (r.key, r.value)) for r in records]


def need(postgres, version):
    if postgres.version < version:
        pytest.skip(f"PostgreSQL {version} and later")


@pytest.mark.sanitize
def test_published_example(flow):
    records = flow(
        [{"name": "users", "replicaIdentity": "FULL"}],
        [
            "insert into users (name) select 'Oyleli' || i from generate_series(1, 3) i",
            "update users set created_on = '2026-01-02 03:04:05.25+00' where id = 1",
            "delete from users where id = 2",
        ],
        before=[USERS],
    )
    assert pairs(records) == [
        ("1", '{"created_on":null,"id":1,"name":"Oyleli1","operation":"INSERT"}'),
        ("2", '{"created_on":null,"id":2,"name":"Oyleli2","operation":"INSERT"}'),
        ("3", '{"created_on":null,"id":3,"name":"Oyleli3","operation":"INSERT"}'),
        ("1", '{"created_on":"2026-01-02T03:04:05.25Z","id":1,"name":"Oyleli1","operation":"UPDATE"}'),
        ("2", '{"created_on":null,"id":2,"name":"Oyleli2","operation":"DELETE"}'),
    ]
    assert all(record.headers == {} for record in records)


IDENTITIES = {
    "DEFAULT": ("1", '{"id":1,"operation":"DELETE"}'),
    "FULL": ("1", '{"code":"a","id":1,"note":"changed","operation":"DELETE"}'),
    "USING INDEX": ("a", '{"code":"a","operation":"DELETE"}'),
}


@pytest.mark.parametrize("identity", IDENTITIES)
def test_identity(flow, scenario, identity):
    table = {"name": "items", "replicaIdentity": identity}
    if identity == "USING INDEX":
        table["replicaIdentityIndex"] = "items_code"
    key, deleted = IDENTITIES[identity]
    records = flow(
        [table],
        [
            "insert into items values (1, 'a', 'first')",
            "update items set note = 'changed' where id = 1",
            "delete from items where id = 1",
        ],
        before=[
            "create table items (id int primary key, code text not null, note text)",
            "create unique index items_code on items (code)",
        ],
    )
    assert pairs(records) == [
        (key, '{"code":"a","id":1,"note":"first","operation":"INSERT"}'),
        (key, '{"code":"a","id":1,"note":"changed","operation":"UPDATE"}'),
        (key, deleted),
    ]
    letter = scenario.execute("select relreplident from pg_class where relname = 'items'")[0][0]
    assert letter == {"DEFAULT": "d", "FULL": "f", "USING INDEX": "i"}[identity]


def test_identity_nothing_publishes_inserts(flow):
    records = flow(
        [{"name": "items", "replicaIdentity": "NOTHING"}],
        [
            "insert into items values (1, 'a')",
            "update items set note = 'b'",
            "delete from items",
        ],
        before=["create table items (id int primary key, note text)"],
        cdc={"publication": {"operations": ["INSERT"]}},
    )
    assert pairs(records) == [("1", '{"id":1,"note":"a","operation":"INSERT"}')]


def test_table_without_key_has_null_keys(flow):
    records = flow(
        [{"name": "notes", "replicaIdentity": "FULL"}],
        ["insert into notes values ('a')", "delete from notes"],
        before=["create table notes (note text)"],
    )
    assert pairs(records) == [
        (None, '{"note":"a","operation":"INSERT"}'),
        (None, '{"note":"a","operation":"DELETE"}'),
    ]


@pytest.mark.sanitize("address")
def test_key_change_is_delete_and_insert_with_tombstones(flow):
    records = flow(
        ["items"],
        [
            "insert into items values (1, 'a')",
            "update items set id = 2 where id = 1",
            "delete from items where id = 2",
        ],
        before=["create table items (id int primary key, note text)"],
        format={"tombstones": True},
    )
    assert pairs(records) == [
        ("1", '{"id":1,"note":"a","operation":"INSERT"}'),
        ("1", '{"id":1,"operation":"DELETE"}'),
        ("1", None),
        ("2", '{"id":2,"note":"a","operation":"INSERT"}'),
        ("2", '{"id":2,"operation":"DELETE"}'),
        ("2", None),
    ]


def test_composite_key_is_an_object(flow):
    records = flow(
        ["stock"],
        ["insert into stock values (1, 'x\"y', 5)", "delete from stock"],
        before=["create table stock (place int, code text, n int, primary key (place, code))"],
    )
    assert pairs(records) == [
        ('{"code":"x\\"y","place":1}', '{"code":"x\\"y","n":5,"operation":"INSERT","place":1}'),
        ('{"code":"x\\"y","place":1}', '{"code":"x\\"y","operation":"DELETE","place":1}'),
    ]


def test_configured_key_columns_keep_their_order(flow):
    records = flow(
        [{"name": "stock", "replicaIdentity": "FULL", "keyColumns": ["n", "code"]}],
        ["insert into stock values (1, 'x', 5)"],
        before=["create table stock (place int primary key, code text, n int)"],
    )
    assert [record.key for record in records] == [b'{"n":5,"code":"x"}']


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL"])
def test_unchanged_toast(flow, identity):
    body = "".join(chr(33 + i * i % 90) for i in range(10000)).replace('"', "'").replace("\\", "/")
    records = flow(
        [{"name": "documents", "replicaIdentity": identity}],
        [
            sql.SQL("insert into documents values (1, 1, {})").format(sql.Literal(body)),
            "update documents set n = 2",
            "update documents set body = null",
        ],
        before=[
            "create table documents (id int primary key, n int, body text)",
            "alter table documents alter body set storage external",
        ],
    )
    values = [json.loads(record.value) for record in records]
    changed = {"id": 1, "n": 2, "operation": "UPDATE"}
    assert values == [
        {"id": 1, "n": 1, "body": body, "operation": "INSERT"},
        # Absent, never null; with the old row at hand it is known.
        changed if identity == "DEFAULT" else {**changed, "body": body},
        {**changed, "body": None},
    ]


@pytest.mark.sanitize("address")
def test_schema_changes_in_mid_stream(flow):
    records = flow(
        ["items"],
        [
            "insert into items values (1, 'a')",
            "alter table items add column n int default 7",
            "insert into items values (2, 'b')",
            "begin; insert into items values (3, 'c'); alter table items rename note to remark; "
            "insert into items values (4, 'd', 9); commit",
            "alter table items alter n type text",
            "insert into items values (5, 'e', 'many')",
            "alter table items drop column remark",
            "insert into items values (6, 'few')",
        ],
        before=["create table items (id int primary key, note text)"],
    )
    assert [record.value.decode() for record in records] == [
        '{"id":1,"note":"a","operation":"INSERT"}',
        '{"id":2,"n":7,"note":"b","operation":"INSERT"}',
        '{"id":3,"n":7,"note":"c","operation":"INSERT"}',
        '{"id":4,"n":9,"operation":"INSERT","remark":"d"}',
        '{"id":5,"n":"many","operation":"INSERT","remark":"e"}',
        '{"id":6,"n":"few","operation":"INSERT"}',
    ]


def test_table_made_anew_under_its_name(flow):
    records = flow(
        [],
        [
            "insert into items values (1)",
            "drop table items",
            "create table items (name text primary key)",
            "insert into items values ('x')",
        ],
        before=["create table items (id int primary key)"],
        kafka={"tableTopicMapping": None, "topicTemplate": "{database}.events"},
    )
    assert pairs(records) == [
        ("1", '{"id":1,"operation":"INSERT"}'),
        ("x", '{"name":"x","operation":"INSERT"}'),
    ]


PARTITIONED = [
    "create table measures (id int, area int, primary key (id, area)) partition by list (area)",
    "create table measures_1 partition of measures for values in (1)",
    "create table measures_2 partition of measures for values in (2)",
]
MOVED = [
    "insert into measures values (1, 1), (2, 2)",
    "update measures set area = 2 where id = 1",
]


def test_partitions_as_themselves(flow, scenario):
    second = scenario.create_topic("second")
    mapping = {"public.measures_1": scenario.topic, "public.measures_2": second}
    first = flow(["measures"], MOVED, before=PARTITIONED, kafka={"tableTopicMapping": mapping})
    assert pairs(first) == [
        ('{"area":1,"id":1}', '{"area":1,"id":1,"operation":"INSERT"}'),
        ('{"area":1,"id":1}', '{"area":1,"id":1,"operation":"DELETE"}'),
    ]
    assert pairs(scenario.records(second)) == [
        ('{"area":2,"id":2}', '{"area":2,"id":2,"operation":"INSERT"}'),
        ('{"area":2,"id":1}', '{"area":2,"id":1,"operation":"INSERT"}'),
    ]


def test_partitions_as_their_root(flow):
    records = flow(
        ["measures"],
        MOVED,
        before=PARTITIONED,
        cdc={"publication": {"viaPartitionRoot": True}},
    )
    assert [record.value.decode() for record in records] == [
        '{"area":1,"id":1,"operation":"INSERT"}',
        '{"area":2,"id":2,"operation":"INSERT"}',
        '{"area":1,"id":1,"operation":"DELETE"}',
        '{"area":2,"id":1,"operation":"INSERT"}',
    ]


def test_column_list(flow, postgres):
    need(postgres, 15)
    records = flow(
        [{"name": "users", "columns": ["id", "name"]}],
        ["insert into users (name) values ('Ada')", "update users set created_on = now()"],
        before=[USERS],
    )
    assert pairs(records) == [
        ("1", '{"id":1,"name":"Ada","operation":"INSERT"}'),
        ("1", '{"id":1,"name":"Ada","operation":"UPDATE"}'),
    ]


def test_row_filter(flow, scenario, postgres):
    need(postgres, 15)
    records = flow(
        [{"name": "items", "replicaIdentity": "FULL"}],
        [
            "insert into items values (1, 10), (2, 1)",
            "update items set n = 20 where id = 1",
            "update items set n = 30 where id = 2",
            "update items set n = 2 where id = 1",
        ],
        before=[
            "create table items (id int primary key, n int)",
            "alter table items replica identity full",
            f"create publication {scenario.publication} for table items where (n > 5)",
        ],
    )
    assert [record.value.decode() for record in records] == [
        '{"id":1,"n":10,"operation":"INSERT"}',
        '{"id":1,"n":20,"operation":"UPDATE"}',
        '{"id":2,"n":30,"operation":"INSERT"}',
        '{"id":1,"n":20,"operation":"DELETE"}',
    ]


@pytest.mark.parametrize("on", [True, False])
def test_truncate(flow, on):
    records = flow(
        ["items", "others"],
        ["insert into items values (1)", "truncate items, others", "insert into items values (2)"],
        before=["create table items (id int primary key)", "create table others (id int primary key)"],
        format={"truncate": on},
    )
    truncated = [(None, '{"operation":"TRUNCATE"}')] * 2 if on else []
    assert pairs(records) == [
        ("1", '{"id":1,"operation":"INSERT"}'),
        *truncated,
        ("2", '{"id":2,"operation":"INSERT"}'),
    ]


def test_logical_messages_are_no_records(flow):
    records = flow(
        ["items"],
        [
            "select pg_logical_emit_message(false, 'test', 'outside')",
            "begin; select pg_logical_emit_message(true, 'test', 'inside'); "
            "insert into items values (1); commit",
        ],
        before=["create table items (id int primary key)"],
    )
    assert pairs(records) == [("1", '{"id":1,"operation":"INSERT"}')]


def test_published_operations_are_a_choice(flow):
    records = flow(
        ["items"],
        ["insert into items values (1)", "update items set n = 1", "delete from items"],
        before=["create table items (id int primary key, n int)"],
        cdc={"publication": {"operations": ["UPDATE"]}},
    )
    assert pairs(records) == [("1", '{"id":1,"n":1,"operation":"UPDATE"}')]


def test_headers(flow, scenario):
    with scenario.connect(autocommit=False) as connection:
        connection.execute(USERS)
    records = flow(
        ["users"],
        [
            "create table told (xid bigint)",
            "begin; insert into told select pg_current_xact_id()::text::bigint; "
            "insert into users (name) values ('a'), ('b'); commit",
            "delete from users where id = 1",
        ],
        format={"headers": ["pos", "lsn", "xid", "commit_ts", "table", "operation"]},
    )
    assert len(records) == 3
    headers = [{name: value.decode() for name, value in r.headers.items()} for r in records]
    assert [h["operation"] for h in headers] == ["INSERT", "INSERT", "DELETE"]
    assert {h["table"] for h in headers} == {"public.users"}
    xid = scenario.execute("select xid from told")[0][0]
    assert [h["xid"] == str(xid) for h in headers] == [True, True, False]
    positions = [tuple(map(int, h["pos"].split("/"))) for h in headers]
    assert positions == sorted(set(positions)), "positions rise"
    assert positions[0][0] == positions[1][0] < positions[2][0]
    for header, (commit_lsn, _) in zip(headers, positions):
        high, low = header["lsn"].split("/")
        assert int(high, 16) << 32 | int(low, 16) == commit_lsn
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", header["commit_ts"])


@pytest.mark.sanitize("address")
def test_hostile_names(flow, scenario):
    schema, table = 'Sch"ema é', "Ta'ble \"x\" ü"
    columns = ["Na\"me", "ünï\\", "select", "Id"]
    scenario.publication = 'Publi"cation Ä'
    name = sql.Identifier(schema, table)
    listed = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(c)) for c in columns)
    records = flow(
        [{"schema": schema, "name": table, "keyColumns": ["Id"], "replicaIdentity": "FULL"}],
        [
            sql.SQL("insert into {} values ('q\"', E'b\\\\', E'n\\n', 'kéy')").format(name),
            sql.SQL("delete from {}").format(name),
        ],
        before=[
            sql.SQL("create schema {}").format(sql.Identifier(schema)),
            sql.SQL("create table {} ({})").format(name, listed),
        ],
    )
    row = {'Na"me': 'q"', "ünï\\": "b\\", "select": "n\n", "Id": "kéy"}
    assert [record.key.decode() for record in records] == ["kéy", "kéy"]
    assert [json.loads(record.value) for record in records] == [
        {**row, "operation": "INSERT"},
        {**row, "operation": "DELETE"},
    ]
    names = list(json.loads(records[0].value))
    assert names == sorted(names, key=str.encode)


# type, literal, JSON
VALUES = [
    ("boolean", "true", "true"),
    ("smallint", "-32768", "-32768"),
    ("integer", "2147483647", "2147483647"),
    ("bigint", "-9223372036854775808", "-9223372036854775808"),
    ("real", "3.4028235e38", "3.4028235e+38"),
    ("double precision", "0.1", "0.1"),
    ("double precision", "'NaN'", '"NaN"'),
    ("double precision", "'-Infinity'", '"-Infinity"'),
    ("numeric", "12345678901234567890.123456789000", "12345678901234567890.123456789000"),
    ("numeric", "'NaN'", '"NaN"'),
    ("text", "E'tab\\t quote\" back\\\\ \\x01 <&>'", '"tab\\t quote\\" back\\\\ \\u0001 <&>"'),
    ("text", "'ünï 😀'", '"ünï 😀"'),
    ("text", "''", '""'),
    ("text", "null", "null"),
    ("varchar(5)", "'v'", '"v"'),
    ("char(4)", "'ab'", '"ab  "'),
    ("bytea", "'\\x00ff10'", '"AP8Q"'),
    ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"'),
    ("date", "'2024-02-29'", '"2024-02-29T00:00:00Z"'),
    ("date", "'infinity'", '"infinity"'),
    ("date", "'0044-03-15 BC'", '"0044-03-15 BC"'),
    ("time", "'23:59:59.5'", '"23:59:59.5"'),
    ("timestamp", "'2024-02-29 12:34:56.120000'", '"2024-02-29T12:34:56.12Z"'),
    ("timestamptz", "'2024-02-29 12:34:56+05:30'", '"2024-02-29T07:04:56Z"'),
    ("interval", "'1 year 2 mons 3 days 04:05:06'", '"1 year 2 mons 3 days 04:05:06"'),
    ("json", '\'{"b": 1.50, "a": [1, null]}\'', '{"b": 1.50, "a": [1, null]}'),
    ("jsonb", '\'{"b": 1.50, "a": "x"}\'', '{"a": "x", "b": 1.50}'),
    ("inet", "'10.0.0.1'", '"10.0.0.1/32"'),
    ("cidr", "'192.168.1.0/24'", '"192.168.1.0/24"'),
    ("macaddr", "'08:00:2b:01:02:03'", '"08:00:2b:01:02:03"'),
    ("bit(3)", "B'101'", '"101"'),
    ("integer[]", "'{{1,2},{3,null}}'", "[[1,2],[3,null]]"),
    ("text[]", "'{a,\"b,c\",null,\"q\\\"\"}'", '["a","b,c",null,"q\\""]'),
    ("integer[]", "'{}'", "[]"),
    ("int4range", "'[1,5)'", '"[1,5)"'),
    ("point", "'(1.5,-2)'", '"(1.5,-2)"'),
    ("mood", "'glad'", '"glad"'),
    ("pair", "'(1,x)'", '"(1,x)"'),
    ("positive", "5", '"5"'),
    ("xml", "'<a/>'", '"<a/>"'),
    ("pg_lsn", "'16/B374D848'", '"16/B374D848"'),
    ("tsvector", "'a b'", "\"'a' 'b'\""),
]


@pytest.mark.sanitize("address")
def test_torture_row_of_types(flow):
    names = [f"c{number:02}" for number in range(len(VALUES))]
    columns = ", ".join(f"{name} {type_}" for name, (type_, _, _) in zip(names, VALUES))
    literals = ", ".join(literal for _, literal, _ in VALUES)
    records = flow(
        ["torture"],
        [f"insert into torture values (1, {literals})"],
        before=[
            "create type mood as enum ('sad', 'glad')",
            "create type pair as (a int, b text)",
            "create domain positive as int check (value > 0)",
            f"create table torture (id int primary key, {columns})",
        ],
    )
    (record,) = records
    json.loads(record.value)
    parts = re.split(r'[{,]"(c\d\d|id)":', record.value.decode())
    written = dict(zip(parts[1::2], parts[2::2]))
    for name, (type_, literal, value) in zip(names, VALUES):
        assert (type_, literal, written[name]) == (type_, literal, value)
    assert parts[0] == "" and written["id"] == '1,"operation":"INSERT"}'


def test_rolled_back_changes_leave_no_trace(flow):
    records = flow(
        ["items"],
        [
            "begin; insert into items values (1); rollback",
            "begin; insert into items values (2); savepoint s; insert into items values (3); "
            "rollback to s; insert into items values (4); commit",
        ],
        before=["create table items (id int primary key)"],
    )
    assert [record.key for record in records] == [b"2", b"4"]


def test_transactions_arrive_in_commit_order(scenario):
    scenario.execute("create table items (id int primary key)")
    worker = scenario.streaming(scenario.config(["items"]))
    with scenario.connect(autocommit=False) as first, scenario.connect(autocommit=False) as second:
        first.execute("insert into items values (1)")
        second.execute("insert into items values (2)")
        first.execute("insert into items values (3)")
        second.commit()
        first.commit()
    scenario.settle(worker)
    assert [record.key for record in scenario.records()] == [b"2", b"1", b"3"]


def test_large_transaction_arrives_whole_and_in_order(flow):
    rows = 100_000
    records = flow(
        ["items"],
        [f"insert into items select i, repeat('x', 50) from generate_series(1, {rows}) i"],
        before=["create table items (id int primary key, note text)"],
    )
    assert [int(record.key) for record in records] == list(range(1, rows + 1))


def test_all_tables_with_template_and_skipping(flow, scenario):
    other = scenario.create_topic("others")
    records = flow(
        [],
        [
            "insert into items values (1)",
            "insert into unmapped values (1)",
            "create table later (id int primary key)",
            "insert into later values (1)",
            "insert into others values (2)",
        ],
        before=[
            "create table items (id int primary key)",
            "create table others (id int primary key)",
            "create table unmapped (id int primary key)",
        ],
        kafka={"tableTopicMapping": {"public.items": scenario.topic, "others": other}},
    )
    assert pairs(records) == [("1", '{"id":1,"operation":"INSERT"}')]
    assert pairs(scenario.records(other)) == [("2", '{"id":2,"operation":"INSERT"}')]
    skipped = scenario.workers[0].find_log("has no topic")
    assert skipped is not None and skipped["level"] == "WARN"
    assert scenario.workers[0].metrics()["pqcdc_skipped_changes_total"] == 2


@pytest.mark.sanitize("thread")
def test_restart_goes_on_where_it_stopped(scenario):
    scenario.execute(USERS)
    for number in range(1, 4):
        worker = scenario.streaming()
        scenario.execute(f"insert into users (name) values ('while {number} runs')")
        scenario.settle(worker)
        assert worker.terminate() == 0
        scenario.execute(f"insert into users (name) values ('after {number}')")
    worker = scenario.streaming()
    scenario.settle(worker)
    assert [int(record.key) for record in scenario.records()] == [1, 2, 3, 4, 5, 6]


@pytest.mark.sanitize("thread")
def test_sink_stdout_needs_no_kafka(scenario):
    scenario.execute(USERS)
    config = scenario.config(kafka={"brokers": ["127.0.0.1:1"]})
    worker = scenario.streaming(config, ["--sink", "stdout"])
    scenario.execute("insert into users (name) values ('Ada')")
    scenario.settle(worker)
    assert json.loads(worker.stdout()) == {
        "topic": scenario.topic,
        "key": "1",
        "value": '{"created_on":null,"id":1,"name":"Ada","operation":"INSERT"}',
        "headers": {},
    }
    assert scenario.records() == []


def test_a_publication_of_its_own_making_is_no_change(scenario):
    """Although the watcher has seen it come, and has looked again, before the stream begins: the creation of the
    slot waits for a transaction."""
    scenario.execute(USERS)

    def last_look():
        looks = "query like '%pg_catalog.pg_publication AS p%' and pid <> pg_backend_pid()"
        return scenario.execute(f"select max(query_start) from pg_stat_activity where {looks}")

    with scenario.connect(autocommit=False) as open_transaction:
        open_transaction.execute("select pg_current_xact_id()")
        worker = scenario.worker()
        publications = "select 1 from pg_publication where pubname = %s"
        worker.wait(lambda: scenario.execute(publications, (scenario.publication,)), "the publication is there")
        for _ in range(3):
            before = last_look()
            worker.wait(lambda before=before: last_look() not in (before, [(None,)]), "the watcher looks")
    worker.wait_streaming()
    scenario.execute("insert into users (name) values ('one')")
    scenario.settle(worker)
    assert worker.find_log("^the publication changed under the stream$") is None
