"""The other half of what decides, the slot: made slowly, held by a stranger, gone, of another past."""

import json
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest

from lab.waiting import wait_until

HALTED = 69
LOAD = {"largest": 200, "pause": 0.02}
LEASE_SECONDS = 4  # as brief has it


# Made slowly


@contextmanager
def older_transaction(line):
    """Open in PostgreSQL: a slot is not ready before it ends."""
    with line.scenario.connect(autocommit=False) as connection:
        connection.execute("create table older (id int)")
        yield connection.info.backend_pid


def drop_slot(line) -> None:
    wait_until(lambda: not line.scenario.slot_row().get("active"), "the slot is free")
    line.scenario.execute("select pg_drop_replication_slot(%s)", (line.scenario.slot,))


@pytest.mark.sanitize("thread")
def test_slot_creation_waits_long(line, crew, lease, acquit, brief):
    """For two lease durations: who waits holds the Lease, says for whom it waits, and nobody steals."""
    drop_slot(line)
    with lease.recorded() as history:
        with older_transaction(line) as pid:
            leader = crew.start(election=brief)
            said = leader.worker.wait_log("creating the slot waits")
            assert said["pid"] == pid
            other = crew.standby(election=brief)
            time.sleep(2 * LEASE_SECONDS)  # how long the transaction is open
            assert lease.phase == "starting" and leader.worker.status()["state"] == "starting"
            assert other.worker.status()["state"] == "standby"
            assert leader.worker.get("/livez")[0] == 200
        leader.worker.wait_streaming()
        assert "stalled" not in [change.phase for change in history.changes]
        with line.writers(**LOAD):
            leader.worker.wait_delivery(more=500)
        line.scenario.settle(leader.worker)
    assert len(history.holders) == 1
    assert acquit(line).duplicates == 0
    assert other.worker.status()["lease"]["terms"] == 0


def test_who_creates_the_slot_is_killed(line, crew, lease, acquit, brief):
    """PostgreSQL goes on creating for the dead one; whoever leads next makes a slot of its own."""
    drop_slot(line)
    with older_transaction(line):
        leader = crew.start(election=brief)
        leader.worker.wait_log("creating the slot waits")
        other = crew.standby(election=brief)
        leader.worker.kill()
        time.sleep(LEASE_SECONDS + 1)  # how long the transaction is open still
        assert other.worker.status()["state"] != "streaming"
    other.worker.wait_streaming()
    with line.writers(**LOAD):
        other.worker.wait_delivery(more=500)
    line.scenario.settle(other.worker)
    assert acquit(line).duplicates == 0
    assert lease.holder == other.worker.status()["lease"]["identity"]


# PostgreSQL


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_postgresql_restarts(line, crew, postgres, postgres_back, acquit, impact, mode):
    """While one streams and others wait: one streams afterwards, and the others can still take over."""
    crew.pair()
    crew.standby()
    leader = crew.wait_one_streams()
    with line.writers(**LOAD):
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, f"PostgreSQL restarts ({mode})")
        postgres.stop(mode)
        for replica in crew.replicas:
            replica.worker.wait(lambda: replica.worker.get("/status")[0] == 503, "it misses PostgreSQL")
            assert replica.worker.get("/livez")[0] == 200
        postgres.start()
        leader = crew.wait_one_streams()
        strike.over(leader.worker)
        strike = impact.strike(leader.worker, "kill -9 afterwards")
        leader.worker.kill()
        crew.replicas.remove(leader)
        leader = crew.wait_one_streams()
        strike.over(leader.worker)
    line.scenario.settle(leader.worker)
    impact.prove(2)
    acquit(line)
    assert strike.recovery < 7, "the slot told it"


# A stranger


@contextmanager
def stranger(line):
    """A pg_recvlogical that reads the slot, and confirms nothing."""
    command = [
        *("pg_recvlogical", "-d", line.scenario.dsn, "-S", line.scenario.slot, "--start", "-f", "/dev/null"),
        *("-o", "proto_version=1", "-o", f"publication_names={line.scenario.publication}"),
        *("--no-loop", "-F", "3600", "-s", "3600"),
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: line.scenario.slot_row()["active"], "it reads the slot")
        yield line.scenario.slot_row()["active_pid"]
    finally:
        process.kill()  # at its leave it would confirm
        process.wait()


