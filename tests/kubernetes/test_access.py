"""What lets a replica in at the API server ends: its token, the server's authority, its rights, its clock."""

from datetime import datetime

import pytest

from faults.test_process_clock import clock  # noqa: F401
from lab.waiting import wait_until

LOAD = {"largest": 200, "pause": 0.02}


def leases(replica) -> dict:
    return replica.worker.status()["lease"]


def wait_refused(replica, pattern: str, timeout: float = 30) -> dict:
    """Its log line, once /status says so too."""
    said = replica.worker.wait_log(pattern, timeout)
    assert said["level"] == "WARN", said
    replica.worker.wait(lambda: leases(replica)["error"], "/status says so")
    return said


def wait_let_in(replica) -> None:
    replica.worker.wait(lambda: not leases(replica)["error"], "the API server lets it in again")


# Tokens


def test_token_has_expired(line, crew, account, acquit, impact, brief):
    """And no new one was given in time: an outage of its own, said clearly, until there is one."""
    leader = crew.make()
    leader.renew_token(account.brief_token(12))
    leader.start(line.config(), election=brief)
    leader.worker.wait_streaming()
    other = crew.standby(election=brief)
    with line.writers(**LOAD), crew.undisturbed(leader):
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, "the token has expired")
        said = wait_refused(leader, "api_denied")
        strike.over(leader.worker)
        assert "401" in said["error"] and "token" in said["advice"]
        assert "eyJ" not in leader.worker.stderr(), "a token is a secret"
        assert leader.worker.get("/livez")[0] == leader.worker.get("/readyz")[0] == 200
        assert not leases(other)["error"]
        leader.renew_token()
        wait_let_in(leader)
        leader.worker.wait_delivery()
    line.scenario.settle(leader.worker)
    impact.prove()
    assert acquit(line).duplicates == 0


def test_token_is_replaced_in_time(line, crew, account, acquit, impact, brief):
    """As kubelet does it: nobody notices when the old one expires."""
    old = account.brief_token(12)
    leader = crew.make()
    leader.renew_token(old)
    leader.start(line.config(), election=brief)
    leader.worker.wait_streaming()
    with line.writers(**LOAD), crew.undisturbed(leader):
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, "the token is replaced")
        leader.renew_token()
        strike.over(leader.worker)
        path = crew.lease.path
        wait_until(lambda: account.client(old).call("GET", path).status == 401, "the old one has expired")
        leader.worker.wait(lambda: leases(leader)["renewed_age_ms"] < 400, "it renews")
        assert leases(leader)["failures"] == 0
    line.scenario.settle(leader.worker)
    impact.prove()
    assert acquit(line).duplicates == 0


# The authority


@pytest.mark.sanitize("address")
def test_authority_is_rotated(line, crew, api, acquit, impact, brief):
    """Who has the old one trusts nobody, and says so; the new one is taken as soon as it is there."""
    leader, other = crew.pair(election=brief)
    with line.writers(**LOAD), crew.undisturbed(leader):
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, "the API server's authority is rotated")
        api.rotate()
        strike.over(leader.worker)
        for replica in (leader, other):
            assert "ca.crt" in wait_refused(replica, "api_untrusted")["advice"]
        for replica in (leader, other):
            replica.renew_token()
            wait_let_in(replica)
        leader.worker.wait_delivery()
    line.scenario.settle(leader.worker)
    impact.prove()
    assert acquit(line).duplicates == 0


# Rights


class Rights:
    """Those of the replicas' account: the RoleBinding that gives them."""

    def __init__(self, account):
        self._admin = account.server.admin
        space = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{account.namespace.name}/rolebindings"
        self._collection, self._path = space, f"{space}/{account.name}"
        binding = self._admin.get(self._path)
        self._binding = {name: binding[name] for name in ("roleRef", "subjects")}
        self._binding["metadata"] = {"name": account.name}

    def take_away(self) -> None:
        self._admin.delete(self._path)

    def give_back(self) -> None:
        self._admin.post(self._collection, self._binding)


