"""A worker without the operator: what becomes of its configuration."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from charts.conftest import EXAMPLES, PQCDC, render_set
from lab.certificates import Authority
from lab.charts import SECTIONS
from lab.helm import Helm, Objects


@pytest.fixture
def worker(render):
    """worker(**values) -> the objects of the value set of that name, with those values of the worker."""
    return lambda **values: render("worker", **{f"worker__{name}": value for name, value in values.items()})


def config_of(made: Objects) -> dict:
    return yaml.safe_load(made.one("ConfigMap")["data"]["config.yaml"])


def pod_of(made: Objects) -> dict:
    return made.one("Deployment")["spec"]["template"]["spec"]


def hash_of(made: Objects) -> str:
    return made.one("Deployment")["spec"]["template"]["metadata"]["annotations"]["pqcdc.io/config-hash"]


def test_references_become_files(worker) -> None:
    made = worker()
    cdc, kafka = config_of(made)["cdc"], config_of(made)["kafka"]
    directory = "/var/run/secrets/pqcdc"
    assert "password" not in cdc
    assert cdc["passwordFile"] == f"{directory}/cdc.password"
    assert cdc["sslRootCert"] == f"{directory}/cdc.sslRootCert"
    assert cdc["sslCert"] == "/etc/client/tls.crt"
    assert cdc["sslKey"] == f"{directory}/cdc.sslKey"
    assert kafka["propertyFiles"] == {"sasl.password": f"{directory}/kafka.propertyFiles.sasl.password"}
    assert {"name": "credentials", "mountPath": directory, "readOnly": True} in pod_of(made)["containers"][0][
        "volumeMounts"
    ]


def test_the_volume_has_these_files(worker) -> None:
    """libpq takes a key that root owns and its group may read, no more."""
    pod = pod_of(worker())
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "credentials"]
    files = {}
    for source in volume["projected"]["sources"]:
        ((kind, of),) = source.items()
        (item,) = of["items"]
        files[item["path"]] = (kind, of["name"], item["key"])
    assert files == {
        "cdc.password": ("secret", "shop-db", "password"),
        "cdc.sslRootCert": ("configMap", "authorities", "ca.crt"),
        "cdc.sslKey": ("secret", "shop-client", "tls.key"),
        "kafka.propertyFiles.sasl.password": ("secret", "shop-kafka", "password"),
    }
    assert volume["projected"]["defaultMode"] == 0o440
    assert pod["securityContext"]["fsGroup"] == 65532


def test_a_secure_connection_to_kafka(worker) -> None:
    """Its password and its authorities are files beside those of PostgreSQL."""
    made = worker(
        config__kafka__properties={},
        config__kafka__propertyFiles={},
        config__kafka__secureConnection=True,
        config__kafka__scramUsername="shop",
        config__kafka__scramPassword={"secretRef": {"name": "shop-kafka", "key": "password"}},
        config__kafka__rootCA={"configMapRef": {"name": "authorities", "key": "kafka.pem"}},
        config__kafka__interCA={"path": "/etc/kafka/inter.pem"},
    )
    kafka = config_of(made)["kafka"]
    directory = "/var/run/secrets/pqcdc"
    assert "scramPassword" not in kafka
    assert kafka["scramPasswordFile"] == f"{directory}/kafka.scramPassword"
    assert (kafka["rootCA"], kafka["interCA"]) == (f"{directory}/kafka.rootCA", "/etc/kafka/inter.pem")
    (volume,) = [volume for volume in pod_of(made)["volumes"] if volume["name"] == "credentials"]
    paths = [item["path"] for source in volume["projected"]["sources"] for of in source.values() for item in of["items"]]
    assert paths == ["cdc.password", "cdc.sslKey", "cdc.sslRootCert", "kafka.rootCA", "kafka.scramPassword"]


def test_a_handler_of_its_own(worker) -> None:
    """The volume that holds it is mounted, and its path is one in it."""
    handler = {
        "path": "outbox.so",
        "options": {"table": "public.outbox"},
        "optionFiles": {"token": {"secretRef": {"name": "outbox", "key": "token"}}, "other": {"path": "/etc/other"}},
        "volume": {"configMap": {"name": "outbox-handler"}},
    }
    made = worker(config__handler=handler)
    assert config_of(made)["handler"] == {
        "path": "/var/lib/pqcdc-handler/outbox.so",
        "options": {"table": "public.outbox"},
        "optionFiles": {"token": "/var/run/secrets/pqcdc/handler.optionFiles.token", "other": "/etc/other"},
    }
    pod = pod_of(made)
    assert {"name": "pqcdc-handler", "configMap": {"name": "outbox-handler"}} in pod["volumes"]
    mount = {"name": "pqcdc-handler", "mountPath": "/var/lib/pqcdc-handler", "readOnly": True}
    assert mount in pod["containers"][0]["volumeMounts"]
    # One of the image's own has its path there, and no volume.
    made = worker(config__handler={"path": "/opt/outbox.so"})
    assert config_of(made)["handler"] == {"path": "/opt/outbox.so"}
    assert "pqcdc-handler" not in str(pod_of(made))


def test_without_references_there_is_no_volume(render) -> None:
    pod = render("both").one("Deployment", component="worker")["spec"]["template"]["spec"]
    assert [volume["name"] for volume in pod["volumes"]] == ["tmp", "config"]


def test_a_password_may_be_a_file_of_another_volume(render) -> None:
    made = render("both", worker__config__cdc__passwordFile="/vault/password")
    assert config_of(made)["cdc"]["passwordFile"] == "/vault/password"


def test_defaults_are_those_of_the_resource(worker) -> None:
    config = config_of(worker())
    assert config["cdc"]["onHalt"] == "wait"
    assert config["format"] == {"headers": ["pos"], "tombstones": True}
    assert config["election"]["mode"] == "lease"
    assert config["cdc"]["metric"]["port"] == 8080
    assert config["cdc"]["maxRecordBytes"] == 67108864, "a number is written in full"


def test_defaults_give_way(worker) -> None:
    config = config_of(worker(config__cdc__onHalt="exit", config__format__headers=[], httpPort=9000))
    assert config["cdc"]["onHalt"] == "exit"
    assert config["format"]["headers"] == []
    assert config["cdc"]["metric"]["port"] == 9000


def test_one_replica_needs_no_pod_beside_and_is_configured_as_two(worker) -> None:
    made = worker(replicaCount=1)
    assert config_of(made) == config_of(worker(replicaCount=2))
    strategy = made.one("Deployment")["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def test_a_standby_stays_during_a_roll_out(worker) -> None:
    strategy = worker().one("Deployment")["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}


@pytest.mark.parametrize(("values", "name"), [({}, "pqcdc-worker"), ({"leaseName": "mine"}, "mine")])
def test_the_role_is_about_its_own_lease(worker, values: dict, name: str) -> None:
    made = worker(**values)
    assert config_of(made)["election"]["leaseName"] == name
    rules = made.one("Role")["rules"]
    assert [rule.get("resourceNames") for rule in rules] == [[name], None, None]
    assert [rule["verbs"] for rule in rules] == [
        ["get", "list", "watch", "update"],
        ["create"],
        ["create", "patch"],
    ]


def test_only_the_configuration_rolls_pods(helm: Helm, worker, tmp_path: Path) -> None:
    before = worker()
    assert hash_of(worker(config__cdc__host="other")) != hash_of(before)
    assert hash_of(worker(config__cdc__password__secretRef__name="other")) == hash_of(before)
    template = before.one("Deployment")["spec"]["template"]
    for values in (
        {"service__annotations": {"a": "b"}},
        {"deploymentAnnotations": {"a": "b"}},
        {"replicaCount": 3},
    ):
        assert worker(**values).one("Deployment")["spec"]["template"] == template, values
    text = str(template)
    assert "helm.sh/chart" not in text and "app.kubernetes.io/version" not in text


def check_config(program: Path, made: Objects, directory: Path) -> None:
    """With its files in another place, and whatever in them, but an authority where one is meant."""
    authority = Authority(directory, "authority").certificate.read_text()
    text = made.one("ConfigMap")["data"]["config.yaml"]
    for file in set(re.findall(r"/(?:var/run/secrets/pqcdc|etc/client)/\S+", text)):
        own = directory / Path(file).name
        own.write_text(authority if own.name.endswith("CA") else "something")
        own.chmod(0o600)
        text = text.replace(file, str(own))
    path = directory / "config.yaml"
    path.write_text(text)
    done = subprocess.run([program, "config", "--config", path], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["worker", "no-operator", "both"])
def test_the_program_takes_the_configuration(helm4: Helm, program: Path, tmp_path: Path, name: str) -> None:
    check_config(program, render_set(helm4, name), tmp_path)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("connector-*.yaml")), ids=lambda path: path.stem)
def test_the_program_takes_what_an_example_configures(
    helm4: Helm, program: Path, tmp_path: Path, path: Path
) -> None:
    """A worker without the operator has the same sections."""
    spec = yaml.safe_load(path.read_text())["spec"]
    config = {name: spec[name] for name in SECTIONS if name in spec}
    values = {"operator__enabled": False, "crds__install": False, "worker__enabled": True}
    made = helm4.template(PQCDC, **values, worker__config=config)
    check_config(program, made, tmp_path)
