"""What is rendered, and Helm itself, on a real API server: no controllers, so that nothing runs."""

import json
import secrets
from pathlib import Path

import pytest
import yaml

from charts.conftest import CONNECTOR, PQCDC, SETS, render_set
from lab import charts
from lab.charts import ROOT
from lab.helm import Helm, HelmError
from lab.kubernetes import Answer, ApiServer, Namespace, worker_rules
from lab.waiting import wait_until

pytestmark = pytest.mark.xdist_group("api")  # one server for all
# Of what the API server knows only with the Prometheus operator.
UNKNOWN = {"ServiceMonitor", "PodMonitor", "PrometheusRule"}
LEVELS = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
PLURALS = {"NetworkPolicy": "networkpolicies"}
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DEFINITION = f"{CRDS}/connectors.pqcdc.io"
GONE = 120  # seconds: the API server removes what there is of a definition before the definition itself


@pytest.fixture
def space(api: ApiServer, namespace: Namespace) -> Namespace:
    """One that lets only restricted pods in."""
    api.admin.patch(f"/api/v1/namespaces/{namespace.name}", {"metadata": {"labels": LEVELS}})
    path = f"/api/v1/namespaces/{namespace.name}/serviceaccounts"
    api.admin.post(path, {"metadata": {"name": "default"}})  # what the missing controller would do
    return namespace


def collection(item: dict) -> str:
    version, kind = item["apiVersion"], item["kind"]
    plural = PLURALS.get(kind, f"{kind.lower()}s")
    place = item["metadata"].get("namespace")
    head = "/api/v1" if version == "v1" else f"/apis/{version}"
    return f"{head}/namespaces/{place}/{plural}" if place else f"{head}/{plural}"


def dry_run(api: ApiServer, item: dict) -> Answer:
    """Everything that an admission does; nothing is kept."""
    return api.admin.call("POST", f"{collection(item)}?dryRun=All&fieldValidation=Strict", item)


@pytest.fixture
def definition(api: ApiServer) -> None:
    """That of Connector is there; it stays, since it is the same for all."""
    if api.admin.find(DEFINITION) is None:
        api.admin.post(CRDS, (ROOT / charts.CRD).read_text(), "application/yaml")
    wait_established(api)


def wait_established(api: ApiServer) -> None:
    def conditions() -> dict:
        found = api.admin.get(DEFINITION).get("status", {}).get("conditions") or ()
        return {one["type"]: one["status"] for one in found}

    wait_until(lambda: conditions().get("Established") == "True", "Connector is known")
    path = "/apis/pqcdc.io/v1alpha1/connectors"
    wait_until(lambda: api.admin.call("GET", path).status == 200, "Connectors can be asked for")


def test_every_object_is_accepted_without_a_warning(
    api, space, definition, helm: Helm, value_set: str
) -> None:
    own = {"watchNamespaces": [space.name]} if value_set == "namespaces" else {}
    made = render_set(helm, value_set, namespace=space.name, **own)
    seen = 0
    for item in made:
        if item["kind"] in UNKNOWN or item["kind"] == "CustomResourceDefinition":
            continue
        if item["kind"] == "Pod":  # else admission looks for it
            item["spec"]["serviceAccountName"] = "default"
        answer = dry_run(api, item)
        assert answer.status == 201, f"{item['kind']}: {answer.body.decode()}"
        assert answer.headers.get_all("Warning") is None, answer.headers.get_all("Warning")
        seen += 1
    assert seen > 0


def test_a_pod_that_is_not_restricted_would_be_seen(api, space, helm4: Helm) -> None:
    made = render_set(helm4, "default", namespace=space.name, securityContext__allowPrivilegeEscalation=True)
    answer = dry_run(api, made.one("Deployment"))
    assert "allowPrivilegeEscalation != false" in answer.headers["Warning"]


def test_a_field_that_does_not_exist_would_be_seen(api, space, helm4: Helm) -> None:
    deployment = render_set(helm4, "default", namespace=space.name).one("Deployment")
    deployment["spec"]["template"]["spec"]["nodeSelektor"] = {}
    answer = dry_run(api, deployment)
    assert answer.status == 400
    assert 'unknown field "spec.template.spec.nodeSelektor"' in answer.object["message"]


