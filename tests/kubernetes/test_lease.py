"""The Lease itself is deleted, edited, stolen or filled with nonsense, by whoever may."""

import time

import pytest

from lab.kubernetes import micro_time
from lab.waiting import wait_until

LOAD = {"largest": 200, "pause": 0.02}
AT_ONCE = 7
PAST, FUTURE = micro_time(0), "2999-12-31T23:59:59.000000Z"


def wait_renewals(lease, count: int) -> None:
    """So many more versions of it."""
    seen = {lease.read()["metadata"]["resourceVersion"]}

    def more() -> bool:
        seen.add(lease.read()["metadata"]["resourceVersion"])
        return len(seen) > count

    wait_until(more, f"it is written {count} times")


# Deleted


@pytest.mark.sanitize("address")
def test_deleted(line, crew, lease, acquit, impact, brief):
    """Its holder makes it anew; who stands by sees who reads the slot."""
    deletions = 5
    leader, other = crew.pair(election=brief)
    with line.writers(**LOAD), crew.undisturbed(leader) as history:
        leader.worker.wait_delivery(more=500)
        for _ in range(deletions):
            uid = lease.read()["metadata"]["uid"]
            strike = impact.strike(leader.worker, "the Lease is deleted")
            lease.delete()
            strike.over(leader.worker)
            made = wait_until(lease.read, "it is made anew")
            assert made["metadata"]["uid"] != uid
        wait_until(lambda: lease.phase == "streaming", "it says so")
        assert "pqcdc.io/source" in lease.read()["metadata"]["annotations"]
        deleted = [change for change in history.changes if change.kind == "DELETED"]
        assert len(deleted) == deletions, "proved nothing"
    line.scenario.settle(leader.worker)
    impact.prove()
    assert acquit(line).duplicates == 0
    assert other.worker.status()["lease"]["terms"] == 0


def test_deleted_when_its_holder_has_died(line, crew, lease, acquit, impact):
    leader, other = crew.pair()
    with line.writers(**LOAD), lease.recorded() as history:
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, "kill -9, and the Lease is deleted")
        leader.worker.kill()
        lease.delete()
        other.worker.wait_streaming()
        strike.over(other.worker)
    line.scenario.settle(other.worker)
    impact.prove()
    acquit(line)
    assert strike.recovery < AT_ONCE
    assert len(history.holders) == 2


# Edited


def test_edited_by_somebody_else(line, crew, lease, acquit, impact, brief):
    """Its holder's next renewal is refused, which is not the loss of the Lease; what others wrote stays."""
    edits = 30
    leader, other = crew.pair(election=brief)
    with line.writers(**LOAD), crew.undisturbed(leader):
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, f"the Lease is edited {edits} times")
        for number in range(edits):
            lease.edit(
                {
                    "metadata": {
                        "labels": {"team": "shop", "number": str(number)},
                        "annotations": {"example.com/note": "hands off"},
                    }
                }
            )
            time.sleep(0.05)  # the moments at which it is edited
        strike.over(leader.worker)
        wait_renewals(lease, 3)
        metadata = lease.read()["metadata"]
        assert metadata["labels"] == {"team": "shop", "number": str(edits - 1)}
        assert metadata["annotations"]["example.com/note"] == "hands off"
    line.scenario.settle(leader.worker)
    impact.prove()
    assert acquit(line).duplicates == 0
    assert other.worker.status()["lease"]["terms"] == 0


def test_edited_what_the_holder_says_of_itself(line, crew, lease, acquit, impact, brief):
    """A memory that is damaged is written anew; a holder that is said to be stalled is followed by
    another, in order."""
    leader, other = crew.pair(election=brief)
    with line.writers(**LOAD):
        leader.worker.wait_delivery(more=500)
        with crew.undisturbed(leader):
            source = lease.read()["metadata"]["annotations"]["pqcdc.io/source"]
            for nonsense in ("{", "", '{"systemId":"1"}', None):
                lease.annotate(source=nonsense, phase="nonsense")
                wait_until(lambda: lease.phase == "streaming", "the phase is mended")
                written = lease.read()["metadata"]["annotations"]["pqcdc.io/source"]
                assert written[:40] == source[:40]
            for replica in (leader, other):
                replica.worker.wait_log("what the Lease says of the slot cannot be read")
        strike = impact.strike(leader.worker, "somebody writes that the holder is stalled")
        lease.annotate(phase="stalled")
        taken = wait_until(lambda: lease.phase == "streaming", "somebody streams")
        assert taken
        strike.over(crew.wait_one_streams().worker)
    line.scenario.settle(crew.wait_one_streams().worker)
    impact.prove()
    acquit(line)


# Stolen


@pytest.mark.parametrize("thief", ["somebody", "orders-7f9d_4c0ffee0-0000-4000-8000-000000000000"])
def test_stolen_by_who_does_nothing_with_it(line, crew, lease, acquit, impact, thief):
    """The holder obeys at once; nobody reads the slot then, and the first who sees it takes the Lease."""
    leader, other = crew.pair()
    with line.writers(**LOAD), lease.recorded() as history:
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, "the Lease is stolen")
        lease.steal(thief)
        wait_until(lambda: lease.holder not in (thief, ""), "one of them has it again")
        now = crew.wait_one_streams()
        strike.over(now.worker)
    settled(line, now)
    impact.prove()
    acquit(line)
    assert strike.recovery < AT_ONCE, "the slot told it"
    assert leader.worker.find_log("the lease names another")
    assert history.holders.count(thief) == 1 and len(history.holders) == 3


