"""Every value does what it says: in what is rendered."""

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from charts.conftest import PQCDC, SETS, VALUES, render_set
from lab import charts
from lab.charts import ROOT, Value
from lab.helm import MONITORING, Helm, HelmError

EVERYTHING = VALUES / "everything.yaml"

# --- every value counts ----------------------------------------------------------------------------

# What must be so before a value counts, and values that are nobody's alone.
BEFORE = {
    "operator.leaderElect": {"replicaCount": 1},
}
TESTED_ELSEWHERE = {"global", "worker.config"}
OFF: set[str] = set()  # what even everything.yaml leaves switched off
WORDS = ("other", "7s", f"sha256:{'a' * 64}")


def another(value: Value) -> object:
    """A value that may be there, and is not what it is in everything.yaml."""
    default, said = value.default, value.directives
    if value.name.endswith(".enabled"):
        return value.name in OFF
    if "enum" in said:
        return next(word for word in said["enum"] if word != default)
    if isinstance(default, bool):
        return not default
    if isinstance(default, int) or "integer" in said.get("type", ()):
        return 7
    if isinstance(default, str):
        pattern = " ".join(said.get("pattern", [".*"]))
        return next(word for word in WORDS if re.fullmatch(pattern, word))
    if isinstance(default, list):
        return [{"string": "other", "integer": 1234}.get(said["items"][0], {"name": "marker"})]
    return {**default, "marker": "x"}


def leaves() -> list[Value]:
    values = charts.read_values((ROOT / PQCDC / "values.yaml").read_text())
    return [value for value in values.values() if not value.is_block and value.name not in TESTED_ELSEWHERE]


def test_every_value_changes_something(helm4: Helm) -> None:
    def rendered(values: dict) -> list:
        names = {name.replace(".", "__"): value for name, value in values.items()}
        return helm4.template(PQCDC, EVERYTHING, versions=(MONITORING,), **names)

    usual = rendered({})

    def is_idle(value: Value) -> bool:
        before = BEFORE.get(value.name)
        changed = rendered({**(before or {}), value.name: another(value)})
        return changed == (rendered(before) if before else usual)

    with ThreadPoolExecutor(2) as pool:
        idle = [value.name for value, yes in zip(leaves(), pool.map(is_idle, leaves()), strict=True) if yes]
    assert not idle, "nothing comes of them"


# --- knobs of pods ---------------------------------------------------------------------------------

OBJECT, LIST = {"key": "marker"}, [{"name": "marker"}]
POD_KNOBS = {
    "nodeSelector": OBJECT,
    "tolerations": LIST,
    "affinity": OBJECT,
    "priorityClassName": "marker",
    "schedulerName": "marker",
    "runtimeClassName": "marker",
    "terminationGracePeriodSeconds": 77,
    "dnsPolicy": "Default",
    "dnsConfig": OBJECT,
    "hostAliases": LIST,
    "hostNetwork": True,
    "initContainers": LIST,
    "automountServiceAccountToken": False,
}
CONTAINER_KNOBS = {
    "resources": OBJECT,
    "lifecycle": OBJECT,
    "livenessProbe": OBJECT,
    "readinessProbe": OBJECT,
    "startupProbe": OBJECT,
}
APPENDED = {
    "extraEnv": ("env", LIST),
    "extraEnvFrom": ("envFrom", LIST),
    "extraVolumeMounts": ("volumeMounts", LIST),
    "extraArgs": ("args", ["--marker"]),
}
COMPONENTS = {"operator": "", "worker": "worker__"}


@pytest.fixture(params=COMPONENTS)
def component(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def deployment(helm: Helm, component: str):
    """deployment(name=value, ...) -> the component's, with those values of its own."""

    def make(**values: object) -> dict:
        own = {COMPONENTS[component] + name: value for name, value in values.items()}
        return helm.template(PQCDC, EVERYTHING, **own).one("Deployment", component=component)

    return make


@pytest.fixture
def pod(deployment):
    return lambda **values: deployment(**values)["spec"]["template"]["spec"]


def contains(whole: object, part: object) -> bool:
    if isinstance(part, dict):
        return all(contains(whole.get(key), value) for key, value in part.items())
    return whole == part


def test_knobs_of_the_pod(pod) -> None:
    spec = pod(**POD_KNOBS)
    assert {name: spec.get(name) for name in POD_KNOBS} == POD_KNOBS
    missing = {name for name in POD_KNOBS if not contains(spec.get(name), POD_KNOBS[name])}
    assert not missing


def test_knobs_of_the_container(pod) -> None:
    container = pod(**CONTAINER_KNOBS)["containers"][0]
    missing = {name for name in CONTAINER_KNOBS if not contains(container.get(name), CONTAINER_KNOBS[name])}
    assert not missing


def test_what_is_added_comes_last(pod) -> None:
    container = pod(**{name: value for name, (_, value) in APPENDED.items()})["containers"][0]
    for key, value in APPENDED.values():
        assert container[key][-1:] == value
    assert {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}} in container["env"]


