"""What is published, and where it goes: partitions, chunks, schemas."""

import pytest

pytestmark = pytest.mark.versions


def need(postgres, version):
    if postgres.version < version:
        pytest.skip(f"PostgreSQL {version} and later")


def pairs(records):
    """(key, value) as text."""
    return [tuple(part and part.decode() for part in (r.key, r.value)) for r in records]


def topics_of(worker) -> dict[str, str | None]:
    return {table["table"]: table["topic"] for table in worker.status()["tables"]}


# A name that looks like a partition's, as the ancestor took it, says nothing, and neither does the order
# of schemas: that of the middle comes after that of the root. A part may have its columns in another order.
MEASURES = [
    "create table measures (id int, area int, note text, primary key (id, area)) partition by list (area)",
    "create table measures_1 (note text, area int not null, id int not null)",
    "alter table measures attach partition measures_1 for values in (1)",
    'create schema "the Parts"',
    'create table "the Parts"."of 2" partition of measures for values in (2, 3) partition by list (area)',
    'create table leaf partition of "the Parts"."of 2" for values in (2)',
    "create table measures_old (id int primary key)",
]


@pytest.mark.sanitize("address")
def test_partitions_go_to_their_parents_topic(scenario):
    """By the catalogs, whatever they are called, and also one that comes later."""
    for statement in MEASURES:
        scenario.execute(statement)
    middle = scenario.create_topic("middle")
    mapping = {"public.measures": scenario.topic, "the Parts.of 2": middle, "public.measures_old": middle}
    worker = scenario.streaming(
        scenario.config(["measures", "measures_old"], kafka={"tableTopicMapping": mapping})
    )
    scenario.execute("insert into measures values (1, 1, 'a'), (2, 2, 'b')")
    scenario.execute("create table measures_late partition of measures for values in (4)")
    scenario.execute("insert into measures values (4, 4, 'd')")
    scenario.execute("insert into measures_old values (9)")
    scenario.settle(worker)
    assert pairs(scenario.records()) == [
        ('{"area":1,"id":1}', '{"area":1,"id":1,"note":"a","operation":"INSERT"}'),
        ('{"area":4,"id":4}', '{"area":4,"id":4,"note":"d","operation":"INSERT"}'),
    ]
    assert pairs(scenario.records(middle)) == [
        ('{"area":2,"id":2}', '{"area":2,"id":2,"note":"b","operation":"INSERT"}'),
        ("9", '{"id":9,"operation":"INSERT"}'),
    ]
    assert topics_of(worker)["public.leaf"] == middle


def test_partitions_by_a_template(scenario):
    """It is given the name of the last parent; keyColumns of the parent are the parts' as well."""
    for statement in MEASURES:
        scenario.execute(statement)
    topic = scenario.create_topic("public.measures")
    table = {"name": "measures", "keyColumns": ["note"], "replicaIdentity": "FULL"}
    worker = scenario.streaming(
        scenario.config([table], kafka={"tableTopicMapping": None, "topicTemplate": "{database}.{schema}.{table}"})
    )
    scenario.execute("insert into measures values (1, 1, 'a'), (2, 2, 'b')")
    scenario.execute("update measures set area = 1 where id = 2")
    scenario.settle(worker)
    assert [(r.key, r.value.decode()) for r in scenario.records(topic)] == [
        (b"a", '{"area":1,"id":1,"note":"a","operation":"INSERT"}'),
        (b"b", '{"area":2,"id":2,"note":"b","operation":"INSERT"}'),
        (b"b", '{"area":2,"id":2,"note":"b","operation":"DELETE"}'),
        (b"b", '{"area":1,"id":2,"note":"b","operation":"INSERT"}'),
    ]


def test_partitioned_of_one_table_is_via_the_root(scenario):
    for statement in MEASURES:
        scenario.execute(statement)
    worker = scenario.streaming(scenario.config([{"name": "measures", "partitioned": True}]))
    scenario.execute("insert into measures values (2, 2, 'b')")
    scenario.settle(worker)
    assert topics_of(worker) == {"public.measures": scenario.topic}
    assert [value["id"] for value in scenario.values()] == [2]


# TimescaleDB itself is in no registry of packages: a schema with the same view takes its place.
TIMESCALE = [
    "create table conditions (at timestamptz not null, device int, primary key (at, device))",
    "create schema _timescaledb_internal",
    "create table _timescaledb_internal._hyper_1_1_chunk () inherits (conditions)",
    "alter table _timescaledb_internal._hyper_1_1_chunk add primary key (at, device)",
    "create table _timescaledb_internal.compress_hyper_2_2_chunk (body text primary key)",
    "create schema timescaledb_information",
    "create view timescaledb_information.chunks as select 'public'::name as hypertable_schema,"
    " 'conditions'::name as hypertable_name, '_timescaledb_internal'::name as chunk_schema,"
    " '_hyper_1_1_chunk'::name as chunk_name",
]


@pytest.mark.parametrize("enabled", [True, False])
def test_chunks_go_to_their_hypertables_topic(scenario, enabled):
    for statement in TIMESCALE:
        scenario.execute(statement)
    mapping = {"public.conditions": scenario.topic}
    worker = scenario.streaming(
        scenario.config(
            [],
            cdc={"extensionSupport": {"enableTimescaleDB": enabled}},
            kafka={"tableTopicMapping": mapping},
        )
    )
    scenario.execute("insert into _timescaledb_internal._hyper_1_1_chunk values ('2026-01-02 03:04:05Z', 7)")
    scenario.execute("insert into _timescaledb_internal.compress_hyper_2_2_chunk values ('packed')")
    scenario.settle(worker)
    row = ('{"at":"2026-01-02T03:04:05Z","device":7}', '{"at":"2026-01-02T03:04:05Z","device":7,"operation":"INSERT"}')
    assert pairs(scenario.records()) == ([row] if enabled else [])
    assert topics_of(worker)["_timescaledb_internal.compress_hyper_2_2_chunk"] is None