def test_the_example_that_the_chart_announces_is_a_connector(api, space, definition) -> None:
    about = yaml.safe_load((ROOT / PQCDC / "Chart.yaml").read_text())["annotations"]
    (example,) = yaml.safe_load(about["artifacthub.io/crdsExamples"])
    example["metadata"]["namespace"] = space.name
    answer = dry_run(api, example)
    assert answer.status == 201, answer.body


# --- Helm's own life cycle -------------------------------------------------------------------------


class Release:
    """Of a chart in a namespace, by one of the Helms."""

    def __init__(self, helm: Helm, space: Namespace, directory: Path):
        self.space = space
        self.major = helm.major
        self._helm = helm
        self._home = directory
        self._kubeconfig = space.server.admin_kubeconfig(directory / "kubeconfig")

    def run(self, *arguments: str) -> str:
        place = ["--kubeconfig", str(self._kubeconfig), "--namespace", self.space.name]
        return self._helm.run(*arguments, *place, home=self._home)

    def find(self, path: str) -> dict | None:
        return self.space.server.admin.find(path)


@pytest.fixture
def release(helm: Helm, space: Namespace, tmp_path: Path):
    made = Release(helm, space, tmp_path)
    yield made
    for name in json.loads(made.run("list", "--output", "json")):
        made.run("uninstall", name["name"])
    if made.find(DEFINITION):
        space.server.admin.delete(DEFINITION)
        wait_until(lambda: made.find(DEFINITION) is None, "the definition is gone", GONE)


def connector(space: Namespace) -> str:
    return f"/apis/pqcdc.io/v1alpha1/namespaces/{space.name}/connectors/orders"


def test_a_life_from_install_to_uninstall(api, space, release: Release) -> None:
    """The definition stays, and with it every Connector; another install takes it over."""
    if release.find(DEFINITION):
        api.admin.delete(DEFINITION)
        wait_until(lambda: release.find(DEFINITION) is None, "it is not there", GONE)
    notes = release.run("install", "pqcdc", PQCDC)
    assert "kubectl apply -f - <<END" in notes
    wait_established(api)
    example = notes.partition("<<END\n")[2].partition("\nEND\n")[0]
    api.admin.post(collection(yaml.safe_load(example)), yaml.safe_load(example))
    assert release.find(connector(space))["spec"]["cdc"]["host"] == "db.example"

    before = deployment_of(release)
    release.run("upgrade", "pqcdc", PQCDC)
    assert deployment_of(release)["metadata"]["generation"] == before["metadata"]["generation"]
    release.run("upgrade", "pqcdc", PQCDC, "--set", "operator.logLevel=DEBUG")
    assert deployment_of(release)["metadata"]["generation"] == before["metadata"]["generation"] + 1

    release.run("uninstall", "pqcdc")
    assert deployment_of(release) is None
    assert release.find(DEFINITION) and release.find(connector(space))
    release.run("install", "pqcdc", PQCDC)
    assert release.find(connector(space))
    api.admin.delete(connector(space))


def deployment_of(release: Release) -> dict | None:
    return release.find(f"/apis/apps/v1/namespaces/{release.space.name}/deployments/pqcdc-operator")


def test_a_definition_that_somebody_applied_is_taken_over_on_request(api, definition, release: Release) -> None:
    """Also an older one."""
    if "meta.helm.sh/release-name" in api.admin.get(DEFINITION)["metadata"].get("annotations", {}):
        forget_release(api)
    api.admin.patch(DEFINITION, {"spec": {"names": {"categories": ["older"]}}})
    with pytest.raises(HelmError, match="cannot be imported into the current release"):
        release.run("install", "pqcdc", PQCDC)
    release.run("install", "pqcdc", PQCDC, "--take-ownership", *CONFLICTS[release.major])
    made = api.admin.get(DEFINITION)
    assert made["metadata"]["annotations"]["meta.helm.sh/release-name"] == "pqcdc"
    assert made["spec"]["names"]["categories"] == ["pqcdc"]