def test_more_containers_and_volumes(pod) -> None:
    spec = pod(extraContainers=LIST, extraVolumes=LIST)
    assert spec["containers"][1:] == LIST
    assert spec["volumes"][-1:] == LIST
    assert {"name": "tmp", "emptyDir": {}} in spec["volumes"]


def test_security_contexts_are_merged_and_taken_away(pod) -> None:
    spec = pod(
        podSecurityContext__runAsUser=None, podSecurityContext__fsGroup=7, securityContext__privileged=False
    )
    assert "runAsUser" not in spec["securityContext"]
    assert spec["securityContext"]["fsGroup"] == 7
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["containers"][0]["securityContext"]["privileged"] is False
    assert spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


def test_spread_without_a_selector_gets_that_of_the_pods(deployment) -> None:
    mine = {"matchLabels": {"mine": "yes"}}
    made = deployment(
        topologySpreadConstraints=[{"topologyKey": "zone"}, {"topologyKey": "host", "labelSelector": mine}]
    )
    spread = made["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert [item["labelSelector"] for item in spread] == [made["spec"]["selector"], mine]


def test_the_deployment(deployment) -> None:
    made = deployment(
        replicaCount=5,
        revisionHistoryLimit=1,
        minReadySeconds=9,
        updateStrategy={"type": "Recreate"},
        deploymentAnnotations={"a": "b"},
        podAnnotations={"c": "d"},
        podLabels={"e": "f"},
    )
    spec = made["spec"]
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["minReadySeconds"]) == (5, 1, 9)
    assert spec["strategy"]["type"] == "Recreate"
    assert made["metadata"]["annotations"] == {"a": "b"}
    assert spec["template"]["metadata"]["annotations"]["c"] == "d"
    assert spec["template"]["metadata"]["labels"]["e"] == "f"


def test_labels_by_which_pods_are_known_cannot_be_taken_over(deployment) -> None:
    spec = deployment(podLabels={"app.kubernetes.io/component": "mine"})["spec"]
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("create", [True, False])
def test_the_service_account(helm: Helm, component: str, create: bool) -> None:
    block = COMPONENTS[component] + "serviceAccount__"
    values = {block + "create": create, block + "name": "mine", block + "annotations": {"a": "b"}}
    made = helm.template(PQCDC, EVERYTHING, **values)
    accounts = made.all("ServiceAccount", component=component)
    assert [(one["metadata"]["name"], one["metadata"]["annotations"]) for one in accounts] == (
        [("mine", {"a": "b"})] if create else []
    )
    spec = made.one("Deployment", component=component)["spec"]["template"]["spec"]
    assert spec["serviceAccountName"] == "mine"
    bound = {
        subject["name"]
        for kind in ("RoleBinding", "ClusterRoleBinding")
        for item in made.all(kind, component=component)
        for subject in item["subjects"]
    }
    assert bound == {"mine"}


# --- image -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ({}, "pqcdc:0.1.0"),
        ({"image__registry": "registry.example:5000"}, "registry.example:5000/pqcdc:0.1.0"),
        ({"image__repository": "shop/cdc", "image__tag": "7"}, "shop/cdc:7"),
        ({"image__tag": "7", "image__digest": f"sha256:{'0' * 64}"}, f"pqcdc@sha256:{'0' * 64}"),
        ({"global": {"imageRegistry": "a"}, "image__registry": "b"}, "a/pqcdc:0.1.0"),
    ],
)
def test_the_image_is_one_everywhere(helm: Helm, values: dict, image: str) -> None:
    made = helm.template(PQCDC, EVERYTHING, **values)
    images = {container["image"] for pod in made.pods() for container in pod["containers"]}
    assert images == {image}
    assert argument(made, "--worker-image") == image


