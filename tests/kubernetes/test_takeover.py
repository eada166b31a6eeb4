"""A leader that ends, in peace or not, and who comes after it."""

import signal

import pytest

# Far below leaseDuration (15 s): nobody waited for the Lease.
AT_ONCE = 7
LOAD = {"largest": 200, "pause": 0.02}


def test_one_streams_and_the_other_is_ready(line, crew, lease, acquit):
    leader, other = crew.pair()
    with line.writers(**LOAD):
        leader.worker.wait_delivery(more=500)
    line.scenario.settle(leader.worker)
    told = {replica: replica.worker.status() for replica in (leader, other)}
    identity = told[leader]["lease"]["identity"]
    assert told[leader]["lease"]["leads"] and not told[other]["lease"]["leads"]
    assert told[leader]["role"] == "active" and told[other]["role"] == "passive"
    for status in told.values():
        assert status["lease"]["holder"] == lease.holder == identity
        assert status["lease"]["phase"] == lease.phase == "streaming"
    assert crew.wait_one_streams() is leader
    assert told[other]["records_sent"] == 0
    assert acquit(line).duplicates == 0


@pytest.mark.sanitize("thread")
def test_asked_to_stop_it_leaves_the_lease_and_repeats_nothing(line, crew, lease, acquit, impact):
    leader, other = crew.pair()
    with line.writers(**LOAD), lease.recorded() as history:
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, "SIGTERM")
        assert leader.worker.terminate() == 0
        other.worker.wait_streaming()
        strike.over(other.worker)
    line.scenario.settle(other.worker)
    impact.prove()
    assert acquit(line).duplicates == 0
    assert strike.recovery < AT_ONCE
    left = [change for change in history.changes if change.holder == ""]
    assert len(left) == 1, "it gave the Lease back, once"
    assert left[0].phase is None and left[0].lease["spec"]["leaseDurationSeconds"] == 1
    assert len(history.holders) == 2


@pytest.mark.sanitize("thread")
@pytest.mark.parametrize("load", [True, False], ids=["load", "idle"])
def test_sudden_death(line, crew, lease, acquit, impact, full, load):
    kills = 10 if full else 1
    leader, other = crew.pair()
    if not load:
        with line.writers(**LOAD):
            leader.worker.wait_delivery(more=500)
        line.scenario.settle(leader.worker)
    for _ in range(kills):
        with lease.recorded() as history:
            if load:
                strike = killed_under_load(line, leader, other, impact)
            else:
                strike = killed_idle(line, leader, other, impact)
        assert strike.recovery < AT_ONCE, "the slot told it, not the Lease"
        assert len(history.holders) == 2
        leader.worker.start()
        crew.wait_standby(leader)
        leader, other = other, leader
    line.scenario.settle(leader.worker)
    verdicts = acquit(line)
    if load:
        impact.prove(kills)
        assert verdicts.duplicates > 0, "proved nothing: no kill hit anything"
    else:
        assert verdicts.duplicates == 0, "everything had been confirmed"


def killed_under_load(line, leader, other, impact):
    with line.writers(**LOAD):
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, "kill -9")
        leader.worker.kill()
        other.worker.wait_streaming()
        strike.over(other.worker)
    line.scenario.settle(other.worker)
    return strike


def killed_idle(line, leader, other, impact):
    strike = impact.strike(leader.worker, "kill -9, idle")
    assert strike.records_unconfirmed == 0
    leader.worker.kill()
    with line.writers(**LOAD):
        other.worker.wait_streaming()
        strike.over(other.worker)
    line.scenario.settle(other.worker)
    return strike


@pytest.mark.parametrize("way", ["killed", "stopped"])
def test_single_replica_is_restarted(line, crew, lease, acquit, impact, way):
    """It is another one for the Lease, and does not wait for the end of a whole one all the same."""
    duration = 60
    only = crew.leader(election={"leaseDuration": f"{duration}s"})
    before = lease.holder
    with line.writers(**LOAD):
        only.worker.wait_delivery(more=500)
        strike = impact.strike(only.worker, way)
        if way == "killed":
            only.worker.kill()
        else:
            assert only.worker.terminate() == 0
        only.worker.start()
        only.worker.wait_streaming()
        strike.over(only.worker)
    line.scenario.settle(only.worker)
    impact.prove()
    acquit(line)
    assert strike.recovery < duration / 4
    assert lease.holder not in ("", before)


def test_killed_in_the_moment_before_its_stream(line, crew, lease, acquit, brief):
    """The Lease says `starting`: a slot that nobody reads says nothing then, so its end is waited for."""
    dead = crew.start(environment={"PQCDC_FAULT": "before_start=kill"}, election=brief)
    assert dead.worker.wait_exit(60) == -signal.SIGKILL
    assert lease.phase == "starting"
    heir = crew.leader(election=brief)
    with line.writers(**LOAD):
        heir.worker.wait_delivery(more=500)
    line.scenario.settle(heir.worker)
    assert acquit(line).duplicates == 0


@pytest.mark.parametrize("count", [2, 5])
def test_started_together(line, crew, lease, acquit, full, say, count):
    rounds = 30 if full else 3
    changes = 0
    for number in range(1, rounds + 1):
        with lease.recorded() as history:
            leader = joint_start(crew, count)
            with line.writers(**LOAD):
                leader.worker.wait_delivery(more=200)
            line.scenario.settle(leader.worker)
            assert crew.wait_one_streams() is leader
        new = [name for name in history.holders if name in identities(crew)]
        say(f"start {number} of {rounds}: {count} replicas, {len(new)} of them held the Lease")
        assert new == [leader.worker.status()["lease"]["identity"]], "a needless hand-over"
        sent = sum(replica.worker.status()["records_sent"] for replica in crew.replicas)
        assert sent == leader.worker.status()["records_sent"], "who is passive sends nothing"
        changes += 1
        for replica in crew.replicas:
            replica.worker.kill()
    assert acquit(line).duplicates == 0
    assert changes == rounds


def joint_start(crew, count):
    if not crew.replicas:
        for _ in range(count):
            crew.start()
    else:
        for replica in crew.replicas:
            replica.worker.start()
    return crew.wait_one_streams()


def identities(crew) -> set[str]:
    return {replica.worker.status()["lease"]["identity"] for replica in crew.replicas}
