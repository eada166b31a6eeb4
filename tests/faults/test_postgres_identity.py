"""Another server, timeline or past behind the same slot: the line goes on where it may, else it halts.

The worker knows two hosts and takes the one that is primary, as clients do at a failover.
"""

import re
import threading
from contextlib import closing

import pytest
from psycopg.errors import OperationalError

from lab.waiting import wait_until

HALTED = 69
# A standby made of a cold copy follows from its own WAL on, and nothing removes rows that the copied
# slot needs.
PRIMARY = "wal_keep_size = 1GB\nautovacuum = off"


def both(first, second) -> dict:
    """Both servers as hosts of one configuration."""
    return {"host": "127.0.0.1,127.0.0.1", "port": f"{first.port},{second.port}"}


def reached(server, lsn: str) -> bool:
    return server.execute("select %s::pg_lsn >= %s::pg_lsn", (server.wal_lsn(), lsn)) == [(True,)]


def catch_up(standby, primary) -> None:
    target = primary.wal_lsn()
    wait_until(lambda: reached(standby, target), f"the standby has replayed up to {target}")


def write(line, worker) -> None:
    """Some changes, all delivered and confirmed."""
    with line.writers():
        worker.wait_delivery()
    line.scenario.settle(worker)


def halt_of(worker, timeout: float = 30) -> dict:
    assert worker.wait_exit(timeout) == HALTED, worker.stderr()
    return worker.find_log("^halted$")


def number(lsn: str) -> int:
    high, low = lsn.split("/")
    return int(high, 16) << 32 | int(low, 16)


def names(said: dict, delivered: str) -> bool:
    """It says up to where it delivered: that position, or one to which an idle server went on."""
    found = re.findall(r"[0-9A-F]+/[0-9A-F]+", said["error"])
    return any(number(lsn) >= number(delivered) for lsn in found)


@pytest.fixture
def pair(own_postgres, scenario_on, line_on):
    """A line on a primary, and the primary's standby, which has the slot as well."""
    primary = own_postgres(conf=PRIMARY)
    line = line_on(scenario_on(primary))
    primary.stop()
    standby = own_postgres(standby_of=primary)
    primary.start()
    catch_up(standby, primary)
    return line, primary, standby


# Failover


def test_failover_to_a_standby_that_has_everything(pair, acquit, impact):
    line, primary, standby = pair
    worker = line.streaming(cdc=both(primary, standby))
    with line.writers():
        worker.wait_delivery(more=500)
        strike = impact.strike(worker, "failover")
        worker.freeze()
    catch_up(standby, primary)
    primary.stop("immediate")
    standby.promote()
    line.scenario.postgres = standby
    worker.thaw()
    with line.writers():
        strike.over(worker)
    line.scenario.settle(worker, timeout=60)
    impact.prove()
    acquit(line)
    assert standby.execute("select pg_walfile_name(pg_current_wal_lsn()) like '00000002%'") == [(True,)]


def test_failover_to_a_standby_that_lags(pair):
    """What was delivered is not in the new timeline: going on would tell another story."""
    line, primary, standby = pair
    worker = line.streaming(cdc=both(primary, standby))
    write(line, worker)
    standby.stop()
    write(line, worker)
    delivered = line.scenario.slot_row()["confirmed_flush_lsn"]
    primary.stop("immediate")
    standby.start()
    standby.promote()
    line.scenario.postgres = standby
    said = halt_of(worker)
    assert said["code"] == "diverged" and names(said, delivered)
    assert said["advice"]


def test_failover_to_a_standby_that_lagged_and_went_on(pair):
    """It has written past what was delivered: only the history of its timeline tells."""
    line, primary, standby = pair
    worker = line.streaming(cdc=both(primary, standby))
    write(line, worker)
    standby.stop()
    write(line, worker)
    delivered = line.scenario.slot_row()["confirmed_flush_lsn"]
    ends = line.reader_ends()
    worker.freeze()
    primary.stop("immediate")
    standby.start()
    standby.promote()
    line.scenario.postgres = standby
    while not reached(standby, delivered):
        line.scenario.execute("select pg_logical_emit_message(false, 'fill', repeat('x', 1000000))")
    worker.thaw()
    said = halt_of(worker)
    assert said["code"] == "diverged" and names(said, delivered)
    assert line.reader_ends() == ends, "nothing of the other story was told"