def test_stranger_holds_the_slot(line, crew, lease, acquit, brief):
    """Who leads waits, and says who has it; nobody takes the Lease from it because of that."""
    with lease.recorded() as history:
        with stranger(line) as pid:
            leader = crew.start(election=brief)
            said = leader.worker.wait_log("slot_busy")
            assert f"{pid} (pg_recvlogical)" in said["error"]
            leader.worker.wait(lambda: lease.holder, "it leads")
            other = crew.standby(election=brief)
            time.sleep(LEASE_SECONDS + 1)  # how long the slot is held
            for replica in (leader, other):
                status = replica.worker.status()
                assert status["state"] == "standby" and status["slot"]["activePID"] == pid
                assert replica.worker.get("/readyz")[0] == 200
            assert leader.worker.status()["lease"]["leads"] and lease.phase == "starting"
        leader.worker.wait_streaming()
        with line.writers(**LOAD):
            leader.worker.wait_delivery(more=500)
        line.scenario.settle(leader.worker)
    assert len(history.holders) == 1
    assert acquit(line).duplicates == 0


def test_stranger_snatches_the_slot(line, crew, lease, acquit, impact, brief):
    """In a moment in which the leader has lost it: it is the leader still, and waits."""
    leader, other = crew.pair(election=brief)
    with line.writers(**LOAD), lease.recorded() as history:
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, "a stranger snatches the slot")
        # Nobody of ours sees the slot free.
        for replica in (leader, other):
            replica.worker.signal(signal.SIGSTOP)
            replica.worker.wait_frozen()
        line.scenario.execute(
            "select pg_terminate_backend(active_pid, 10000) from pg_replication_slots where slot_name = %s",
            (line.scenario.slot,),
        )
        with stranger(line) as pid:
            for replica in (leader, other):
                replica.worker.signal(signal.SIGCONT)
            leader.worker.wait_log(f"{pid} \\(pg_recvlogical\\)")
            time.sleep(LEASE_SECONDS + 1)  # how long it has the slot
            assert leader.worker.status()["lease"]["leads"]
            assert other.worker.status()["state"] == "standby"
        strike.over(crew.wait_one_streams().worker)
    leader = crew.wait_one_streams()
    line.scenario.settle(leader.worker)
    impact.prove()
    acquit(line)
    # Once the stranger has left the slot is free, and says `streaming`: whoever is faster.
    assert len(history.holders) <= 2


# Gone


def halt_of(replica) -> dict:
    assert replica.worker.wait_exit() == HALTED, replica.worker.stderr()
    return replica.worker.find_log("^halted$")


def vanish(line, *replicas) -> None:
    """The slot goes while it is read, so that nobody is asked."""
    for replica in replicas:
        replica.worker.signal(signal.SIGSTOP)
        replica.worker.wait_frozen()
    line.scenario.execute(
        "select pg_terminate_backend(active_pid, 10000) from pg_replication_slots where slot_name = %s",
        (line.scenario.slot,),
    )
    drop_slot(line)
    for replica in replicas:
        replica.worker.signal(signal.SIGCONT)


def slot_command(line, replica, *arguments: str) -> subprocess.CompletedProcess:
    """By the configuration of one that has a kubeconfig."""
    return subprocess.run(
        [str(line.scenario.program), "slot", *arguments, "--config", str(replica.worker.config_file)],
        capture_output=True,
        text=True,
        timeout=30,
    )


def create_slot(line, replica, *arguments: str) -> subprocess.CompletedProcess:
    """As the advice says."""
    return slot_command(line, replica, "create", *arguments)


def drop_all(line, replica) -> subprocess.CompletedProcess:
    """As the Job of a Connector that is deleted does it."""
    return slot_command(line, replica, "drop", "--with-publication")


def begin_anew(line) -> None:
    """What was written while there was no slot is lost, as was accepted."""
    line.scenario.execute("truncate history, t")