def test_workers_may_have_another_image(helm: Helm) -> None:
    made = helm.template(PQCDC, operator__workerImage="other:1", image__pullPolicy="Always")
    assert argument(made, "--worker-image") == "other:1"
    assert argument(made, "--image-pull-policy") == "Always"


def test_pull_secrets_are_names_or_objects(helm: Helm) -> None:
    made = helm.template(
        PQCDC,
        EVERYTHING,
        imagePullSecrets=["a", {"name": "b"}],
        **{"global": {"imagePullSecrets": ["c", "a"]}},
    )
    for pod in made.pods():
        assert sorted(item["name"] for item in pod["imagePullSecrets"]) == ["a", "b", "c"]


# --- names, labels, namespaces ---------------------------------------------------------------------

STANDARD = {"name", "instance", "version", "managed-by", "part-of", "component"}
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@pytest.mark.parametrize("release", ["pqcdc", "orders", "a" * 53, f"{'a' * 38}-{'b' * 14}"])
def test_names_are_short_enough_and_unlike(render, release: str) -> None:
    made = render("everything", release=release)
    for item in made:
        if "namespace" in item["metadata"]:
            assert DNS_LABEL.fullmatch(item["metadata"]["name"]), item["metadata"]["name"]
    assert len({(item["kind"], item["metadata"]["name"]) for item in made}) == len(made)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "orders-pqcdc-operator"),
        ({"nameOverride": "cdc"}, "orders-cdc-operator"),
        ({"nameOverride": "orders"}, "orders-operator"),
        ({"fullnameOverride": "mine"}, "mine-operator"),
    ],
)
def test_names_may_be_others(helm: Helm, values: dict, name: str) -> None:
    made = helm.template(PQCDC, release="orders", **values)
    assert made.one("Deployment")["metadata"]["name"] == name


def test_a_release_that_is_called_like_the_chart(helm: Helm) -> None:
    assert helm.template(PQCDC).one("Deployment")["metadata"]["name"] == "pqcdc-operator"


def test_labels_and_annotations_of_everything(helm: Helm) -> None:
    made = helm.template(
        PQCDC, EVERYTHING, versions=(MONITORING,), commonLabels={"team": "data"}, commonAnnotations={"a": "b"}
    )
    for item in made:
        if item["kind"] == "CustomResourceDefinition":
            continue
        labels = item["metadata"]["labels"]
        assert {f"app.kubernetes.io/{name}" for name in STANDARD} | {"helm.sh/chart"} <= labels.keys(), item
        assert labels["team"] == "data"
        assert item["metadata"]["annotations"]["a"] == "b"


@pytest.mark.parametrize("values", [{}, {"namespaceOverride": "elsewhere"}])
def test_everything_is_in_the_releases_namespace(helm: Helm, values: dict) -> None:
    made = helm.template(PQCDC, EVERYTHING, versions=(MONITORING,), namespace="shop", **values)
    wanted = values.get("namespaceOverride", "shop")
    assert {item["metadata"].get("namespace", wanted) for item in made} == {wanted}
    cluster = {item["kind"] for item in made if "namespace" not in item["metadata"]}
    assert cluster == {"CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"}


# --- the operator ----------------------------------------------------------------------------------


def argument(made, name: str) -> str:
    arguments = made.one("Deployment", component="operator")["spec"]["template"]["spec"]["containers"][0][
        "args"
    ]
    return arguments[arguments.index(name) + 1]


def test_arguments_of_the_operator(helm: Helm) -> None:
    made = helm.template(
        PQCDC,
        watchNamespaces=["shop", "crm"],
        operator__resync="1m",
        operator__statusInterval="5s",
        operator__logLevel="DEBUG",
        operator__logFormat="text",
        operator__httpPort=9000,
        operator__workerPort=9001,
    )
    wanted = {
        "--watch-namespaces": "shop,crm",
        "--resync": "1m",
        "--status-interval": "5s",
        "--log-level": "DEBUG",
        "--log-format": "text",
        "--http-port": "9000",
        "--worker-port": "9001",
        "--leader-elect": "true",
    }
    assert {name: argument(made, name) for name in wanted} == wanted