@pytest.fixture
def synchronized_pair(own_postgres, scenario_on, line_on):
    """A line on a primary of PostgreSQL 17, and a standby on which it keeps the line's slot as well: the
    primary lets no reader run ahead of that."""
    primary = own_postgres("17", PRIMARY + "\nsynchronized_standby_slots = 'standby'")
    primary.execute("select pg_create_physical_replication_slot('standby')")
    primary.stop()
    standby = own_postgres(
        standby_of=primary,
        conf=f"primary_conninfo = '{primary.dsn()}'\nprimary_slot_name = 'standby'\n"
        "sync_replication_slots = on\nhot_standby_feedback = on\n"
        "synchronized_standby_slots = ''",  # once it is primary it has no standby to wait for
    )
    # Not its own slot, which the copy has as well: nobody would ever read it.
    standby.execute("select pg_drop_replication_slot('standby')")
    primary.start()
    line = line_on(scenario_on(primary), ", false, false, true")
    synchronized = "select synced and not temporary from pg_replication_slots where slot_name = %s"
    wait_until(
        lambda: standby.execute(synchronized, (line.scenario.slot,)) == [(True,)],
        "the slot stands on the standby",
    )
    return line, primary, standby


def test_failover_with_a_synchronized_slot(synchronized_pair, acquit, impact):
    """Whatever was delivered is on the standby, though nobody waited for it."""
    line, primary, standby = synchronized_pair
    worker = line.streaming(cdc=both(primary, standby))
    with line.writers():
        worker.wait_delivery()
        strike = impact.strike(worker, "failover under load")
        primary.stop("immediate")
    standby.promote()
    line.scenario.postgres = standby
    with line.writers():
        strike.over(worker)
    line.scenario.settle(worker, timeout=60)
    impact.prove()
    acquit(line)


def test_former_leader_takes_over_again_after_a_failover(synchronized_pair, acquit, impact):
    """What another replica confirmed on the new timeline, beyond where that left the old one, is no reason
    to believe that the histories differ."""
    line, primary, standby = synchronized_pair
    first = line.streaming(cdc=both(primary, standby))
    second = line.start(cdc=both(primary, standby))
    second.wait_state("standby")
    write(line, first)
    first.freeze()  # so that it is the other one who takes over
    primary.stop("immediate")
    standby.promote()
    line.scenario.postgres = standby
    second.wait_streaming(60)
    write(line, second)
    first.thaw()
    first.wait_state("standby", 60)
    with line.writers():
        second.wait_delivery(more=500)
        strike = impact.strike(second, "kill -9 after a failover")
        second.kill()
        first.wait_streaming(60)
        strike.over(first)
    line.scenario.settle(first, timeout=60)
    acquit(line)
    impact.prove()
    assert first.find_log("^halted$") is None


# Another past, another server


def test_restored_to_an_earlier_state(own_postgres, scenario_on, line_on):
    server = own_postgres(conf=PRIMARY)
    line = line_on(scenario_on(server))
    worker = line.streaming()
    write(line, worker)
    server.stop()
    saved = server.save()
    server.start()
    worker.wait_streaming()
    write(line, worker)
    delivered = line.scenario.slot_row()["confirmed_flush_lsn"]
    server.stop()
    server.restore(saved)
    server.start()
    said = halt_of(worker)
    assert said["code"] == "diverged" and names(said, delivered)
    assert "restore" in said["advice"]


def test_another_server_in_its_place(own_postgres, scenario_on, line_on):
    """All names are there, even the slot's; the system identifier is another one."""
    first, second = own_postgres(), own_postgres()
    line = line_on(scenario_on(first))
    worker = line.streaming(cdc=both(first, second))
    write(line, worker)
    ends = line.reader_ends()
    second.execute(f"create database {line.scenario.database}")
    line.create(second)
    first.stop()
    line.scenario.postgres = second
    said = halt_of(worker)
    assert said["code"] == "other_server"
    for server in (first, second):
        assert system_identifier(server) in said["error"]
    assert line.reader_ends() == ends, "nothing of the other server was told"


def system_identifier(server) -> str:
    was_down = not runs(server)
    if was_down:
        server.start()
    (row,) = server.execute("select system_identifier from pg_control_system()")
    if was_down:
        server.stop()
    return str(row[0])


def runs(server) -> bool:
    try:
        server.execute("select 1")
    except OperationalError:
        return False
    return True


# Synchronous replication


