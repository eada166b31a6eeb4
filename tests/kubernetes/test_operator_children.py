"""What the operator writes is what it reads again: a real API server gives defaults, and writes some
values otherwise. Nothing of that is a difference, and everything that somebody changes by hand is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.kubernetes import Namespace
from lab.operator import Operator, Shop, operator_rules
from lab.waiting import wait_until

TEMPLATE = {
    "resources": {"requests": {"cpu": "1000m", "memory": "0.5Gi"}, "limits": {"memory": 536870912}},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [
        {"key": "dedicated", "operator": "Equal", "value": "cdc", "effect": "NoSchedule"},
        {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5},
    ],
    "affinity": {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 1,
                    "podAffinityTerm": {
                        "topologyKey": "kubernetes.io/hostname",
                        "labelSelector": {"matchLabels": {"a": "b"}},
                    },
                }
            ]
        }
    },
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}
    ],
    "priorityClassName": "high",
    "annotations": {"team": "shop"},
    "labels": {"tier": "data"},
    "env": [{"name": "TZ", "value": "UTC"}, {"name": "EMPTY", "value": ""}],
    "envFrom": [{"secretRef": {"name": "more", "optional": False}}],
    "volumes": [
        {"name": "extra", "emptyDir": {"sizeLimit": "1024Mi"}},
        {"name": "more", "secret": {"secretName": "more", "optional": False}},
    ],
    "volumeMounts": [
        {"name": "extra", "mountPath": "/extra", "readOnly": False},
        {"name": "extra", "mountPath": "/other", "subPath": "b"},
    ],
    "securityContext": {"runAsUser": 1000, "privileged": False},
    "podSecurityContext": {"fsGroup": 2000, "supplementalGroups": []},
    "imagePullSecrets": [{"name": "registry"}],
}
FULL = {
    "format": {"headers": ["lsn"], "tombstones": True},
    "election": {"leaseDuration": "6s", "renewDeadline": "4s", "retryPeriod": "1s"},
    "replicas": 3,
    "deletionPolicy": "Delete",
    "template": TEMPLATE,
}
BY_HAND = {
    "ServiceAccount": {"automountServiceAccountToken": True},
    "Role": {"rules": []},
    "RoleBinding": {"subjects": [{"kind": "ServiceAccount", "name": "default"}]},
    "ConfigMap": {"data": {"config.yaml": "{}"}},
    "Service": {"spec": {"publishNotReadyAddresses": False}},
    "PodDisruptionBudget": {"spec": {"maxUnavailable": 2}},
    "Deployment": {"spec": {"replicas": 7, "template": {"spec": {"enableServiceLinks": True}}}},
}


@pytest.fixture
def market(crd: dict, namespace: Namespace) -> Shop:
    return Shop(namespace)


@pytest.fixture
def operator(program: Path, namespace: Namespace, tmp_path: Path) -> Iterator[Operator]:
    """With the chart's rights, alone, and in no hurry: what it does is seen in its metrics."""
    account = namespace.service_account("operator", operator_rules())
    kubeconfig = account.kubeconfig(tmp_path / "kubeconfig", account.mount(tmp_path / "account"))
    operator = Operator(
        program.with_name("pqcdc-operator"),
        tmp_path / "operator",
        kubeconfig,
        [namespace.name],
        ["--leader-elect=false", "--resync=1s"],
    )
    operator.start()
    operator.wait_leads()
    yield operator
    operator.close()


def looks(operator: Operator, result: str) -> float:
    return operator.metrics().get(f'pqcdc_operator_reconcile_total{{result="{result}"}}', 0)


def writes(operator: Operator) -> dict[str, float]:
    """Requests that ask for a change, as they were counted."""
    marks = [f'verb="{verb}"' for verb in ("patch", "apply", "post", "put", "delete", "create", "update")]
    return {
        name: value
        for name, value in operator.metrics().items()
        if name.startswith("pqcdc_operator_api_requests_total") and any(mark in name.lower() for mark in marks)
    }


