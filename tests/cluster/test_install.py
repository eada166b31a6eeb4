"""What the charts install, and what comes of a Connector."""

import json

import pytest

from lab.cluster import Refused, within
from lab.fleet import CHART, CONNECTOR_CHART, ChartFleet
from lab.waiting import wait_until


def events_of(line) -> list[dict]:
    return [value for value in line.scenario.values(line.topic) if value]


@pytest.fixture(params=[3, 4], ids=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest) -> int:
    return request.param


def test_a_worker_without_the_operator(helm, space, line, files, neighbour):
    """Beside a policy of networks: there is nothing here that keeps to it, but it is taken."""
    fleet = ChartFleet(space, line, files, helm)
    fleet.worker = {"networkPolicy": {"enabled": True}}
    fleet.start()
    assert space.get("networkpolicy", fleet.deployment)["spec"]["policyTypes"] == ["Ingress", "Egress"]
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
    assert not space.list("deployment")


def test_a_connector_becomes_ready(connector, line, neighbour):
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


ITS_OWN = (
    "deployment",
    "service",
    "configmap",
    "serviceaccount",
    "role",
    "rolebinding",
    "poddisruptionbudget",
)


def test_what_the_operator_makes_is_its_own(connector):
    """Removing the Connector removes all of it."""
    connector.start()
    space = connector.space
    selector = f"pqcdc.io/connector={connector.name}"
    for kind in ITS_OWN:
        assert [each["metadata"]["name"] for each in space.list(kind, selector)] == [f"pqcdc-{connector.name}"], kind
    space.kubectl("delete", f"connector/{connector.name}", within(60))
    connector.pods.wait_ready(0)
    wait_until(lambda: not any(space.list(kind, selector) for kind in ITS_OWN), "nothing of it is left", 60)


def test_a_connector_by_its_chart(connector, line, files):
    file = files / "values.json"
    file.write_text(json.dumps(connector.config()))
    space = connector.space
    space.helm(4, "install", connector.name, str(CONNECTOR_CHART), "--values", str(file))
    space.kubectl("wait", "--for=condition=Ready", f"connector/{connector.name}", within(90))
    line.change(1, 10)
    connector.settle()
    assert len(events_of(line)) == 10
    space.helm(4, "uninstall", connector.name, "--wait")
    assert not space.list("connector")
    connector.pods.wait_ready(0)


@pytest.mark.alone
def test_an_upgrade_in_which_nothing_changed_restarts_no_worker(connector, operator):
    connector.start()
    before = connector.pods.names()
    for major in (3, 4):
        operator.helm(major, "upgrade", "pqcdc", str(CHART), "--wait", within(120))
    generation = connector.space.get("connector", connector.name)["status"]["observedGeneration"]
    assert generation == connector.space.get("connector", connector.name)["metadata"]["generation"]
    assert connector.pods.names() == before
    assert connector.pods.restarts() == 0


def test_the_chart_tests_itself(helm, operator):
    with operator.cluster.locked("operator"):
        assert "Succeeded" in operator.helm(helm, "test", "pqcdc", within(90))


def test_one_that_looks_after_one_namespace(operator, space):
    """Another release, beside policies of networks."""
    values = f"crds.install=false,replicaCount=1,networkPolicy.enabled=true,watchNamespaces={{{space.name}}}"
    space.helm(3, "install", "second", str(CHART), "--set", values, "--wait", within(90))
    policies = {each["metadata"]["name"] for each in space.list("networkpolicy")}
    assert policies == {"second-pqcdc-operator", "second-pqcdc-workers"}
    assert "Succeeded" in space.helm(3, "test", "second", within(90))


def test_pods_must_be_restricted_here(space):
    """What all of these tests are about: every pod of ours runs where this one is refused."""
    pod = {"containers": [{"name": "any", "image": "any"}]}
    with pytest.raises(Refused, match="violates PodSecurity"):
        space.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "any"}, "spec": pod})


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