def test_slot_vanished(line, crew, lease, impact, acquit):
    """It is never made anew, by none of them, nor by one that has never seen it; until a person does."""
    leader, other = crew.pair(in_cluster=False)
    with line.writers(**LOAD):
        leader.worker.wait_delivery(more=500)
        impact.strike(leader.worker, "the slot vanishes")
        vanish(line, leader, other)
        said = [halt_of(leader), halt_of(other)]
    stranger_to_it = crew.start(in_cluster=False)
    said.append(halt_of(stranger_to_it))
    impact.prove()
    for one in said:
        assert one["code"] == "slot_lost" and line.scenario.slot in one["error"]
        assert one["advice"].count("--accept-gap") == 1 and "pqcdc.io/source" in one["advice"]
    assert line.scenario.slot_row() == {}
    assert lease.holder == "", "who cannot work gives the Lease back"
    verdicts = line.verdicts()
    assert verdicts.ordered and not verdicts.foreign, str(verdicts)

    refused = create_slot(line, leader)
    assert refused.returncode != 0 and "--accept-gap" in refused.stderr
    made = create_slot(line, leader, "--accept-gap")
    assert made.returncode == 0, made.stderr
    assert "pqcdc.io/source" not in lease.read()["metadata"].get("annotations", {})
    begin_anew(line)
    leader.worker.start()
    leader.worker.wait_streaming()
    other.worker.start()
    crew.wait_standby(other)
    with line.writers(**LOAD):
        leader.worker.wait_delivery(more=500)
    line.scenario.settle(leader.worker)
    assert not line.verdicts().missing


def remembered(lease) -> dict | None:
    note = lease.read()["metadata"].get("annotations", {}).get("pqcdc.io/source")
    return note and json.loads(note)


def test_slot_is_dropped_and_forgotten(line, crew, lease):
    leader = crew.leader(in_cluster=False)
    refused = drop_all(line, leader)
    assert refused.returncode != 0 and "is active" in refused.stderr, "it is read"
    assert line.scenario.slot_row() and remembered(lease)
    assert leader.worker.terminate() == 0
    for _ in range(2):
        dropped = drop_all(line, leader)
        assert dropped.returncode == 0, dropped.stderr
        assert line.scenario.slot_row() == {} and remembered(lease) is None


def test_slot_of_that_name_on_another_server_is_not_dropped(line, crew, lease):
    """cdc.host was changed: what is there belongs to somebody else."""
    leader = crew.leader(in_cluster=False)
    assert leader.worker.terminate() == 0
    note = remembered(lease)
    here = note["systemId"]
    lease.annotate(source=json.dumps(note | {"systemId": "7"}))
    refused = drop_all(line, leader)
    assert refused.returncode == HALTED, refused.stderr
    assert f"has system identifier {here}" in refused.stderr and "the one with 7" in refused.stderr
    assert line.scenario.slot_row() and remembered(lease)["systemId"] == "7"
    lease.annotate(source=json.dumps(note))
    dropped = drop_all(line, leader)
    assert dropped.returncode == 0, dropped.stderr
    assert line.scenario.slot_row() == {}


def test_slot_that_nobody_of_ours_has_read_is_not_dropped(line, crew, lease):
    """The server may have another name, by which somebody else reads that slot."""
    leader = crew.leader(in_cluster=False)
    assert leader.worker.terminate() == 0
    lease.annotate(source=None)
    refused = drop_all(line, leader)
    assert refused.returncode == HALTED, refused.stderr
    assert "does not remember" in refused.stderr and "pqcdc slot drop" in refused.stderr
    assert line.scenario.slot_row()
    line.scenario.execute("select pg_drop_replication_slot(%s)", (line.scenario.slot,))
    assert drop_all(line, leader).returncode == 0, "it is gone"


def test_slot_vanished_and_everybody_waits(line, crew, lease, impact, acquit):
    """With onHalt: wait nobody ends, nobody keeps the Lease, and nobody need be restarted."""
    leader, other = crew.pair(in_cluster=False, cdc={"onHalt": "wait"})
    with line.writers(**LOAD):
        leader.worker.wait_delivery(more=500)
        impact.strike(leader.worker, "the slot vanishes, onHalt: wait")
        vanish(line, leader, other)
        for replica in (leader, other):
            replica.worker.wait_log("slot_lost")
    impact.prove()
    for replica in (leader, other):
        replica.worker.wait(lambda: "slot_lost" in replica.worker.get("/readyz")[1], "it says so")
        assert replica.worker.get("/livez")[0] == 200
    wait_until(lambda: lease.holder == "", "nobody keeps it")
    assert line.scenario.slot_row() == {}
    made = create_slot(line, leader, "--accept-gap")
    assert made.returncode == 0, made.stderr
    begin_anew(line)
    leader = crew.wait_one_streams(timeout=120)
    with line.writers(**LOAD):
        leader.worker.wait_delivery(more=500)
    line.scenario.settle(leader.worker)
    assert not line.verdicts().missing


