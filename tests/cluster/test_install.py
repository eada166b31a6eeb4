"""Helm and kubectl, as the README has them."""

import json

import pytest

from lab.cluster import Refused, within
from lab.fleet import CHART, ChartFleet


def events_of(line) -> list[dict]:
    return [value for value in line.scenario.values(line.topic) if value]


@pytest.fixture(params=[3, 4], ids=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture
def neighbour(space) -> None:
    """A Service whose variables would be taken for ours, were they in the pods' environment."""
    space.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "pqcdc"},
            "spec": {"ports": [{"port": 80}], "selector": {"app": "nothing"}},
        }
    )


def test_a_worker_without_the_operator(helm, space, line, files, neighbour):
    fleet = ChartFleet(space, line, files, helm)
    fleet.start()
    line.change(1, 10)
    fleet.settle()
    assert len(events_of(line)) == 10
    assert fleet.pods.restarts() == 0

    before = fleet.pods.names()
    fleet.write()  # nothing changed
    fleet.pods.wait_ready(2)
    assert fleet.pods.names() == before
    (lease,) = space.list("lease")
    assert lease["spec"]["holderIdentity"].startswith(fleet.pods.leader())

    space.helm(helm, "uninstall", fleet.name, "--wait")
    fleet.pods.wait_ready(0)


def test_a_values_file_with_a_mistake_is_refused(helm, space, line, files):
    fleet = ChartFleet(space, line, files, helm)
    fleet.changes = {"kafka": {"brokres": ["nowhere:9092"]}}
    with pytest.raises(Refused, match="brokres"):
        fleet.write()
    assert not space.list("deployments")


def test_a_connector_becomes_ready(connector, line):
    space = connector.space
    connector.write()
    space.kubectl("wait", "--for=condition=Ready", f"connector/{connector.name}", within(90))
    connector.pods.wait_ready(2)
    line.change(1, 10)
    connector.settle()
    assert len(events_of(line)) == 10
    leader = connector.pods.wait_leader()
    header, row = (text.split() for text in space.kubectl("get", "connectors").splitlines())
    assert header == ["NAME", "READY", "LEADER", "LAG", "SLOT", "AGE"]
    assert row[:3] == [connector.name, "True", leader]
    assert row[4] == line.scenario.slot
    assert connector.pods.restarts() == 0


def test_what_the_operator_makes_is_its_own(connector):
    """Removing the Connector removes all of it."""
    connector.start()
    space = connector.space
    kinds = "deployments,services,configmaps,serviceaccounts,roles,rolebindings,poddisruptionbudgets"
    selector = f"pqcdc.io/connector={connector.name}"
    made = space.list(kinds, selector)
    assert {each["kind"] for each in made} == {
        "Deployment",
        "Service",
        "ConfigMap",
        "ServiceAccount",
        "Role",
        "RoleBinding",
        "PodDisruptionBudget",
    }
    assert {each["metadata"]["name"] for each in made} == {f"pqcdc-{connector.name}"}
    space.kubectl("delete", f"connector/{connector.name}", within(60))
    connector.pods.wait_ready(0)
    space.kubectl("wait", "--for=delete", f"deployment/pqcdc-{connector.name}", within(60))


def test_an_upgrade_in_which_nothing_changed_restarts_no_worker(connector, operator):
    connector.start()
    before = connector.pods.names()
    for major in (3, 4):
        operator.helm(major, "upgrade", "pqcdc", str(CHART), "--wait", within(120))
    generation = connector.space.get("connector", connector.name)["status"]["observedGeneration"]
    assert generation == connector.space.get("connector", connector.name)["metadata"]["generation"]
    assert connector.pods.names() == before
    assert connector.pods.restarts() == 0


def test_the_chart_tests_itself(operator):
    assert "Succeeded" in operator.helm(3, "test", "pqcdc", within(90))


def test_a_resource_that_is_wrong_is_refused(connector):
    connector.changes = {"cdc": {"slot": {"name": "Not A Name"}}}
    with pytest.raises(Refused, match="cdc.slot.name"):
        connector.write()
    connector.changes = {}
    connector.write()
    with pytest.raises(Refused, match="immutable|may not change|cannot"):
        connector.configure(cdc={"slot": {"name": "another"}})


def test_kubectl_explains_it(operator):
    text = operator.kubectl("explain", "connector.spec.cdc.slot.name")
    assert "DESCRIPTION" in text and len(text.split("DESCRIPTION")[1].strip()) > 20
    assert json.loads(operator.kubectl("get", "--raw", "/apis/pqcdc.io/v1alpha1"))["resources"]