def test_timescaledb_that_is_not_there(scenario):
    scenario.execute("create table users (id int primary key)")
    template = {"tableTopicMapping": None, "topicTemplate": scenario.topic}
    support = {"extensionSupport": {"enableTimescaleDB": True}}
    worker = scenario.streaming(scenario.config(cdc=support, kafka=template))
    scenario.execute("insert into users values (1)")
    scenario.settle(worker)
    assert [value["id"] for value in scenario.values()] == [1]


def test_all_tables_of_schemas(scenario, postgres):
    """Whatever they are called, with those that come later, beside a table that is listed."""
    need(postgres, 15)
    for statement in (
        'create schema "Sch ""1"', 'create schema two', 'create schema three',
        'create table "Sch ""1"."*" (id int primary key)', "create table two.b (id int primary key)",
        "create table three.c (id int primary key)", "create table users (id int primary key)",
        "create table others (id int primary key)",
    ):  # fmt: skip
        scenario.execute(statement)
    schemas = {"publication": {"schemas": ['Sch "1', "two"]}}
    template = {"tableTopicMapping": None, "topicTemplate": scenario.topic}
    worker = scenario.streaming(scenario.config(cdc=schemas, kafka=template))
    scenario.execute('insert into "Sch ""1"."*" values (1)')
    scenario.execute("insert into two.b values (2)")
    scenario.execute("insert into three.c values (3)")
    scenario.execute("insert into users values (4)")
    scenario.execute("insert into others values (5)")
    scenario.execute("create table two.later (id int primary key)")
    scenario.execute("insert into two.later values (6)")
    scenario.execute("delete from two.b")
    scenario.settle(worker)
    assert [(value["id"], value["operation"]) for value in scenario.values()] == [
        (1, "INSERT"), (2, "INSERT"), (4, "INSERT"), (6, "INSERT"), (2, "DELETE"),
    ]  # fmt: skip
    assert worker.find_log("is not as configured") is None
    worker.terminate()
    worker = scenario.streaming(scenario.config(cdc={"publication": {"schemas": ["two", "three"]}}, kafka=template))
    drift = worker.find_log("is not as configured")
    assert 'does not publish all tables of schema "three"' in drift["msg"]
    assert drift["advice"].endswith('SET TABLE ONLY "public"."users", TABLES IN SCHEMA "two", "three";')
    scenario.execute(drift["advice"])
    scenario.execute("insert into three.c values (7)")
    scenario.settle(worker)
    assert scenario.values()[-1]["id"] == 7


def test_a_schema_that_is_not_there(scenario, postgres):
    config = scenario.config([], cdc={"publication": {"schemas": ["nowhere"]}}, kafka={"unmapped": "skip"})
    worker = scenario.worker(config)
    assert worker.wait_exit() == (69 if postgres.version >= 15 else 78)
    log = worker.last_log("schema")
    assert log["code"] == ("schema_missing" if postgres.version >= 15 else "schemas_need_15"), log


@pytest.fixture
def drifted(scenario):
    """Two tables, and a publication that is not as scenario.config() has it."""
    scenario.execute("create table users (id int primary key, note text)")
    scenario.execute("create table others (id int primary key)")
    scenario.execute(f"create publication {scenario.publication} for table others with (publish = 'insert')")
    return scenario


def test_a_publication_is_altered_where_that_is_asked_for(drifted):
    reconcile = {"publication": {"reconcile": True, "operations": ["INSERT", "UPDATE"]}}
    worker = drifted.streaming(drifted.config(cdc=reconcile))
    assert len(worker.find_logs(": altered")) == 2
    for statement in (
        "insert into users values (1, 'a')", "insert into others values (2)", "update users set note = 'b'",
        "delete from users",
    ):  # fmt: skip
        drifted.execute(statement)
    drifted.settle(worker)
    assert [(v["id"], v["operation"]) for v in drifted.values()] == [(1, "INSERT"), (1, "UPDATE")]
    drifted.execute(f"alter publication {drifted.publication} set (publish = 'insert')")
    log = worker.wait_log("the publication changed under the stream")
    assert log["change"] == "publishes other operations", "what the start altered is no news"
    worker.terminate()
    again = drifted.streaming(drifted.config(cdc=reconcile))
    assert len(again.find_logs(": altered")) == 1


def test_a_role_that_may_not_alter_it_says_so(drifted):
    name = f"{drifted.name}_role"
    drifted.execute(f"create role {name} login replication")
    try:
        cdc = {"username": name, "publication": {"reconcile": True}}
        mapping = {"tableTopicMapping": {"public.others": drifted.topic, "public.users": drifted.topic}}
        worker = drifted.streaming(drifted.config(cdc=cdc, kafka=mapping))
        said = worker.find_logs("the role may not alter it; let its owner run this")
        assert [log["level"] for log in said] == ["WARN", "WARN"]
        for log in said:
            drifted.execute(log["advice"])
        assert drifted.execute("select tablename from pg_publication_tables") == [("users",)]
        worker.end()
    finally:
        drifted.execute(f"drop role {name}")
