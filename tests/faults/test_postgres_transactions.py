"""Transactions of every kind: what PostgreSQL commits arrives once, in its order, and nothing else."""

import json
import threading

import pytest

from lab.sanitizers import sanitizer_of
from lab.waiting import wait_until

ITEMS = "create table items (id int primary key, note text)"
# One statement that commits many transactions.
COMMITS = "do $$ begin for i in 1..{count} loop insert into {table} values (i); commit; end loop; end $$"


def ids(scenario) -> list[int]:
    return [int(record.key) for record in scenario.records()]


def values(scenario) -> list[str]:
    return [record.value.decode() for record in scenario.records()]


def insert(scenario, id_: int) -> None:
    scenario.execute("insert into items values (%s)", (id_,))


@pytest.fixture
def items(scenario):
    scenario.execute(ITEMS)
    return scenario


def test_prepared_transactions_arrive_when_they_are_committed(items):
    worker = items.streaming(items.config(["items"]))
    with items.connect() as connection:
        for id_, name in ((1, "kept"), (2, "dropped")):
            connection.execute("begin")
            connection.execute("insert into items values (%s)", (id_,))
            connection.execute(f"prepare transaction '{items.name}_{name}'")
        insert(items, 3)
        items.settle(worker)
        assert ids(items) == [3], "what is prepared is not committed"
        worker.kill()
        worker = items.streaming(items.config(["items"]))
        connection.execute(f"rollback prepared '{items.name}_dropped'")
        insert(items, 4)
        connection.execute(f"commit prepared '{items.name}_kept'")
    items.settle(worker)
    assert ids(items) == [3, 4, 1]


def test_changes_of_a_replication_origin_arrive(items):
    """Rows that a subscription applies are rows as well."""
    worker = items.streaming(items.config(["items"]))
    with items.connect(autocommit=False) as connection:
        connection.execute("select pg_replication_origin_create(%s)", (items.name,))
        connection.execute("select pg_replication_origin_session_setup(%s)", (items.name,))
        connection.commit()
        connection.execute("select pg_replication_origin_xact_setup('0/ABCDEF0', '2020-01-02')")
        connection.execute("insert into items values (1), (2)")
        connection.commit()
        connection.execute("select pg_replication_origin_session_reset()")
        connection.execute("select pg_replication_origin_drop(%s)", (items.name,))
    insert(items, 3)
    items.settle(worker)
    assert ids(items) == [1, 2, 3]


def test_logical_messages_are_passed_over(items):
    """Inside and outside of transactions, of committed and rolled back ones: the slot passes them."""
    message = "select pg_logical_emit_message({}, 'test', repeat('x', 500000))"
    worker = items.streaming(items.config(["items"]))
    with items.connect(autocommit=False) as connection:
        for id_ in (1, 2):
            connection.execute(message.format("true"))
            connection.execute("insert into items values (%s)", (id_,))
            connection.execute(message.format("false"))
        connection.commit()
        connection.execute(message.format("true"))
        connection.rollback()
    items.settle(worker)
    for _ in range(3):
        items.execute(message.format("false"))
        items.settle(worker)  # nothing but messages: the slot advances
    assert ids(items) == [1, 2]
    status = worker.status()
    assert not status["transaction_open"] and status["records_sent"] == 2


@pytest.mark.parametrize("major", [None, "14"])
def test_transactions_without_a_published_row(scenario_on, postgres, own_postgres, full, say, major):
    """PostgreSQL 14 sends their Begin and Commit, later ones say nothing: the slot advances."""
    count = 1_000_000 if full else 20_000
    world = scenario_on(own_postgres(major) if major else postgres)
    world.execute(ITEMS)
    world.execute("create table others (id int)")
    worker = world.streaming(world.config(["items"]))
    insert(world, 1)
    world.settle(worker)
    before, resident = worker.metrics()["pqcdc_transactions_total"], worker.resident_mb()
    world.execute(COMMITS.format(count=count, table="others"))
    world.settle(worker, timeout=300)
    told = worker.metrics()["pqcdc_transactions_total"] - before
    say(f"{count} empty transactions: {told:.0f} were sent; {worker.resident_mb() - resident:+.1f} MB")
    assert told >= count if world.postgres.version < 15 else told == 0
    if not sanitizer_of(world.program):  # which keeps what was freed
        assert worker.resident_mb() < resident + 32
    insert(world, 2)
    world.settle(worker)
    assert ids(world) == [1, 2]
    assert world.slot_row()["active"] and worker.metrics()["pqcdc_stream_starts_total"] == 1


