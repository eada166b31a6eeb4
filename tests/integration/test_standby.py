"""Several workers on one slot: one streams, the others wait and take over."""

import signal

import pytest

from lab.waiting import wait_until


@pytest.fixture
def pair(scenario):
    """The one that streams, and its standby."""
    scenario.execute("create table users (id serial primary key, name text)")
    active = scenario.streaming()
    standby = scenario.worker()
    standby.wait_state("standby")
    return active, standby


def insert(scenario, name):
    scenario.execute("insert into users (name) values (%s)", (name,))


def names(scenario):
    return [value["name"] for value in scenario.values()]


def test_standby_is_healthy_and_says_who_reads(scenario, pair):
    active, standby = pair
    assert standby.status()["role"] == "passive"
    standby.wait(lambda: standby.get("/readyz")[0] == 200, "it is ready")
    assert standby.status()["slot"]["activePID"] == scenario.slot_row()["active_pid"]
    said = standby.find_log("slot_busy")
    assert str(scenario.slot_row()["active_pid"]) in said["error"]
    insert(scenario, "a")
    scenario.settle(active)
    assert standby.status()["records_sent"] == 0


def test_standby_takes_over_when_the_active_is_killed(scenario, pair):
    active, standby = pair
    insert(scenario, "before")
    scenario.settle(active)
    active.kill()
    standby.wait_streaming()
    insert(scenario, "after")
    scenario.settle(standby)
    assert names(scenario) == ["before", "after"]


def test_slot_that_only_the_standby_saw_is_never_made_anew(scenario, pair):
    active, standby = pair
    standby.signal(signal.SIGSTOP)
    active.kill()
    wait_until(lambda: not scenario.slot_row()["active"], "the slot is free")
    scenario.execute("select pg_drop_replication_slot(%s)", (scenario.slot,))
    insert(scenario, "in no slot")
    standby.signal(signal.SIGCONT)
    assert standby.wait_exit() == 69
    said = standby.find_log("slot_lost")
    assert scenario.slot in said["error"] and "--accept-gap" in said["advice"]
    assert scenario.slot_row() == {}


@pytest.mark.sanitize("thread")
def test_standby_takes_over_when_the_active_is_stopped(scenario, pair):
    active, standby = pair
    insert(scenario, "before")
    assert active.terminate() == 0
    standby.wait_streaming()
    insert(scenario, "after")
    scenario.settle(standby)
    assert names(scenario) == ["before", "after"]


def test_standby_stops_when_asked(scenario, pair):
    active, standby = pair
    assert standby.terminate() == 0
    insert(scenario, "a")
    scenario.settle(active)
    assert names(scenario) == ["a"]


def test_third_worker_waits_too(scenario, pair):
    active, standby = pair
    third = scenario.worker()
    third.wait_state("standby")
    active.kill()
    winner = third.wait(
        lambda: next((w for w in (standby, third) if w.status().get("state") == "streaming"), None),
        "one of the two takes over",
    )
    loser = third if winner is standby else standby
    insert(scenario, "a")
    scenario.settle(winner)
    loser.wait_state("standby")
    assert names(scenario) == ["a"]
