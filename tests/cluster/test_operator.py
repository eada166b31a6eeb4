"""The operator itself goes, comes back, and is far away: connectors stream meanwhile."""

import time
from pathlib import Path

import pytest

from lab.cluster import Pods, Space, first_process, within
from lab.fleet import CHART, ConnectorFleet
from lab.waiting import wait_until


@pytest.fixture
def operators(operator: Space) -> Pods:
    """Its own pods."""
    return Pods(operator, "app.kubernetes.io/instance=pqcdc,app.kubernetes.io/component=operator")


def resident_mib(pods: Pods) -> dict[str, float]:
    """Pod -> what its process holds in memory."""
    found = {}
    for pod in pods.all():
        container = pod["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2]
        process = Path(f"/proc/{first_process(pod['metadata']['uid'], container)}/status")
        (line,) = [each for each in process.read_text().splitlines() if each.startswith("VmRSS")]
        found[pod["metadata"]["name"]] = int(line.split()[1]) / 1024
    return found


def seen_generation(connector: ConnectorFleet) -> int:
    return connector.space.get("connector", connector.name).get("status", {}).get("observedGeneration", 0)


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


def test_from_nothing_to_ready(connector, operator, operators, say):
    """The images are on the node already."""
    operator.helm(3, "uninstall", "pqcdc", "--wait")
    operators.wait_ready(0)
    start = time.monotonic()
    operator.helm(3, "install", "pqcdc", str(CHART))
    connector.write()
    connector.space.kubectl("wait", "--for=condition=Ready", f"connector/{connector.name}", within(90))
    say(f"Ready {time.monotonic() - start:.1f} s after helm install began")
    operators.wait_ready(2)
    connector.pods.wait_ready(2)
    for kind, pods in (("operator", operators), ("worker", connector.pods)):
        say(f"{kind}: " + ", ".join(f"{mib:.1f} MiB" for mib in resident_mib(pods).values()))


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


def test_the_api_server_is_away(fleet, line, acquit):
    """Pods stream on, and nothing is restarted."""
    leader = fleet.start()
    cluster = fleet.space.cluster
    with line.writers(largest=200, pause=0.01):
        fleet.wait_delivery()
        cluster.run("kill", "kube-apiserver")
        try:
            fleet.wait_delivery()
            fleet.wait_delivery()
        finally:
            cluster.run("start", "kube-apiserver")
            wait_until(lambda: answers(cluster), "the API server answers", 90, interval=0.5)
        fleet.wait_delivery()
    fleet.settle()
    acquit(line)
    assert fleet.pods.wait_leader() == leader
    assert fleet.pods.restarts() == 0


def answers(cluster) -> bool:
    try:
        return cluster.kubectl("get", "--raw", "/readyz") == "ok"
    except RuntimeError:
        return False


def test_a_namespace_is_deleted(connector, line):
    """Nothing in it holds it up, whatever shall become of the slot."""
    connector.spec = {"deletionPolicy": "Delete"}
    connector.start()
    connector.space.kubectl("delete", "namespace", connector.space.name, within(120))
    wait_until(lambda: not line.scenario.slot_row().get("active"), "nobody reads the slot")
