"""The API server is away, slow, or answers nonsense: a stream that runs goes on, and nobody disturbs it."""

import time

import pytest

from lab.api_faults import gone

LOAD = {"largest": 200, "pause": 0.02}
LEASE_SECONDS = 4  # as brief has it


def leases(replica) -> dict:
    return replica.worker.status()["lease"]


def wait_renewed(replica, timeout: float = 30) -> None:
    """By a call that began after the fault was over."""
    worker = replica.worker
    called = time.monotonic()

    def renewed() -> bool:
        lease = leases(replica)
        age = lease["renewed_age_ms"] / 1000
        return not lease["error"] and 0 <= age < time.monotonic() - called

    worker.wait(renewed, "it renews the Lease again", timeout)


def fails_over(line, leader, other, impact, what: str) -> None:
    """After a fault: who stood by can still take over."""
    with line.writers(**LOAD):
        leader.worker.wait_delivery(more=200)
        strike = impact.strike(leader.worker, what)
        leader.worker.kill()
        other.worker.wait_streaming()
        strike.over(other.worker)
    line.scenario.settle(other.worker)


# Away


@pytest.mark.sanitize("address")
def test_api_server_is_down(line, crew, api, acquit, impact, brief):
    """For three lease durations, with `keepStreaming`: nothing happens."""
    leader, other = crew.pair(election=brief)
    with line.writers(**LOAD), crew.undisturbed(leader):
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, "the API server is killed")
        api.kill()
        strike.over(leader.worker)
        time.sleep(3 * LEASE_SECONDS)  # how long the outage lasts
        leader.worker.wait_delivery()
        for replica in (leader, other):
            assert replica.worker.get("/livez")[0] == replica.worker.get("/readyz")[0] == 200
            assert leases(replica)["error"] and leases(replica)["failures"] > 0
        api.start()
        wait_renewed(leader)
        other.worker.wait(lambda: not leases(other)["error"], "it sees the Lease again")
        leader.worker.wait_delivery()
    line.scenario.settle(leader.worker)
    impact.prove()
    assert acquit(line).duplicates == 0


def test_api_server_is_down_and_the_leader_steps_down(line, crew, api, acquit, impact, brief):
    """With `stepDown`: nobody streams from renewDeadline on, until the server is back."""
    leader, other = crew.pair(election={**brief, "onApiOutage": "stepDown"})
    with line.writers(**LOAD):
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, "the API server is killed, stepDown")
        age = leases(leader)["renewed_age_ms"] / 1000
        killed = time.monotonic()
        api.kill()
        leader.worker.wait_state("standby")
        assert not line.scenario.slot_row()["active"]
        assert time.monotonic() - killed > 3 - age - 0.1, "not before renewDeadline (3 s)"
        ends = line.reader_ends()
        time.sleep(max(0, 3 * LEASE_SECONDS - (time.monotonic() - strike.began)))  # how long the outage lasts
        assert line.reader_ends() == ends and not line.scenario.slot_row()["active"]
        for replica in (leader, other):
            assert replica.worker.get("/livez")[0] == replica.worker.get("/readyz")[0] == 200
        api.start()
        strike.over(crew.wait_one_streams().worker)
    line.scenario.settle(crew.wait_one_streams().worker)
    impact.prove()
    acquit(line)


def test_leader_dies_while_the_api_server_is_down(line, crew, lease, acquit, impact, brief):
    """The slot alone is no permission: the next one leads when it can take the Lease."""
    leader, other = crew.pair(election=brief)
    with line.writers(**LOAD):
        leader.worker.wait_delivery(more=500)
        for replica in (leader, other):
            replica.links.api.refuse()
        other.worker.wait(lambda: leases(other)["error"], "it misses the API server")
        strike = impact.strike(leader.worker, "kill -9 while the API server is down")
        leader.worker.kill()
        time.sleep(LEASE_SECONDS + 1)  # how long nobody can lead
        assert other.worker.status()["state"] == "standby"
        other.links.heal()
        other.worker.wait_streaming()
        strike.over(other.worker)
    line.scenario.settle(other.worker)
    impact.prove()
    acquit(line)
    assert lease.holder == leases(other)["identity"]


def test_api_server_stands_still(line, crew, api, acquit, impact, brief):
    """Connections are accepted, and nothing is answered."""
    leader, other = crew.pair(election=brief)
    with line.writers(**LOAD), crew.undisturbed(leader):
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, "the API server is frozen")
        with api.frozen():
            strike.over(leader.worker)
            time.sleep(2 * LEASE_SECONDS)  # how long it stands still
            assert leases(leader)["error"] and leases(other)["error"]
        wait_renewed(leader)
    line.scenario.settle(leader.worker)
    impact.prove()
    assert acquit(line).duplicates == 0


# Slow