@pytest.mark.parametrize("name", ["default", "namespaces", "both"])
def test_the_operator_takes_its_arguments(helm4: Helm, program: Path, name: str) -> None:
    """With --version it ends when it has read them."""
    made = render_set(helm4, name).one("Deployment", component="operator")
    arguments = made["spec"]["template"]["spec"]["containers"][0]["args"]
    command = [program.parent / "pqcdc-operator", *arguments]
    done = subprocess.run([*command, "--version"], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([*command, "--planted"], check=False, capture_output=True, text=True)
    assert "--planted is not known" in done.stderr


def rules_of(made, kind: str, **labels: str) -> list[dict]:
    return [rule for item in made.all(kind, **labels) for rule in item["rules"]]


def test_rights_in_some_namespaces_need_none_in_the_cluster(helm: Helm) -> None:
    made = helm.template(PQCDC, watchNamespaces=["shop", "crm"], crds__install=False, namespace="ops")
    assert all("namespace" in item["metadata"] for item in made)
    roles = {item["metadata"]["namespace"]: item["rules"] for item in made.all("Role")}
    everywhere = rules_of(helm.template(PQCDC, rbac__aggregate=False), "ClusterRole")
    assert roles["shop"] == roles["crm"] == everywhere
    assert {resource for rule in roles["ops"] for resource in rule["resources"]} == {"leases", "events"}
    for binding in made.all("RoleBinding"):
        assert [subject["namespace"] for subject in binding["subjects"]] == ["ops"]


def test_a_namespace_that_is_watched_and_the_releases_own(helm: Helm) -> None:
    made = helm.template(PQCDC, watchNamespaces=["shop"], namespace="shop")
    assert [item["metadata"]["namespace"] for item in made.all("Role")] == ["shop"]


@pytest.mark.parametrize("name", [name for name in SETS if SETS[name][0] == PQCDC])
def test_nobody_may_read_secrets(render, name: str) -> None:
    made = render(name)
    rules = rules_of(made, "Role") + rules_of(made, "ClusterRole")
    assert rules
    for rule in rules:
        assert "*" not in rule["resources"] + rule["verbs"] + rule["apiGroups"]
        assert "secrets" not in rule["resources"]
        assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])