@pytest.fixture
def rights(account) -> Rights:
    return Rights(account)


def test_rights_are_taken_from_those_who_run(line, crew, rights, acquit, impact, brief):
    leader, other = crew.pair(election=brief)
    with line.writers(**LOAD), crew.undisturbed(leader):
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, "RBAC denies the Lease")
        rights.take_away()
        for replica in (leader, other):
            said = wait_refused(replica, "api_denied")
            for word in ("403", "leases", "orders", "system:serviceaccount"):
                assert word in said["error"], "it says who may not do what"
            assert "forbidden" in leases(replica)["error"]
            assert replica.worker.get("/livez")[0] == replica.worker.get("/readyz")[0] == 200
        strike.over(leader.worker)
        rights.give_back()
        for replica in (leader, other):
            wait_let_in(replica)
        leader.worker.wait_delivery()
    line.scenario.settle(leader.worker)
    impact.prove()
    assert acquit(line).duplicates == 0


def test_replica_starts_without_rights(line, crew, rights, acquit, brief):
    """It stands by, and tells why it does not lead; it needs no restart when it may."""
    rights.take_away()
    replica = crew.start(election=brief)
    said = wait_refused(replica, "api_denied")
    assert "RoleBinding" in said["advice"]
    replica.worker.wait_state("standby")
    assert replica.worker.get("/livez")[0] == replica.worker.get("/startupz")[0] == 200
    assert not line.scenario.slot_row()["active"]
    complaints = len(list(filter(lambda one: one["level"] == "WARN", replica.worker.logs())))
    rights.give_back()
    replica.worker.wait_streaming()
    assert complaints <= 3, "it does not complain again and again of the same"
    with line.writers(**LOAD):
        replica.worker.wait_delivery(more=500)
    line.scenario.settle(replica.worker)
    assert acquit(line).duplicates == 0


# The clock


@pytest.mark.parametrize("whose", ["leader", "other"])
@pytest.mark.parametrize("jump", ["+3600", "-3600"])
def test_wall_clock_jumps_by_an_hour(line, crew, lease, clock, acquit, impact, brief, whose, jump):  # noqa: F811
    """Times in a Lease are for people: nobody compares them with a clock."""
    environments = {name: clock.environment if name == whose else None for name in ("leader", "other")}
    leader = crew.leader(election=brief, environment=environments["leader"])
    other = crew.standby(election=brief, environment=environments["other"])
    with line.writers(**LOAD):
        with crew.undisturbed(leader):
            leader.worker.wait_delivery(more=500)
            began = lease.read()["spec"]["renewTime"]
            strike = impact.strike(leader.worker, f"the clock of the {whose} jumps by {jump} s")
            clock.set(jump)
            strike.over(leader.worker)
            told = told_times(lease, began, count=9)
            assert jumped(began, told[-1], jump) == (whose == "leader"), "proved nothing"
            for replica in (leader, other):
                assert not leases(replica)["error"]
                assert replica.worker.get("/livez")[0] == replica.worker.get("/readyz")[0] == 200
        strike = impact.strike(leader.worker, "kill -9 afterwards")
        leader.worker.kill()
        other.worker.wait_streaming()
        strike.over(other.worker)
    line.scenario.settle(other.worker)
    impact.prove(2)
    acquit(line)
    assert strike.recovery < 7, "the slot told it"
    told = lease.read()["spec"]["renewTime"]
    assert jumped(began, told, jump) == (whose == "other"), "proved nothing"


def told_times(lease, began: str, count: int) -> list[str]:
    """The next renewals' times: more than a Lease's duration of them."""
    told = [began]

    def more() -> bool:
        time = lease.read()["spec"]["renewTime"]
        if time != told[-1]:
            told.append(time)
        return len(told) > count

    wait_until(more, "the Lease is renewed")
    return told


def jumped(before: str, after: str, jump: str) -> bool:
    passed = datetime.fromisoformat(after) - datetime.fromisoformat(before)
    return abs(passed.total_seconds() - int(jump)) < 600