@pytest.fixture
def waiting_for(own_postgres, scenario_on, line_on):
    """waiting_for(names) -> a line on a server whose commits wait for those standbys."""
    lines = []

    def make(names: str):
        line = line_on(scenario_on(own_postgres()))
        lines.append(line)
        set_names(line, names)
        return line

    yield make
    for line in lines:
        set_names(line, "")


def set_names(line, names: str) -> None:
    server = line.scenario.postgres
    with server.connect() as connection:
        connection.execute(f"alter system set synchronous_standby_names = '{names}'")
        connection.execute("select pg_reload_conf()")
    wait_until(
        lambda: server.execute("show synchronous_standby_names") == [(names,)], "the setting counts"
    )
    if names:
        wait_until(lambda: a_commit_waits(server), "commits wait")


def a_commit_waits(server) -> bool:
    """The setting counts once the checkpointer has read it too, which nobody can see."""
    with closing(server.connect()) as connection:
        probe = connection.pgconn
        probe.send_query(b"select pg_logical_emit_message(true, 'probe', '')")
        while probe.is_busy():
            if in_sync_rep(server, probe.backend_pid):
                probe.get_cancel().cancel()
                return True
            probe.consume_input()
        return False


def in_sync_rep(server, pid: int) -> bool:
    query = "select wait_event = 'SyncRep' from pg_stat_activity where pid = %s"
    return server.execute(query, (pid,)) == [(True,)]


class Commit:
    """A transaction in a session of its own, whose commit may have to wait."""

    def __init__(self, line, id_: int):
        self._line = line
        self._ids = [id_]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        wait_until(self.waits, "the commit waits")

    def _run(self) -> None:
        self._line.scenario.execute("select change_rows(%s)", (self._ids,))

    def waits(self) -> bool:
        return bool(self._line.scenario.execute("select 1 from pg_stat_activity where wait_event = 'SyncRep'"))

    def join(self) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive(), "the commit still waits"


def test_commit_that_waits_for_a_standby_is_delivered(waiting_for, acquit):
    """Its WAL is written, and that is what is read: the record may be there before the row is seen."""
    line = waiting_for("elsewhere")
    worker = line.streaming()
    commit = Commit(line, 1)
    line.scenario.settle(worker)
    assert line.verdicts().events == 1 and commit.waits()
    assert line.scenario.execute("select count(*) from t") == [(0,)], "nobody sees the row"
    set_names(line, "")
    commit.join()
    with line.writers():
        worker.wait_delivery()
    line.scenario.settle(worker)
    assert acquit(line).duplicates == 0


def test_worker_is_a_synchronous_standby_where_any_is(waiting_for, acquit):
    """With '*' our walsender counts: a commit returns when Kafka has it, and nothing locks up."""
    line = waiting_for("*")
    commit = Commit(line, 1)
    worker = line.streaming()
    commit.join()
    assert sync_state(line) == ("sync",)
    with line.writers():
        worker.wait_delivery()
    line.scenario.settle(worker)
    assert acquit(line).duplicates == 0


def sync_state(line) -> tuple:
    return line.scenario.execute(
        "select sync_state from pg_stat_replication where pid = %s",
        (line.scenario.slot_row()["active_pid"],),
    )[0]


def test_commits_wait_for_kafka_where_the_worker_is_the_standby(waiting_for, kafka, acquit, kafka_back):
    line = waiting_for("*")
    worker = line.streaming()
    Commit(line, 1).join()
    kafka.kill()
    commit = Commit(line, 2)
    worker.wait(lambda: worker.status()["in_flight_records"] > 0, "it cannot deliver")
    assert commit.waits()
    kafka.start()
    commit.join()
    line.scenario.settle(worker, timeout=60)
    assert acquit(line).duplicates == 0


def test_worker_makes_its_publication_and_slot_where_commits_wait(own_postgres, scenario_on, line_on):
    """Nobody but the worker could confirm the commit of its own CREATE PUBLICATION."""
    server = own_postgres()
    world = scenario_on(server)
    world.execute("create table users (id serial primary key, name text)")
    server.execute("alter system set synchronous_standby_names = '*'")
    server.execute("select pg_reload_conf()")
    wait_until(lambda: server.execute("show synchronous_standby_names") == [("*",)], "the setting counts")
    worker = world.streaming(world.config([{"name": "users", "replicaIdentity": "FULL"}]))
    world.execute("insert into users (name) values ('Ada')")
    world.settle(worker)
    assert [value["name"] for value in world.values()] == ["Ada"]
    server.execute("alter system reset synchronous_standby_names")
    server.execute("select pg_reload_conf()")
