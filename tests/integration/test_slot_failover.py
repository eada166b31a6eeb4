"""cdc.slot.failover: what it sets. That such a slot survives a failover: tests/faults/test_postgres_identity.py."""

import pytest

FAILOVER = {"slot": {"failover": True}}


@pytest.fixture
def users(scenario_on, own_postgres):
    scenario = scenario_on(own_postgres("17"))
    scenario.execute("create table users (id int primary key)")
    return scenario


def test_the_slot_is_made_with_it_or_gets_it(users):
    plain = users.streaming()
    assert users.slot_row()["failover"] is False
    plain.terminate()
    worker = users.streaming(users.config(cdc=FAILOVER))
    assert users.slot_row()["failover"] is True
    assert worker.find_log("slot is synchronized to standbys from now on")
    users.execute("insert into users values (1)")
    users.settle(worker)
    assert [value["id"] for value in users.values()] == [1]
    worker.terminate()
    worker = users.streaming()  # it is never turned off
    assert users.slot_row()["failover"] is True
    worker.terminate()
    assert worker.command("slot", "drop").returncode == 0
    made = users.streaming(users.config(cdc=FAILOVER))
    assert users.slot_row()["failover"] is True
    made.terminate()
    assert made.command("slot", "drop").returncode == 0
    assert made.command("slot", "create", "--accept-gap").returncode == 0
    assert users.slot_row()["failover"] is True


def test_older_servers_have_none(scenario, postgres):
    if postgres.version >= 17:
        pytest.skip("PostgreSQL before 17")
    scenario.execute("create table users (id int primary key)")
    worker = scenario.worker(scenario.config(cdc=FAILOVER))
    assert worker.wait_exit() in (69, 78)
    assert worker.last_log("failover")["code"] == "failover_needs_17"
    assert scenario.slot_row() == {} and scenario.execute("select from pg_publication") == []