def wait_quiet(operator: Operator, count: int = 4) -> None:
    """So many looks in a row had nothing to do."""

    def quiet() -> bool:
        changed, idle = looks(operator, "changed"), looks(operator, "idle")
        operator.wait(lambda: looks(operator, "idle") >= idle + count, "it looks again")
        return looks(operator, "changed") == changed

    operator.wait(quiet, "nothing is left to do", 60)


@pytest.mark.parametrize("spec", [{}, FULL, {"paused": True}], ids=["minimal", "full", "paused"])
def test_what_was_written_is_not_written_again(market: Shop, operator: Operator, spec: dict):
    market.create("orders", **spec)
    market.wait_observed("orders")
    operator.wait(lambda: market.child("Deployment", "orders"), "the Deployment is there")
    wait_quiet(operator)
    before, versions = writes(operator), market.versions()
    assert before, "no request was counted: this proves nothing"
    idle = looks(operator, "idle")
    operator.wait(lambda: looks(operator, "idle") >= idle + 5, "it looks five times more")
    assert writes(operator) == before
    assert market.versions() == versions
    assert looks(operator, "failed") == looks(operator, "refused") == 0, operator.tail()


@pytest.mark.parametrize("kind", BY_HAND)
def test_what_is_changed_by_hand_is_mended(market: Shop, operator: Operator, kind: str):
    market.create("orders")
    children = market.wait_children("orders")
    wait_quiet(operator)
    path = market.path(kind, "pqcdc-orders")
    wanted = {key: children[kind].get(key) for key in BY_HAND[kind]}
    version = market.api.patch(path, BY_HAND[kind])["metadata"]["resourceVersion"]
    others = {name: each for name, each in market.versions().items() if not name.startswith(f"{kind}/")}

    def mended() -> bool:
        child = market.api.get(path)
        same = {key: child.get(key) for key in BY_HAND[kind]} == wanted
        return same and child["metadata"]["resourceVersion"] != version

    wait_until(mended, f"{kind} is as it was")
    assert others.items() <= market.versions().items(), "others were written as well"


def test_what_others_add_stays(market: Shop, operator: Operator):
    market.create("orders")
    market.wait_children("orders")
    wait_quiet(operator)
    path = market.path("Deployment", "pqcdc-orders")
    restarted = {"kubectl.kubernetes.io/restartedAt": "2026-01-02T03:04:05Z"}
    market.api.patch(
        path,
        {"metadata": {"labels": {"cost": "x"}}, "spec": {"template": {"metadata": {"annotations": restarted}}}},
    )
    wait_quiet(operator)
    deployment = market.api.get(path)
    assert deployment["metadata"]["labels"]["cost"] == "x"
    assert restarted.items() <= deployment["spec"]["template"]["metadata"]["annotations"].items()


def test_a_secret_that_a_volume_waits_for_is_named(market: Shop, operator: Operator):
    """It shows in no field of the pod: the kubelet says so in events only."""
    market.create("orders")
    template = market.wait_children("orders")["Deployment"]["spec"]["template"]
    path = market.path("Pod", "pqcdc-orders-a")
    metadata = {"name": "pqcdc-orders-a", "labels": template["metadata"]["labels"]}
    market.api.post(market.path("Pod"), {"metadata": metadata, "spec": template["spec"]})
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-02T03:04:05Z"}
    container = {"name": "worker", "ready": False, "restartCount": 0, "image": "i", "imageID": ""}
    container["state"] = {"waiting": {"reason": "ContainerCreating"}}
    status = {"phase": "Pending", "conditions": [scheduled], "containerStatuses": [container]}
    market.api.patch(f"{path}/status", {"status": status})
    said = market.wait_condition("orders", "Ready", "False", "PodsUnavailable")
    assert 'Secret "database" with key "password"' in said["message"], said
    assert market.condition("orders", "Degraded")["status"] == "True"
