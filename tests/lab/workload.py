"""Writers whose committed changes are known: the truth that a topic is judged by.

Table `t` is published. A change of row `id` takes the next number of that id from `counter` (whose
row it locks, so the numbers of an id are in commit order) and is written down in `history`; neither
of them is published, both commit and roll back with the change. Transactions that are rolled back,
whole or to a savepoint, write ABORTED into the rows first: it must never be seen in a topic.

In an event a change is known by (operation, n): an insert or update by its new n, a delete by the n
of the row that it took away. Replica identity is FULL, so that a delete's event carries it.
"""

import hashlib
import random
import threading
from typing import NamedTuple

import psycopg

ABORTED = "ABORTED"

SCHEMA = """
create table t (id int primary key, n bigint not null, payload text not null);
alter table t replica identity full;
create table counter (id int primary key, n bigint not null default 0);
create table history (id int, number bigint, operation text, n bigint, primary key (id, number));

create function payload(id int, n bigint) returns text language sql immutable
    as $$ select repeat(md5(id || ':' || n), 2) $$;

-- Every seventh change of a row deletes it; the next one inserts it again.
create function change_rows(ids int[]) returns void language plpgsql as $$
begin
    perform from counter where id = any(ids) order by id for update;
    with bumped as (
        update counter set n = n + 1 where id = any(ids) returning id, n
    ), deleted as (
        delete from t using bumped b where t.id = b.id and b.n % 7 = 0
        returning t.id, b.n as number, 'DELETE', t.n
    ), updated as (
        update t set n = b.n, payload = payload(b.id, b.n) from bumped b
        where t.id = b.id and b.n % 7 <> 0
        returning t.id, t.n, 'UPDATE', t.n
    ), inserted as (
        insert into t select b.id, b.n, payload(b.id, b.n) from bumped b
        where not exists (select from t where t.id = b.id)
        returning t.id, t.n, 'INSERT', t.n
    )
    insert into history
        select * from deleted union all select * from updated union all select * from inserted;
end $$;

-- For transactions that are rolled back.
create function spoil_rows(ids int[]) returns void language plpgsql as $$
begin
    perform from counter where id = any(ids) order by id for update;
    update t set payload = 'ABORTED' where id = any(ids);
    delete from t where id = any(ids) and id % 5 = 0;
    insert into t select id, -1, 'ABORTED' from unnest(ids) id on conflict do nothing;
end $$;
"""


class Change(NamedTuple):
    operation: str
    n: int


class Row(NamedTuple):
    n: int
    payload: str


def expected_payload(id_: int, n: int) -> str:
    """What the SQL function payload() makes."""
    return hashlib.md5(f"{id_}:{n}".encode()).hexdigest() * 2


def create(connection: psycopg.Connection, ids: int) -> None:
    connection.execute(SCHEMA)
    connection.execute("insert into counter select g from generate_series(1, %s) g", (ids,))


def read_history(connection: psycopg.Connection) -> dict[int, list[Change]]:
    """Id -> its committed changes in commit order."""
    history: dict[int, list[Change]] = {}
    rows = connection.execute("select id, operation, n from history order by id, number")
    for id_, operation, n in rows:
        history.setdefault(id_, []).append(Change(operation, n))
    return history


def read_rows(connection: psycopg.Connection) -> dict[int, Row]:
    return {id_: Row(n, payload) for id_, n, payload in connection.execute("select id, n, payload from t")}


def change_range(connection: psycopg.Connection, first: int, last: int) -> None:
    """One statement that changes every row of a range: a large transaction in little time."""
    connection.execute(
        "select change_rows(array(select g from generate_series(%s::int, %s) g))", (first, last)
    )


class Writers:
    """Threads that write until they are stopped; stop() raises what one of them failed with."""

    def __init__(self, dsn: str, ids: int, threads: int = 2, largest: int = 200, pause: float = 0):
        """largest: rows of the largest transactions; pause: seconds between two transactions."""
        self._dsn = dsn
        self._ids = ids
        self._largest = largest
        self._pause = pause
        self._stop = threading.Event()
        self._errors: list[BaseException] = []
        self._transactions = [0] * threads
        self._threads = [
            threading.Thread(target=self._run, args=(number, random.Random(number)), daemon=True)
            for number in range(threads)
        ]

    def __enter__(self) -> "Writers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors.pop()

    @property
    def transactions(self) -> int:
        return sum(self._transactions)

    def _run(self, number: int, rng: random.Random) -> None:
        try:
            while not self._stop.is_set():
                self._session(number, rng)
        except BaseException as error:
            self._errors.append(error)

    def _session(self, number: int, rng: random.Random) -> None:
        """Writes until it is stopped or the server goes away: then the next session goes on."""
        try:
            with psycopg.connect(self._dsn) as connection:
                while not self._stop.is_set():
                    self._transaction(connection, rng)
                    self._transactions[number] += 1
                    self._stop.wait(self._pause)
        except psycopg.OperationalError:
            self._stop.wait(0.05)

    def _transaction(self, connection: psycopg.Connection, rng: random.Random) -> None:
        chance = rng.random()
        ids = self._pick(rng, self._largest if chance > 0.95 else rng.randint(1, 10))
        with connection.transaction(force_rollback=chance < 0.1):
            if chance < 0.2:
                with connection.transaction(force_rollback=chance > 0.1):
                    connection.execute("select spoil_rows(%s)", (ids,))
            if chance > 0.1:
                connection.execute("select change_rows(%s)", (ids,))
            if chance > 0.8:
                connection.execute("select change_rows(%s)", (ids[: len(ids) // 2],))

    def _pick(self, rng: random.Random, count: int) -> list[int]:
        return sorted(rng.sample(range(1, self._ids + 1), min(count, self._ids)))
