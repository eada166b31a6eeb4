"""What happens to pods, while there is load: nothing is lost, and order stays."""

import subprocess
import threading
from contextlib import contextmanager

import pytest

from lab.cluster import NODE, within
from lab.waiting import wait_until

PAUSE = 0.01  # between two transactions of a writer: the machine has more to do


@pytest.fixture
def under_load(line, acquit):
    """with under_load(fleet): writers write, and something arrives before and after; then all is judged."""

    @contextmanager
    def load(fleet):
        with line.writers(largest=200, pause=PAUSE):
            fleet.wait_delivery()
            yield
            fleet.wait_delivery()
        fleet.settle()
        acquit(line)

    return load


def test_the_leaders_pod_is_deleted(fleet, under_load, say):
    leader = fleet.start()
    with under_load(fleet):
        with fleet.takeover(say):
            fleet.space.kubectl("delete", "pod", leader, "--wait=false")
        assert fleet.pods.wait_leader() != leader
        fleet.pods.wait_ready(2)


def test_the_leaders_process_is_killed(connector, under_load, say):
    leader = connector.start()
    with under_load(connector):
        with connector.takeover(say):
            connector.pods.kill(leader)
        assert connector.pods.wait_leader(other_than=leader) != leader
        wait_until(lambda: connector.pods.restarts() == 1, "the container is started again")
        connector.pods.wait_ready(2)


def test_a_rollout_is_restarted(connector, under_load, say):
    """What kubectl writes into the Deployment for that stays there."""
    connector.start()
    before = connector.pods.names()
    with under_load(connector), connector.handover(say):
        connector.restart()
        connector.wait_rolled()
    assert not before & connector.pods.names()


def test_it_is_scaled(fleet, under_load):
    fleet.start()
    with under_load(fleet):
        fleet.scale(1)
        fleet.pods.wait_ready(1)
        fleet.wait_delivery()
        fleet.scale(3)
        fleet.pods.wait_ready(3)
        fleet.scale(0)
        fleet.pods.wait_ready(0)
        fleet.scale(2)
        fleet.pods.wait_ready(2)


@pytest.mark.alone
def test_the_node_is_drained(connector, under_load, say):
    """The node is the only one, so that it must take pods again while it is drained."""
    connector.start()
    before = connector.pods.names()
    with under_load(connector), connector.handover(say):
        errors: list[Exception] = []
        drain = threading.Thread(target=drain_node, args=(connector, errors))
        drain.start()
        try:
            wait_until(lambda: is_cordoned(connector), "the node is cordoned")
            connector.space.cluster.kubectl("uncordon", NODE)
            drain.join()
        finally:
            connector.space.cluster.kubectl("uncordon", NODE)
        assert not errors, errors
        connector.pods.wait_ready(2)
    assert not before & connector.pods.names()


def drain_node(fleet, errors: list[Exception]) -> None:
    try:
        fleet.space.cluster.kubectl(
            "drain", NODE, f"--pod-selector={fleet.pods.selector}", "--delete-emptydir-data", within(120)
        )
    except (RuntimeError, subprocess.SubprocessError) as error:
        errors.append(error)


def is_cordoned(fleet) -> bool:
    node = fleet.space.cluster.api.get(f"/api/v1/nodes/{NODE}")
    return node["spec"].get("unschedulable", False)


def test_the_configuration_changes(chart_fleet, under_load):
    """Pods are replaced, one after the other, and a standby stays."""
    chart_fleet.start()
    with under_load(chart_fleet):
        change_configuration(chart_fleet)


def test_the_configuration_changes_and_the_lead_moves_once(connector, under_load, say):
    """The operator sees to it that the leader's pod goes last, when those that stay are there."""
    connector.wait_marked(connector.start())
    transitions = connector.transitions()
    with under_load(connector), connector.handover(say):
        change_configuration(connector)
    assert connector.transitions() == transitions + 1


def change_configuration(fleet) -> None:
    before = fleet.pods.names()
    fleet.configure(kafka={"compression": "lz4"})
    wait_until(lambda: not before & fleet.pods.names(), "no pod of before is left", timeout=120, interval=0.2)
    fleet.wait_rolled()


def test_scaled_down_the_leader_stays(connector, under_load):
    """Of three pods that are as old as each other, so that any of them would do."""
    connector.replicas = 3
    leader = connector.start()
    connector.wait_marked(leader)
    transitions = connector.transitions()
    with under_load(connector):
        connector.scale(1)
        connector.pods.wait_ready(1)
    assert connector.pods.names() == {leader} == {connector.pods.leader()}
    assert connector.transitions() == transitions


def test_the_image_changes(fleet, under_load, image, say):
    fleet.start()
    other = fleet.space.cluster.tag(image, "other")
    with under_load(fleet), fleet.handover(say):
        fleet.set_image(other)
        wait_until(lambda: images(fleet) == {other}, "all pods have the other image", timeout=120, interval=0.2)
        fleet.wait_rolled()


def images(fleet) -> set[str]:
    """Of the pods, as their full names."""
    names = {container["image"] for pod in fleet.pods.all() for container in pod["spec"]["containers"]}
    return {name if "/" in name else f"docker.io/library/{name}" for name in names}
