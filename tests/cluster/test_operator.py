"""The operator itself goes, comes back, and is far away: connectors stream meanwhile."""

import time

import pytest

from lab.cluster import within
from lab.fleet import CHART, ConnectorFleet
from lab.waiting import wait_until


def seen_generation(connector: ConnectorFleet) -> int:
    return connector.space.get("connector", connector.name).get("status", {}).get("observedGeneration", 0)


@pytest.mark.alone
def test_uninstalled_it_leaves_connectors_as_they_are(connector, operator, operators, line, acquit, say):
    """And it is quick to be back: the time from `helm install` to Ready."""
    connector.start()
    before = connector.pods.names()
    with line.writers(largest=200, pause=0.01):
        operator.helm(3, "uninstall", "pqcdc", "--wait")
        operators.wait_ready(0)
        connector.wait_delivery()
        connector.configure(cdc={"shutdownTimeout": "6s"})  # nobody is there to see it
        start = time.monotonic()
        operator.helm(4, "install", "pqcdc", str(CHART))
        generation = connector.space.get("connector", connector.name)["metadata"]["generation"]
        wait_until(lambda: seen_generation(connector) == generation, "the change is seen", 90, interval=0.1)
        say(f"a waiting change was seen {time.monotonic() - start:.1f} s after helm install began")
        connector.wait_rolled()
        connector.wait_delivery()
    connector.settle()
    acquit(line)
    assert not before & connector.pods.names()


@pytest.mark.alone
def test_the_operator_that_leads_is_killed(connector, operator, operators):
    """The other one goes on."""
    connector.start()
    holder = operator.get("lease", "pqcdc-operator")["spec"]["holderIdentity"]
    (leader,) = [name for name in operators.names() if holder.startswith(name)]
    operators.kill(leader)
    connector.scale(1)
    connector.pods.wait_ready(1)
    connector.wait_condition("Ready", "True")
    operators.wait_ready(2)


@pytest.mark.alone
def test_the_api_server_is_away(connector, operators, line, acquit):
    """Pods stream on, and nothing is restarted, nor is an operator."""
    leader = connector.start()
    cluster = connector.space.cluster
    before = operators.restarts()
    with line.writers(largest=200, pause=0.01):
        connector.wait_delivery()
        cluster.run("kill", "kube-apiserver")
        try:
            connector.wait_delivery()
            connector.wait_delivery()
        finally:
            cluster.run("start", "kube-apiserver")
            wait_until(lambda: answers(cluster), "the API server answers", 90, interval=0.2)
        connector.wait_delivery()
    connector.settle()
    acquit(line)
    assert connector.pods.wait_leader() == leader
    assert connector.pods.restarts() == 0
    assert operators.restarts() == before
    connector.scale(1)  # and the operator acts again
    connector.pods.wait_ready(1)


def answers(cluster) -> bool:
    try:
        return cluster.api.call("GET", "/readyz").body == b"ok"
    except OSError:
        return False


def test_a_namespace_is_deleted(connector, line):
    """Nothing in it holds it up, whatever shall become of the slot."""
    connector.spec = {"deletionPolicy": "Delete"}
    connector.start()
    connector.space.kubectl("delete", "namespace", connector.space.name, within(120))
    wait_until(lambda: not line.scenario.slot_row().get("active"), "nobody reads the slot")