def settled(line, replica) -> None:
    with line.writers(**LOAD):
        replica.worker.wait_delivery(more=200)
    line.scenario.settle(replica.worker)


def test_stolen_by_who_says_nothing_of_a_stream(line, crew, lease, acquit, impact, account):
    """Then its duration is waited for: the thief may be starting."""
    seconds = 5
    leader, other = crew.pair()
    with line.writers(**LOAD):
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, "the Lease is stolen, phase starting")
        stolen = lease.read()
        stolen["spec"].update(holderIdentity="thief", leaseDurationSeconds=seconds)
        stolen["metadata"]["annotations"]["pqcdc.io/phase"] = "starting"
        try_until_it_fits(account.server.admin, lease, stolen)
        for replica in (leader, other):
            replica.worker.wait_state("standby")
        wait_until(lambda: lease.holder != "thief", "somebody takes it")
        now = crew.wait_one_streams()
        strike.over(now.worker)
    settled(line, now)
    impact.prove()
    acquit(line)
    assert strike.recovery > seconds


def try_until_it_fits(admin, lease, body: dict) -> None:
    """Its holder writes it as well."""

    def written() -> bool:
        body["metadata"]["resourceVersion"] = lease.read()["metadata"]["resourceVersion"]
        return admin.call("PUT", lease.path, body).status == 200

    wait_until(written, "it is written", interval=0)


# Garbage

GARBAGE = {
    "past": {"renewTime": PAST, "acquireTime": PAST},
    "future": {"renewTime": FUTURE, "acquireTime": FUTURE},
    "no times": {"renewTime": None, "acquireTime": None},
    "a second": {"leaseDurationSeconds": 1},
    "68 years": {"leaseDurationSeconds": 2**31 - 1},
    "no duration": {"leaseDurationSeconds": None},
    "no transitions": {"leaseTransitions": None},
    "the last transition": {"leaseTransitions": 2**31 - 1},
}


def test_garbage_while_its_holder_lives(line, crew, lease, acquit, impact, brief):
    leader, other = crew.pair(election=brief)
    with line.writers(**LOAD), crew.undisturbed(leader):
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, "garbage in the Lease, of each kind")
        for spec in GARBAGE.values():
            lease.edit({"spec": spec})
            wait_renewals(lease, 2)
        strike.over(leader.worker)
    spec = lease.read()["spec"]
    assert PAST < spec["renewTime"] < FUTURE and spec["leaseDurationSeconds"] == 4
    line.scenario.settle(leader.worker)
    impact.prove()
    assert acquit(line).duplicates == 0
    assert other.worker.status()["lease"]["terms"] == 0


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_when_its_holder_has_died(line, crew, lease, acquit, impact, name):
    """The slot tells it all the same, and who takes over puts the Lease in order."""
    leader, other = crew.pair()
    with line.writers(**LOAD):
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, f"kill -9, garbage in the Lease: {name}")
        leader.worker.kill()
        lease.edit({"spec": GARBAGE[name]})
        other.worker.wait_streaming()
        strike.over(other.worker)
    line.scenario.settle(other.worker)
    impact.prove()
    acquit(line)
    assert strike.recovery < AT_ONCE
    spec = lease.read()["spec"]
    assert PAST < spec["acquireTime"] <= spec["renewTime"] < FUTURE
    assert spec["leaseDurationSeconds"] == 15 and spec["leaseTransitions"] > 0


def test_time_in_the_future_does_not_prolong_it(line, crew, lease, brief):
    """How long it has not changed is what counts, by the clock of who looks."""
    with lease.recorded() as history:
        lease.create("somebody", seconds=4, renewTime=FUTURE, acquireTime=FUTURE)
        began = time.monotonic()
        crew.leader(election=brief)
        took = time.monotonic() - began
        assert 3 < took < 20, f"{took:.1f} s"
    assert len(history.holders) == 2


# Empty


@pytest.mark.parametrize("way", ["empty", "no-holder", "no-spec"])
def test_holder_is_taken_out(line, crew, lease, acquit, impact, way):
    """Nobody holds it: its holder stops, and the first of all takes it."""
    leader, other = crew.pair()
    with line.writers(**LOAD):
        leader.worker.wait_delivery(more=500)
        before = lease.read()["spec"]["leaseTransitions"]
        strike = impact.strike(leader.worker, f"the Lease names nobody: {way}")
        if way == "empty":
            lease.empty()
        else:
            lease.edit({"spec": {"holderIdentity": None} if way == "no-holder" else None})
        leader.worker.wait_log("the lease names (nobody|another)")
        wait_until(lambda: lease.holder, "somebody has it")
        now = crew.wait_one_streams()
        strike.over(now.worker)
    settled(line, now)
    impact.prove()
    acquit(line)
    assert strike.recovery < AT_ONCE
    assert lease.read()["spec"]["leaseTransitions"] == (1 if way == "no-spec" else before + 1)