@pytest.mark.parametrize("late", ["request", "answer"])
def test_api_server_is_slow(line, crew, api_faults, acquit, impact, full, late):
    """By 5 s: renewals are late, and good enough. Who takes over then (full) waits for its calls."""
    leader, other = crew.pair(faults=api_faults)
    with line.writers(**LOAD):
        with crew.undisturbed(leader):
            leader.worker.wait_delivery(more=500)
            strike = impact.strike(leader.worker, f"the API server is slow by 5 s ({late})")
            delays = slow(api_faults, late)
            strike.over(leader.worker)
            leader.worker.wait(lambda: delays[0].hits > 1, "a renewal was late, and answered")
            wait_renewed(leader)
            assert not leases(leader)["error"]
        leader.worker.wait_delivery()
        if full:
            strike = impact.strike(leader.worker, f"kill -9 while the API server is slow ({late})")
            leader.worker.kill()
            other.worker.wait_streaming(60)
            strike.over(other.worker)
            leader = other
    line.scenario.settle(leader.worker)
    impact.prove()
    acquit(line)


@pytest.mark.parametrize("late", ["request", "answer"])
def test_api_server_is_slower_than_anybody_waits(line, crew, api_faults, acquit, impact, brief, late):
    """Every call is given up, and what it did is not known."""
    leader, other = crew.pair(faults=api_faults, election=brief)
    with line.writers(**LOAD), crew.undisturbed(leader):
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, f"the API server is slow by 5 s ({late}), short Lease")
        delays = slow(api_faults, late)
        strike.over(leader.worker)
        time.sleep(2 * LEASE_SECONDS)  # how long it is slow
        assert leases(leader)["error"] and leases(leader)["leads"]
        api_faults.clear()
        wait_renewed(leader)
        other.worker.wait(lambda: not leases(other)["error"], "it sees the Lease again")
    line.scenario.settle(leader.worker)
    impact.prove()
    assert acquit(line).duplicates == 0
    assert sum(delay.hits for delay in delays) > 2, "proved nothing"


def slow(faults, late: str) -> list:
    """The first is that of renewals."""
    verbs = ("PUT", "GET", "POST", "WATCH")
    return [faults.delay(verb, 5, "leases", carried_out=late == "answer") for verb in verbs]


# Answers

EVERY = ("GET", "PUT", "WATCH")


def answers(status, verbs, **more):
    return lambda faults: [faults.answer(verb, "leases", status, **more) for verb in verbs]


ANSWERS = {
    "409": answers(409, ("PUT",)),
    "410": answers(410, ("GET", "WATCH")),
    "429": answers(429, EVERY, retry_after=1),
    "500": answers(500, EVERY),
    "503": answers(503, ("PUT",)),
    "no-json": answers(200, EVERY, body=b"<html>come later</html>"),
    "truncated": lambda faults: [faults.truncate(verb, "leases") for verb in EVERY],
    "huge": lambda faults: [faults.huge(verb, 20_000_000, "leases") for verb in EVERY],
    "lost": lambda faults: [faults.lose(verb, "leases") for verb in EVERY],
}
DAMAGED = ("no-json", "truncated", "huge")


@pytest.mark.parametrize(
    "answer",
    [pytest.param(name, marks=pytest.mark.sanitize("address") if name in DAMAGED else ()) for name in ANSWERS],
)
def test_answers_of_every_kind(line, crew, api_faults, acquit, impact, brief, answer):
    """For longer than a Lease lasts, to the leader and to who stands by."""
    leader, other = crew.pair(faults=api_faults, election=brief)
    with line.writers(**LOAD):
        with crew.undisturbed(leader):
            leader.worker.wait_delivery(more=500)
            strike = impact.strike(leader.worker, f"the API server answers: {answer}")
            faults = ANSWERS[answer](api_faults)
            api_faults.end_watches()
            strike.over(leader.worker)
            time.sleep(LEASE_SECONDS + 1)  # how long it answers so
            leader.worker.wait_delivery()
            for replica in (leader, other):
                assert replica.worker.get("/livez")[0] == replica.worker.get("/readyz")[0] == 200
            api_faults.clear()
            wait_renewed(leader)
            other.worker.wait(lambda: not leases(other)["error"], "it sees the Lease again")
        missed = [fault.verb for fault in faults if fault.hits == 0]
        assert not missed, f"proved nothing of {missed}"
    fails_over(line, leader, other, impact, "kill -9 afterwards")
    impact.prove(2)
    acquit(line)


def test_watch_is_told_that_it_is_too_old(line, crew, api_faults, acquit, impact):
    """It begins anew, and goes on telling: a Lease that is given back is seen at once."""
    leader, other = crew.pair(faults=api_faults)
    with line.writers(**LOAD):
        with crew.undisturbed(leader):
            leader.worker.wait_delivery(more=500)
            watches = api_faults.count("WATCH", "leases")
            assert api_faults.say(gone()) == 2
            leader.worker.wait(
                lambda: api_faults.count("WATCH", "leases") >= watches + 2 and api_faults.watches == 2,
                "both watch again",
            )
        strike = impact.strike(leader.worker, "SIGTERM after a 410 in the watch")
        assert leader.worker.terminate() == 0
        other.worker.wait_streaming()
        strike.over(other.worker)
    line.scenario.settle(other.worker)
    impact.prove()
    assert acquit(line).duplicates == 0