def test_storm_of_subtransactions(items, full, say):
    """Every second one is rolled back, and every tenth of those that are released has one within."""
    count = 100_000 if full else 2_000
    worker = items.streaming(items.config(["items"]))
    items.execute(
        f"""do $$ begin
            for i in 1..{count} loop
                begin
                    insert into items values (i);
                    if i % 10 = 1 then
                        begin
                            insert into items values (-i);
                            raise exception 'inner';
                        exception when others then null; end;
                    end if;
                    if i % 2 = 0 then raise exception 'outer'; end if;
                exception when others then null; end;
            end loop;
        end $$"""
    )
    items.settle(worker, timeout=300)
    assert ids(items) == list(range(1, count + 1, 2))
    say(f"{count} subtransactions, half of them rolled back; peak {worker.resident_mb(peak=True):.0f} MB")


def test_schema_changes_within_a_transaction(items):
    """Rows before a change have the old shape, rows after it the new one; a rollback undoes both."""
    worker = items.streaming(items.config(["items"]))
    items.execute(
        """begin;
        insert into items values (1, 'a');
        alter table items add column n int default 7;
        insert into items values (2, 'b');
        savepoint s;
        alter table items drop column note;
        alter table items rename column n to lost;
        insert into items values (3, 0);
        rollback to s;
        insert into items values (4, 'd', 9);
        alter table items rename column note to remark;
        alter table items alter column n type text;
        update items set remark = 'changed' where id = 1;
        commit"""
    )
    items.execute(
        """begin;
        insert into items values (5, 'e', 'x');
        alter table items add column never int;
        insert into items values (6, 'f', 'x', 1);
        rollback"""
    )
    items.execute("insert into items values (7, 'g', 'y')")
    items.settle(worker)
    assert values(items) == [
        '{"id":1,"note":"a","operation":"INSERT"}',
        '{"id":2,"n":7,"note":"b","operation":"INSERT"}',
        '{"id":4,"n":9,"note":"d","operation":"INSERT"}',
        '{"id":1,"n":"7","operation":"UPDATE","remark":"changed"}',
        '{"id":7,"n":"y","operation":"INSERT","remark":"g"}',
    ]


def test_schema_changes_beside_open_transactions(items):
    """A transaction that began before a change and writes after it has the new shape."""
    worker = items.streaming(items.config(["items"]))
    with items.connect(autocommit=False) as connection:
        connection.execute("select pg_current_xact_id()")
        items.execute("alter table items add column n int default 7")
        connection.execute("insert into items values (1, 'a')")
        insert(items, 2)
        connection.commit()
    items.settle(worker)
    assert [json.loads(value) for value in values(items)] == [
        {"id": 2, "n": 7, "note": None, "operation": "INSERT"},
        {"id": 1, "n": 7, "note": "a", "operation": "INSERT"},
    ]


def test_transactions_that_interleave_with_schema_changes(items, full):
    """Writers go on while columns come and go: each row carries what its table had."""
    changes = 100 if full else 10
    worker = items.streaming(items.config(["items"]))
    done = threading.Event()
    written = [0]

    def write() -> None:
        with items.connect() as connection:
            while not done.is_set():
                connection.execute("insert into items (id, note) values (%s, 'x')", (written[0] + 1,))
                written[0] += 1

    def alter(what: str) -> None:
        items.execute(f"alter table items {what}")
        enough = written[0] + 2  # one of which began after the change
        wait_until(lambda: written[0] >= enough, f"rows are written after: {what}")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(changes):
            alter(f"add column c{number} int default {number}")
            if number > 0:
                alter(f"drop column c{number - 1}")
    finally:
        done.set()
        writer.join()
    items.settle(worker)
    rows = [json.loads(value) for value in values(items)]
    assert [row["id"] for row in rows] == list(range(1, len(rows) + 1))
    for row in rows:
        columns = {int(name[1:]): value for name, value in row.items() if name.startswith("c")}
        assert all(name == value for name, value in columns.items()) and len(columns) <= 2
        assert row["note"] == "x"
    shapes = {tuple(row) for row in rows}
    assert len(shapes) >= 2 * changes - 1, f"proved nothing: the writer met {len(shapes)} shapes"