# Of another past, of another server


@pytest.fixture
def own_line(own_postgres, scenario_on, line_on):
    return line_on(scenario_on(own_postgres(conf="wal_keep_size = 1GB\nautovacuum = off")))


def write(line, replica) -> None:
    with line.writers(**LOAD):
        replica.worker.wait_delivery(more=500)
    line.scenario.settle(replica.worker)


def refused_by_all(crew, api, lease, code: str) -> None:
    """By those that run, and by one that has never seen the server; until the advice is followed."""
    runs = list(crew.replicas)
    said = [halt_of(replica) for replica in runs]
    said.append(halt_of(crew.start()))
    for one in said:
        assert one["code"] == code, one
        assert one["advice"].count("restart the worker") == 1, "it is said once"
        command = one["advice"].rpartition(": ")[2]
        assert command.startswith("kubectl annotate lease ") and command.endswith(" pqcdc.io/source-")
    assert lease.holder == ""
    api.kubectl(*command.split()[1:])


def test_server_was_set_back(own_line, crew_on, api, lease):
    line, crew = own_line, crew_on(own_line)
    server = line.scenario.postgres
    leader, _ = crew.pair()
    write(line, leader)
    server.stop()
    saved = server.save()
    server.start()
    leader = crew.wait_one_streams()
    write(line, leader)
    ends = line.reader_ends()
    server.stop()
    server.restore(saved)
    server.start()
    refused_by_all(crew, api, lease, "diverged")
    assert line.reader_ends() == ends, "nothing of the other story was told"
    leader.worker.start()
    leader.worker.wait_streaming()


def test_another_server_in_its_place(own_line, own_postgres, crew_on, api, lease):
    """All names are there, and the address is the same; the system identifier is another one."""
    line, crew = own_line, crew_on(own_line)
    first, second = line.scenario.postgres, own_postgres()
    leader, _ = crew.pair()
    write(line, leader)
    ends = line.reader_ends()
    second.execute(f"create database {line.scenario.database}")
    line.create(second)
    second.stop()
    saved = second.save()
    first.stop()
    first.restore(saved)
    first.configure(f"port = {first.port}\nunix_socket_directories = '{first.state}/run'")
    first.start()
    refused_by_all(crew, api, lease, "other_server")
    assert line.reader_ends() == ends, "nothing of the other server was told"
    leader.worker.start()
    leader.worker.wait_streaming()


# Halted for a reason of its own


def test_halted_leader_gives_the_lease_to_one_that_can_work(line, crew, lease, acquit, impact):
    """With onHalt: wait it stays, says why, and is no candidate meanwhile."""
    line.scenario.execute("create table more (id serial primary key)")
    more = line.scenario.create_topic("more")
    leader = crew.leader(cdc={"onHalt": "wait"})
    other = crew.standby(cdc={"onHalt": "wait"}, kafka={"tableTopicMapping": {"public.more": more}})
    with line.writers(**LOAD), lease.recorded() as history:
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, "a table that the leader cannot route")
        line.scenario.execute(f"alter publication {line.scenario.publication} add table more")
        line.scenario.execute("insert into more default values")
        other.worker.wait_streaming()
        strike.over(other.worker)
        leader.worker.wait(lambda: "topic_unmapped" in leader.worker.get("/readyz")[1], "it says why")
        assert leader.worker.get("/livez")[0] == 200
        with crew.undisturbed(other):
            tries = len([one for one in leader.worker.logs() if one["msg"] == "halted"])
            leader.worker.wait_state("standby")
            other.worker.wait_delivery(more=500)
    line.scenario.settle(other.worker)
    impact.prove()
    acquit(line)
    assert tries == 1
    assert len(line.scenario.records(more)) == 1
    left = [change for change in history.changes if change.holder == ""]
    assert len(left) == 1 and len(history.holders) == 2
