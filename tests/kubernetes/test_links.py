"""A replica's ways out fail one by one, and all at once: PostgreSQL, Kafka, the API server."""

import time

import pytest

from lab.replica import Link
from lab.waiting import wait_until

LOAD = {"largest": 200, "pause": 0.02}
SOON = {"walSenderTimeout": "2s"}
# So that a broker that does not answer is missed soon.
IMPATIENT = {"readTimeout": "1s", "writeTimeout": "1s"}
STALLED_AFTER = 30
KAFKA_TIMEOUT = 30  # by default


def heal_and_return(line, crew, old, new) -> None:
    """Who was cut off comes back, finds that another leads, and disturbs nobody."""
    with crew.undisturbed(new), line.writers(**LOAD):
        old.links.heal()
        # It stood by already, if it did not know that another leads, but might not begin a stream.
        old.worker.wait(lambda: not old.worker.status()["lease"]["leads"], "it knows that another leads", 60)
        crew.wait_standby(old, timeout=60)
        new.worker.wait_delivery(more=500)
    line.scenario.settle(new.worker)
    assert old.worker.status()["in_flight_records"] == 0


# The leader


@pytest.mark.sanitize("address")
def test_leader_is_cut_from_postgresql(line, crew, lease, acquit_returned, impact):
    """The slot is free when PostgreSQL has given its reader up; whoever takes it tells the old one."""
    leader, other = crew.pair(cdc=SOON)
    with line.writers(**LOAD), lease.recorded() as history:
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, "cut from PostgreSQL")
        leader.links.postgres.cut()
        other.worker.wait_streaming()
        strike.over(other.worker)
        leader.worker.wait(lambda: leader.worker.status()["role"] == "passive", "it has stopped")
    line.scenario.settle(other.worker)
    impact.prove()
    heal_and_return(line, crew, leader, other)
    acquit_returned(line)
    assert len(history.holders) == 2


def test_only_replica_is_cut_from_postgresql(line, crew, lease, acquit, impact):
    """For longer than its Lease may be `streaming`: who could take it would see that it cannot work."""
    only = crew.leader(cdc=SOON)
    with line.writers(**LOAD), lease.recorded() as history:
        only.worker.wait_delivery(more=500)
        strike = impact.strike(only.worker, "cut from PostgreSQL, alone")
        only.links.postgres.cut()
        wait_until(lambda: lease.phase == "stalled", "the Lease says so")
        assert only.worker.get("/livez")[0] == 200
        only.links.heal()
        strike.over(only.worker)
        wait_until(lambda: lease.phase == "streaming", "the Lease says so")
    line.scenario.settle(only.worker)
    impact.prove()
    acquit(line)
    assert len(history.holders) == 1


def test_leader_is_cut_from_kafka(line, crew, lease, acquit_returned, impact, full):
    """It still reads the slot, and says after a while that it cannot work. Of packets that vanish TCP
    tells long before Kafka's time-outs do."""
    ways = (Link.cut, Link.refuse, Link.stall) if full else (Link.cut,)
    leader, other = crew.pair(**({"kafka": IMPATIENT} if full else {}))
    for way in ways:
        with line.writers(**LOAD), lease.recorded() as history:
            leader.worker.wait_delivery(more=500)
            strike = impact.strike(leader.worker, f"cut from Kafka: {way.__name__}")
            way(leader.links.kafka)
            wait_until(lambda: other.worker.status()["lease"]["leads"], "another takes the Lease", 60)
            took = time.monotonic() - strike.began
            other.worker.wait_streaming()
            strike.over(other.worker)
        line.scenario.settle(other.worker)
        assert took > STALLED_AFTER - 2, "a short outage is no reason to hand over"
        assert took < STALLED_AFTER + KAFKA_TIMEOUT / 2, "it was noticed by a time-out of Kafka's"
        assert "stalled" in [change.phase for change in history.changes]
        assert len(history.holders) == 2
        heal_and_return(line, crew, leader, other)
        leader, other = other, leader
    impact.prove(len(ways))
    acquit_returned(line)


def test_leader_is_cut_from_kafka_for_a_while(line, crew, acquit, impact):
    leader, _ = crew.pair(kafka={**IMPATIENT, "maxInFlightBytes": "1mb"})
    with line.writers(**LOAD):
        leader.worker.wait_delivery(more=500)
        with crew.undisturbed(leader):
            strike = impact.strike(leader.worker, "cut from Kafka for 6 s")
            leader.links.kafka.cut()
            leader.worker.wait_log("brokers_lost")
            time.sleep(6)  # how long the outage lasts
            leader.links.heal()
            strike.over(leader.worker)
    line.scenario.settle(leader.worker, timeout=60)
    impact.prove()
    assert acquit(line).duplicates == 0