# Helm 4 applies on the server's side, where what another wrote otherwise is a conflict.
CONFLICTS = {3: [], 4: ["--force-conflicts"]}


def forget_release(api: ApiServer) -> None:
    """As if it had never been Helm's."""
    annotations = {f"meta.helm.sh/release-{word}": None for word in ("name", "namespace")}
    labels = {"app.kubernetes.io/managed-by": None}
    api.admin.patch(DEFINITION, {"metadata": {"annotations": annotations, "labels": labels}})


def test_a_connector_by_its_chart(api, space, definition, release: Release, tmp_path: Path) -> None:
    release.run("install", "orders", CONNECTOR, "--values", str(SETS["connector"][1][0]))
    made = release.find(connector(space))
    assert made["spec"]["replicas"] == 3
    assert made["spec"]["kafka"]["maxInFlightBytes"] == 33554432
    release.run(
        "upgrade", "orders", CONNECTOR, "--values", str(SETS["connector"][1][0]), "--set", "paused=false"
    )
    assert release.find(connector(space))["spec"]["paused"] is False
    release.run("uninstall", "orders")
    assert release.find(connector(space)) is None


def test_a_worker_needs_no_right_in_the_cluster(api, space, release: Release, tmp_path: Path) -> None:
    """Installed by somebody who may do everything in one namespace, and nothing else."""
    rules = "- apiGroups: ['*']\n  resources: ['*']\n  verbs: ['*']\n"
    account = space.service_account("installer", rules)
    kubeconfig = space.server.kubeconfig(tmp_path / "installer", {"token": account.token()}, space.name)
    release.run(
        "install",
        "worker",
        PQCDC,
        "--values",
        str(SETS["no-operator"][1][0]),
        "--kubeconfig",
        str(kubeconfig),
    )
    assert release.find(f"/apis/apps/v1/namespaces/{space.name}/deployments/worker-pqcdc-worker")


# --- rights ----------------------------------------------------------------------------------------


@pytest.fixture
def operator(api, space, helm4: Helm):
    """A client with the operator's rights in the namespace."""
    made = render_set(helm4, "default", namespace=space.name, watchNamespaces=[space.name])
    rules = yaml.safe_dump(made.one("Role")["rules"])
    account = space.service_account("operator", rules)
    return account.client()


def role(space: Namespace, rules: list[dict]) -> dict:
    version = "rbac.authorization.k8s.io/v1"
    name = f"role-{secrets.token_hex(4)}"
    metadata = {"name": name, "namespace": space.name}
    return {"apiVersion": version, "kind": "Role", "metadata": metadata, "rules": rules}


def test_the_operator_may_grant_what_workers_need(api, space, operator) -> None:
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{space.name}/roles"
    granted = role(space, yaml.safe_load(worker_rules("pqcdc-orders")))
    apply = f"{path}/{granted['metadata']['name']}?fieldManager=test&force=true"
    wait_until(lambda: operator.call("GET", path).status == 200, "it has its rights")
    answer = operator.call("PATCH", apply, json.dumps(granted), "application/apply-patch+yaml")
    assert answer.status == 201, answer.body
    more = role(space, [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}])
    apply = f"{path}/{more['metadata']['name']}?fieldManager=test&force=true"
    answer = operator.call("PATCH", apply, json.dumps(more), "application/apply-patch+yaml")
    assert answer.status == 403 and "not currently held" in answer.body.decode()


def test_the_operator_may_not_see_secrets(space, operator) -> None:
    core = f"/api/v1/namespaces/{space.name}"
    wait_until(lambda: operator.call("GET", f"{core}/pods").status == 200, "it has its rights")
    for verb, path in [
        ("GET", f"{core}/secrets"),
        ("GET", f"{core}/secrets/a"),
        ("DELETE", f"{core}/secrets/a"),
    ]:
        assert operator.call(verb, path).status == 403
    assert operator.call("GET", core).status == 200, "its namespace, to see whether that is terminating"