def test_the_operator_may_do_what_it_does(helm4: Helm) -> None:
    """Whatever stands in the table of what it watches and writes."""
    may = {
        (group, resource): set(rule["verbs"])
        for rule in rules_of(helm4.template(PQCDC, rbac__aggregate=False), "ClusterRole")
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    rows = re.findall(
        r'^KIND\("([^"]+)", "\w+", "(\w+)", KINDS_(\w+),', (ROOT / "src/operator/kinds.def").read_text(), re.M
    )
    assert rows
    made = {"get", "create"}  # children and the Job; what may come to an end before the Connector does is deleted
    ends = {"serviceaccounts", "poddisruptionbudgets", "podmonitors"}
    for version, resource, role in rows:
        group = version.rpartition("/")[0]
        needed = {"list", "watch", "patch"} | (made if role not in ("CONNECTOR", "POD") else set())
        needed |= {"delete"} if resource in ends else set()
        assert may.get((group, resource)) == needed, resource


def test_no_rights_at_all(helm: Helm) -> None:
    made = helm.template(PQCDC, EVERYTHING, rbac__create=False, worker__rbac__create=False)
    assert not {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"} & made.kinds


@pytest.mark.parametrize(("replicas", "budgets"), [(1, 0), (2, 1)])
def test_a_budget_only_where_there_are_several(helm: Helm, replicas: int, budgets: int) -> None:
    assert len(helm.template(PQCDC, replicaCount=replicas).all("PodDisruptionBudget")) == budgets


def test_a_budget_has_one_of_the_two(helm: Helm, component: str) -> None:
    block = COMPONENTS[component] + "podDisruptionBudget__"
    spec = helm.template(PQCDC, EVERYTHING, **{block + "minAvailable": "50%"}).one(
        "PodDisruptionBudget", component=component
    )["spec"]
    assert spec["minAvailable"] == "50%"
    assert "maxUnavailable" not in spec


def test_monitors_only_where_the_cluster_knows_them(helm: Helm) -> None:
    monitoring = {"ServiceMonitor", "PodMonitor", "PrometheusRule"}
    assert monitoring <= helm.template(PQCDC, EVERYTHING, versions=(MONITORING,)).kinds
    assert not monitoring & helm.template(PQCDC, EVERYTHING).kinds


def unknown_metrics(expressions: list[str]) -> set[str]:
    names = {name for text in expressions for name in re.findall(r"pqcdc_\w+", text)}
    assert names
    known = (ROOT / "docs/metrics.md").read_text()
    return {name for name in names if name not in known}


def test_alerts_are_about_metrics_that_exist(helm: Helm) -> None:
    made = helm.template(PQCDC, EVERYTHING, versions=(MONITORING,)).one("PrometheusRule")
    rules = made["spec"]["groups"][0]["rules"]
    assert not unknown_metrics([rule["expr"] for rule in rules])
    for rule in rules[1:]:
        (labels,) = re.findall(r"by \((.+?)\)", rule["expr"])
        named = set(re.findall(r"\{\{ \$labels\.(\w+) \}\}", rule["annotations"]["summary"]))
        assert named == set(labels.split(", ")), "a summary names what it is about, by labels that are there"


def test_the_dashboard_is_about_metrics_that_exist(helm: Helm) -> None:
    made = helm.template(PQCDC, metrics__dashboard__enabled=True).one("ConfigMap")
    assert made["metadata"]["labels"]["grafana_dashboard"] == "1"
    panels = json.loads(made["data"]["pqcdc.json"])["panels"]
    assert not unknown_metrics([target["expr"] for panel in panels for target in panel["targets"]])


def test_workers_let_the_operator_read_their_status(helm: Helm) -> None:
    made = render_set(helm, "namespaces")
    policies = [item for item in made.all("NetworkPolicy") if item["metadata"]["name"] == "pqcdc-workers"]
    assert {item["metadata"]["namespace"] for item in policies} == {"shop", "crm"}
    operator = made.one("Deployment")["spec"]["selector"]["matchLabels"]
    for policy in policies:
        assert (
            policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/managed-by"] == "pqcdc-operator"
        )
        (rule,) = policy["spec"]["ingress"]
        assert rule["from"][-1]["podSelector"]["matchLabels"] == operator
        assert rule["from"][-1]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "shop"}


def test_further_objects_are_objects_or_text(helm: Helm) -> None:
    one = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "{{ .Release.Name }}-a", "labels": {}},
    }
    text = yaml.safe_dump({**one, "metadata": {"name": '{{ include "pqcdc.fullname" . }}-b', "labels": {}}})
    made = helm.template(PQCDC, extraObjects=[one, text])
    assert [item["metadata"]["name"] for item in made.all("ConfigMap")] == ["pqcdc-a", "pqcdc-b"]


def test_nothing_is_enabled(helm: Helm) -> None:
    assert not helm.template(PQCDC, operator__enabled=False, crds__install=False)


def test_the_versions_are_that_of_the_tree() -> None:
    version = re.search(r"^project\(pqcdc VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text(), re.M)[1]
    for chart in charts.CHARTS:
        about = yaml.safe_load((ROOT / "charts" / chart / "Chart.yaml").read_text())
        assert about["appVersion"] == version
        assert f"pqcdc:{version}" in about["annotations"].get("artifacthub.io/images", f"pqcdc:{version}")


# --- pods ------------------------------------------------------------------------------------------


def test_pods_are_restricted(render, value_set: str) -> None:
    """What the Pod Security Standard asks for, and what we promise beyond it."""
    for pod in render(value_set).pods():
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["readOnlyRootFilesystem"] is True
            assert container["resources"]["limits"].keys() == {"memory"}


def test_helm_test_asks_each_that_was_installed(helm: Helm) -> None:
    pod = helm.template(PQCDC, EVERYTHING, operator__httpPort=9000).one("Pod")
    asked = {container["name"]: container["args"] for container in pod["spec"]["containers"]}
    assert asked == {
        "operator": ["--check", "http://pqcdc-operator:9000/readyz"],
        "worker": ["--check", "http://pqcdc-worker:8080/readyz"],
    }
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"


def test_nothing_to_test(helm: Helm) -> None:
    made = helm.template(PQCDC, metrics__service__enabled=False)
    assert not {"Pod", "Service"} & made.kinds
    assert "Pod" not in helm.template(PQCDC, tests__enabled=False).kinds


def test_two_operators_that_both_act_are_refused(helm: Helm) -> None:
    assert helm.template(PQCDC, operator__leaderElect=False, replicaCount=1)
    with pytest.raises(HelmError, match="undo each other's work"):
        helm.template(PQCDC, operator__leaderElect=False)