@pytest.mark.sanitize("thread")
@pytest.mark.parametrize("way", [Link.cut, Link.refuse, Link.stall])
def test_leader_is_cut_from_the_api_server(line, crew, lease, acquit, impact, brief, way):
    """Its Lease is over, and it reads the slot: it is left alone."""
    leader, other = crew.pair(election=brief)
    with line.writers(**LOAD):
        leader.worker.wait_delivery(more=500)
        with crew.undisturbed(leader):
            strike = impact.strike(leader.worker, "cut from the API server")
            way(leader.links.api)
            strike.over(leader.worker)
            began = lease.read()["spec"]["renewTime"]
            leader.worker.wait(lambda: leader.worker.status()["lease"]["renewed_age_ms"] > 6000, "it is over")
            leader.worker.wait_delivery()
            status = leader.worker.status()["lease"]
            assert status["leads"] and status["error"] and status["failures"] > 0
            assert lease.read()["spec"]["renewTime"] == began, "proved nothing: it renewed"
            assert leader.worker.get("/readyz")[0] == leader.worker.get("/livez")[0] == 200
            assert not other.worker.status()["lease"]["error"]
            leader.links.heal()
            leader.worker.wait(lambda: leader.worker.status()["lease"]["renewed_age_ms"] < 1500, "it renews")
            assert not leader.worker.status()["lease"]["error"]
            leader.worker.wait_delivery()
    line.scenario.settle(leader.worker)
    impact.prove()
    assert acquit(line).duplicates == 0
    assert leader.worker.find_log("API server answers again")


def test_stream_that_ends_without_the_api_server_is_not_begun_again(line, crew, lease, acquit, impact, brief):
    """An outage prolongs a running stream, and nothing else: who can see the Lease goes on."""
    leader, other = crew.pair(election=brief)
    with line.writers(**LOAD), lease.recorded() as history:
        leader.worker.wait_delivery(more=500)
        leader.links.api.cut()
        leader.worker.wait(lambda: leader.worker.status()["lease"]["renewed_age_ms"] > 3500, "it is over")
        strike = impact.strike(leader.worker, "cut from the API server, walsender terminated")
        line.scenario.execute(
            "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = %s",
            (line.scenario.slot,),
        )
        other.worker.wait_streaming()
        strike.over(other.worker)
        assert leader.worker.status()["state"] != "streaming"
    line.scenario.settle(other.worker)
    impact.prove()
    heal_and_return(line, crew, leader, other)
    acquit(line)
    assert len(history.holders) == 2


def test_leader_is_cut_from_everything(line, crew, lease, acquit_returned, impact, brief):
    leader, other = crew.pair(cdc=SOON, election=brief)
    with line.writers(**LOAD), lease.recorded() as history:
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, "cut from everything")
        leader.links.cut()
        other.worker.wait_streaming()
        strike.over(other.worker)
        assert leader.worker.get("/livez")[0] == 200
        leader.worker.wait(lambda: leader.worker.status()["state"] != "streaming", "it has stopped", 60)
    line.scenario.settle(other.worker)
    impact.prove()
    heal_and_return(line, crew, leader, other)
    acquit_returned(line)
    assert len(history.holders) == 2


# A candidate


@pytest.mark.parametrize("name", ["postgres", "kafka"])
def test_candidate_that_could_not_work_takes_nothing(line, crew, lease, acquit, impact, brief, name):
    """However long nobody leads: there is nothing to win, and the next one who could would wait."""
    leader, other = crew.pair(election=brief, kafka=IMPATIENT)
    link = getattr(other.links, name)
    with line.writers(**LOAD):
        leader.worker.wait_delivery(more=500)
        link.refuse() if name == "kafka" else link.cut()
        if name == "kafka":
            other.worker.wait_log("brokers_lost")
        else:
            other.worker.wait(lambda: other.worker.get("/status")[0] == 503, "it misses PostgreSQL")
        strike = impact.strike(leader.worker, f"kill -9, and the only standby is cut from {name}")
        with lease.recorded() as history:
            leader.worker.kill()
            time.sleep(6)  # how long nobody leads: more than leaseDuration
            assert len(history.holders) == 1
            assert other.worker.status()["lease"]["terms"] == 0
        other.links.heal()
        other.worker.wait_streaming()
        strike.over(other.worker)
    line.scenario.settle(other.worker)
    impact.prove()
    acquit(line)
