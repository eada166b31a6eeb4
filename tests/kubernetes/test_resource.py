"""The resource Connector on a real API server: what is accepted, what is refused and how that is said,
and what kubectl makes of it."""

import secrets
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path

import pytest

from lab.kubernetes import Answer, ApiServer, Namespace

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("connector-*.yaml"))
REMOVE = object()

SECRET = {"secretRef": {"name": "s", "key": "k"}}
CONFIG_MAP = {"configMapRef": {"name": "c", "key": "k"}}
TABLES = "cdc.publication.tables"


def minimal() -> dict:
    """The spec of a Connector with what it must have, and a table."""
    return {
        "cdc": {
            "host": "db",
            "username": "cdc",
            "database": "shop",
            "publication": {"name": "pub", "tables": [{"name": "orders"}]},
            "slot": {"name": "orders"},
        },
        "kafka": {"brokers": ["kafka:9092"]},
    }


def changed(changes: dict) -> dict:
    """The same with other values at those paths, or without them (REMOVE)."""
    spec = minimal()
    for path, value in changes.items():
        *sections, name = path.split(".")
        at = spec
        for section in sections:
            at = at.setdefault(section, {})
        if value is REMOVE:
            del at[name]
        else:
            at[name] = deepcopy(value)
    return spec


def resource(spec: dict, name: str = "orders") -> dict:
    return {
        "apiVersion": "pqcdc.io/v1alpha1",
        "kind": "Connector",
        "metadata": {"name": name},
        "spec": spec,
    }


class Connectors:
    """Those of one namespace."""

    def __init__(self, namespace: Namespace):
        self.namespace = namespace.name
        self.server = namespace.server
        self.admin = namespace.server.admin
        self.collection = f"/apis/pqcdc.io/v1alpha1/namespaces/{namespace.name}/connectors"

    def path(self, name: str = "orders") -> str:
        return f"{self.collection}/{name}"

    def try_(self, body: dict | str, kind: str = "application/json") -> Answer:
        """Nothing is stored; fields that there are not are errors."""
        return self.admin.call("POST", f"{self.collection}?dryRun=All&fieldValidation=Strict", body, kind)

    def accepted(self, spec: dict) -> dict:
        answer = self.try_(resource(spec))
        assert answer.status == 201, answer.object["message"]
        return answer.object["spec"]

    def create(self, changes: dict | None = None) -> dict:
        return self.admin.post(self.collection, resource(changed(changes or {})))

    def apply(self, body: dict, manager: str, part: str = "") -> Answer:
        name = body["metadata"]["name"]
        query = f"fieldManager={manager}&fieldValidation=Strict"
        return self.admin.call(
            "PATCH", f"{self.path(name)}{part}?{query}", body, "application/apply-patch+yaml"
        )

    def kubectl(self, *arguments: str) -> str:
        return self.server.kubectl("--namespace", self.namespace, *arguments)


@pytest.fixture(scope="module")
def shared(crd: dict, api_server: ApiServer) -> Connectors:
    """For what stores nothing."""
    return Connectors(api_server.namespace(f"test-{secrets.token_hex(4)}"))


@pytest.fixture
def connectors(crd: dict, namespace: Namespace) -> Connectors:
    return Connectors(namespace)


def schema_of(crd: dict) -> dict:
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def test_it_is_established(crd: dict):
    conditions = {row["type"]: row["status"] for row in crd["status"]["conditions"]}
    assert conditions["Established"] == conditions["NamesAccepted"] == "True"
    assert "NonStructuralSchema" not in conditions
    assert crd["status"]["acceptedNames"]["shortNames"] == ["pqc"]
    assert crd["status"]["acceptedNames"]["categories"] == ["pqcdc"]


def test_defaults_are_few_and_shown(shared: Connectors):
    spec = shared.accepted(minimal())
    assert spec == changed(
        {
            "replicas": 2,
            "deletionPolicy": "Retain",
            "cdc.onHalt": "wait",
            TABLES: [{"name": "orders", "schema": "public"}],
        }
    )


def numbered(rows: Iterable[dict]) -> list[str]:
    return [f"{n}-{'-'.join(changes)}" for n, changes in enumerate(rows, 1)]


ACCEPTED = [
    {"cdc.port": 5432},
    {"cdc.port": "5432"},
    {"cdc.host": "a,b", "cdc.port": "5432,5433"},
    {"cdc.host": "a,b", "cdc.port": 5432},
    {"cdc.host": "/run/postgresql"},
    {"cdc.shutdownTimeout": 0},
    {"cdc.shutdownTimeout": "1m30s"},
    {"cdc.walSenderTimeout": "1.5s"},
    {"cdc.walSenderTimeout": 1000},
    {"cdc.maxRecordBytes": "16mb"},
    {"cdc.maxRecordBytes": 1048576},
    {"cdc.maxRecordBytes": "1048576"},
    {"cdc.sslRootCert": {"path": "system"}},
    {"cdc.sslCert": SECRET, "cdc.sslKey": SECRET, "cdc.sslRootCert": CONFIG_MAP},
    {"cdc.publication.tables": REMOVE},
    {"cdc.publication.tables": [{"name": "a"}, {"name": "a", "schema": "b"}, {"name": "b"}]},
    {"cdc.publication.tables": [{"name": 'Drop "it"; x', "keyColumns": ["a b"]}]},
    {TABLES: [{"name": "a", "replicaIdentity": "USING INDEX", "replicaIdentityIndex": "a_key"}]},
    {"kafka.brokers": ["kafka", "127.0.0.1:9092", "[::1]:9092"]},
    {"kafka.producerMaxAttempts": 9223372036854775807},
    {"kafka.topicTemplate": "cdc.{schema}.{table}"},
    {"kafka.properties": {"security.protocol": "ssl"}, "kafka.propertyFiles": {"ssl.ca.pem": CONFIG_MAP}},
    {"kafka.propertyFiles": {"sasl.password": SECRET, "ssl.key.pem": {"path": "/tls/key"}}},
    {"format.headers": ["pos", "lsn"]},
    {"handler.path": "/opt/outbox.so", "handler.options": {"any": "text", "of.it": ""}},
    {"handler.path": "deep/outbox.so", "handler.volume": {"configMap": {"name": "outbox", "optional": False}}},
    {"handler.path": "outbox.so", "handler.volume": {"image": {"reference": "outbox:1", "pullPolicy": "Always"}}},
    {"handler.path": "/opt/outbox.so", "handler.options": {"a": "b"}, "handler.optionFiles": {"c": SECRET}},
    {"election.leaseDuration": 4000, "election.renewDeadline": "3s", "election.retryPeriod": "500ms"},
    {"election.leaseDuration": "1m"},
    {"replicas": 0},
    {"replicas": 10},
    {"image": {"digest": "sha256:" + "0" * 64, "repository": "registry.example.com:5000/a/pqcdc"}},
    {"template.tolerations": [{"operator": "Exists"}], "template.affinity": {"podAffinity": {}}},
    {"template.env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
    {"template.volumes": [{"name": "v", "emptyDir": {}}]},
    {"template.volumeMounts": [{"name": "tmp", "mountPath": "/tmp/v"}, {"name": "v", "mountPath": "/etc/pqcdc.d"}]},
    {"template.env": [{"name": "POD_NAMES"}]},
]


@pytest.mark.parametrize("changes", ACCEPTED, ids=numbered(ACCEPTED))
def test_accepted(shared: Connectors, changes: dict):
    shared.accepted(changed(changes))


# What is changed, the field that is named, and what is said of it.
REFUSED = [
    # what must be there
    ({"cdc.host": REMOVE}, "spec.cdc.host", "Required value"),
    ({"cdc.username": REMOVE}, "spec.cdc.username", "Required value"),
    ({"cdc.database": REMOVE}, "spec.cdc.database", "Required value"),
    ({"cdc.slot": REMOVE}, "spec.cdc.slot", "Required value"),
    ({"cdc.slot": {}}, "spec.cdc.slot.name", "Required value"),
    ({"cdc.publication.name": REMOVE}, "spec.cdc.publication.name", "Required value"),
    ({"kafka": REMOVE}, "spec.kafka", "Required value"),
    ({"kafka.brokers": REMOVE}, "spec.kafka.brokers", "Required value"),
    ({"kafka.brokers": []}, "spec.kafka.brokers", "at least 1 items"),
    ({TABLES: [{}]}, f"spec.{TABLES}[0].name", "Required value"),
    # bounds
    ({"cdc.host": ""}, "spec.cdc.host", "at least 1 chars long"),
    ({"cdc.host": "h" * 1025}, "spec.cdc.host", "may not be more than 1024"),
    ({"cdc.slot.name": "x" * 64}, "spec.cdc.slot.name", "may not be more than 63"),
    ({"cdc.slot.name": "No-Slot"}, "spec.cdc.slot.name", "should match '^[a-z0-9_]+$'"),
    ({"cdc.port": 0}, "spec.cdc.port", "greater than or equal to 1"),
    ({"cdc.port": 65536}, "spec.cdc.port", "less than or equal to 65535"),
    ({"cdc.port": "http"}, "spec.cdc.port", "should match"),
    ({"cdc.port": [5432]}, "spec.cdc.port", "must be of type"),
    ({"cdc.maxRecordBytes": 1023}, "spec.cdc.maxRecordBytes", "expected a size (such as 512kb or 10mb) from 1kb to"),
    ({"cdc.maxRecordBytes": "10 apples"}, "spec.cdc.maxRecordBytes", "expected a size"),
    ({"cdc.decodingWorkMem": "much"}, "spec.cdc.decodingWorkMem", "should match"),
    ({"kafka.requiredAcks": 2}, "spec.kafka.requiredAcks", "less than or equal to 1"),
    ({"kafka.requiredAcks": "all"}, "spec.kafka.requiredAcks", "must be of type integer"),
    ({"kafka.brokers": ["kafka:9092,kafka:9093"]}, "spec.kafka.brokers[0]", "should match"),
    ({"kafka.brokers": ["k"] * 65}, "spec.kafka.brokers", "must have at most 64 items"),
    ({"kafka.tableTopicMapping": {"a": "b c"}}, "spec.kafka.tableTopicMapping.a", "should match"),
    ({"kafka.properties": {"linger": 5}}, "spec.kafka.properties.linger", "must be of type string"),
    ({"cdc.debugMode": "yes"}, "spec.cdc.debugMode", "must be of type boolean"),
    ({"replicas": 11}, "spec.replicas", "less than or equal to 10"),
    ({"replicas": -1}, "spec.replicas", "greater than or equal to 0"),
    ({"image.digest": "sha256:1234"}, "spec.image.digest", "should match"),
    ({TABLES: [{"name": f"t{n}"} for n in range(1001)]}, f"spec.{TABLES}", "must have at most 1000 items"),
    ({TABLES: [{"name": "t", "keyColumns": ["c"] * 33}]}, f"spec.{TABLES}[0].keyColumns", "at most 32 items"),
    # choices
    ({"cdc.onHalt": "restart"}, "spec.cdc.onHalt", 'supported values: "exit", "wait"'),
    ({"cdc.sslMode": "verify-full"}, "spec.cdc", "sslMode verify-ca and verify-full need sslRootCert"),
    ({"cdc.heartbeat.interval": "9ms"}, "spec.cdc.heartbeat", "interval: 0 = off, else 10ms or more"),
    ({"cdc.heartbeat": {"query": "select 1", "table": {"name": "t"}}}, "spec.cdc.heartbeat", "a query or a table, not both"),
    ({"cdc.sslMode": "on"}, "spec.cdc.sslMode", '"verify-ca", "verify-full"'),
    ({"cdc.logger.logLevel": "info"}, "spec.cdc.logger.logLevel", '"DEBUG", "INFO"'),
    ({"cdc.publication.operations": ["SELECT"]}, "spec.cdc.publication.operations[0]", '"INSERT"'),
    ({"format.headers": ["pos", "pos"]}, "spec.format.headers[1]", "Duplicate value"),
    ({"kafka.compression": "brotli"}, "spec.kafka.compression", '"lz4", "zstd"'),
    ({"deletionPolicy": "Keep"}, "spec.deletionPolicy", '"Retain", "Delete"'),
    # durations
    ({"cdc.walSenderTimeout": "999ms"}, "spec.cdc.walSenderTimeout", "from 1s to 1h"),
    ({"cdc.walSenderTimeout": 999}, "spec.cdc.walSenderTimeout", "from 1s to 1h"),
    ({"kafka.readTimeout": "1h"}, "spec.kafka.readTimeout", "from 1s to 5m"),
    ({"kafka.readTimeout": "30"}, "spec.kafka.readTimeout", "expected a duration (such as"),
    ({"kafka.readTimeout": "1..2s"}, "spec.kafka.readTimeout", "type conversion error"),
    ({"kafka.readTimeout": "9999999h"}, "spec.kafka.readTimeout", "expected a duration"),
    ({"kafka.readTimeout": "soon"}, "spec.kafka.readTimeout", "expected a duration (such as"),
    ({"kafka.readTimeout": ""}, "spec.kafka.readTimeout", "at least 1 chars long"),
    # rules between options
    ({"cdc.host": "a,b,c", "cdc.port": "1,2"}, "spec.cdc", "port: one for all hosts, or one for each"),
    ({"cdc.sslCert": SECRET}, "spec.cdc", "sslCert and sslKey go together"),
    ({"cdc.sslKey": SECRET}, "spec.cdc", "sslCert and sslKey go together"),
    ({"election.leaseDuration": 5500, "election.renewDeadline": "5s"}, "spec.election", "whole seconds"),
    ({"election.leaseDuration": "10s"}, "spec.election", "must be longer than renewDeadline"),
    ({"election.renewDeadline": 15000}, "spec.election", "leaseDuration must be longer than renewDeadline"),
    ({"election.retryPeriod": "8400ms"}, "spec.election", "longer than 1.2 times retryPeriod"),
    ({"election.renewDeadline": "2400ms"}, "spec.election", "longer than 1.2 times retryPeriod"),
    ({"election.takeoverGraceMs": 2000}, "spec.election", "must be shorter than retryPeriod"),
    ({"election.retryPeriod": "300ms"}, "spec.election", "takeoverGraceMs must be shorter than retryPeriod"),
    ({TABLES: [{"name": "a"}, {"name": "a", "schema": "public"}]}, f"spec.{TABLES}[1]", "Duplicate value"),
    ({TABLES: [{"name": "a", "replicaIdentity": "USING INDEX"}]}, f"spec.{TABLES}[0]", "go together"),
    ({TABLES: [{"name": "a", "replicaIdentityIndex": "i"}]}, f"spec.{TABLES}[0]", "go together"),
    (
        {"kafka.properties": {"client.rack": "a"}, "kafka.propertyFiles": {"client.rack": SECRET}},
        "spec.kafka",
        "in properties or in propertyFiles, not in both",
    ),
    ({"kafka.properties": {"sasl.password": "x"}}, "spec.kafka", "use propertyFiles with a secretRef"),
    ({"kafka.secureConnection": True}, "spec.kafka", "scramUsername and scramPassword go together"),
    (
        {"kafka.secureConnection": True, "kafka.scramUsername": "u"},
        "spec.kafka",
        "scramUsername and scramPassword go together",
    ),
    (
        {"kafka.secureConnection": False, "kafka.scramUsername": "u", "kafka.scramPassword": SECRET},
        "spec.kafka",
        "scramUsername and scramPassword go together",
    ),
    # references
    ({"cdc.password": "hunter2"}, "spec.cdc.password", "must be of type object"),
    ({"cdc.password": {}}, "spec.cdc.password.secretRef", "Required value"),
    ({"cdc.password": {"secretRef": {"name": "s"}}}, "spec.cdc.password.secretRef.key", "Required value"),
    ({"cdc.sslRootCert": {}}, "spec.cdc.sslRootCert", "exactly one of path, secretRef and configMapRef"),
    ({"cdc.sslRootCert": {**SECRET, **CONFIG_MAP}}, "spec.cdc.sslRootCert", "exactly one of path"),
    ({"cdc.sslRootCert": {**SECRET, "path": "/x"}}, "spec.cdc.sslRootCert", "exactly one of path"),
    (
        {"kafka.propertyFiles": {"sasl.password": {**SECRET, **CONFIG_MAP}}},
        "spec.kafka.propertyFiles[sasl.password]",
        "exactly one of path, secretRef and configMapRef",
    ),
    # the pods
    # a handler
    ({"handler.options": {}}, "spec.handler", "path is needed"),
    ({"handler.path": "outbox.so"}, "spec.handler", "without a volume, an absolute one"),
    ({"handler.path": "/outbox.so", "handler.volume": {"emptyDir": {}}}, "spec.handler", "one in the volume"),
    ({"handler.path": "../outbox.so", "handler.volume": {"emptyDir": {}}}, "spec.handler", "without .."),
    (
        {"handler.path": "/a.so", "handler.options": {"t": "x"}, "handler.optionFiles": {"t": SECRET}},
        "spec.handler",
        "in options or in optionFiles, not in both",
    ),
    ({"handler.path": "/a.so", "handler.options": {"t": 1}}, "spec.handler.options.t", "must be of type string"),
    ({"template.volumes": [{"emptyDir": {}}]}, "spec.template.volumes[0].name", "Required value"),
    ({"template.env": [{"name": "A"}, {"name": "A"}]}, "spec.template.env[1]", "Duplicate value"),
    ({"template.env": [{"name": "POD_NAME"}]}, "spec.template.env[0].name", "are set by the operator"),
    ({"template.env": [{"name": "POD_NAMESPACE"}]}, "spec.template.env[0].name", "are set by the operator"),
    *(
        ({"template.volumes": [{"name": name}]}, "spec.template.volumes[0].name", "the operator's own volumes")
        for name in ("config", "tmp", "credentials", "pqcdc-handler")
    ),
    *(
        (
            {"template.volumeMounts": [{"name": "v", "mountPath": path}]},
            "spec.template.volumeMounts[0].mountPath",
            "the operator's own mounts",
        )
        for path in ("/tmp", "/tmp/", "/etc/pqcdc", "/etc//pqcdc", "/var/run/secrets/pqcdc", "/var/lib/pqcdc-handler")
    ),
    ({"podMonitor.interval": "often"}, "spec.podMonitor.interval", "should match"),
]


def causes_of(answer: Answer) -> list[str]:
    return [f"{cause['field']}: {cause['message']}" for cause in answer.object["details"]["causes"]]


@pytest.mark.parametrize("changes, field, text", REFUSED, ids=numbered(row[0] for row in REFUSED))
def test_refused(shared: Connectors, changes: dict, field: str, text: str):
    answer = shared.try_(resource(changed(changes)))
    assert answer.status == 422, f"{answer.status} {answer.body.decode()[:1000]}"
    named = [cause for cause in causes_of(answer) if cause.startswith(f"{field}: ")]
    assert any(text in cause for cause in named), "\n".join(causes_of(answer))


@pytest.mark.parametrize(
    "name, text",
    [("x" * 50, "may not be more than 49"), ("a.b", "should match"), ("operator", "the operator's own")],
    ids=["long", "dot", "operator"],
)
def test_a_name_that_its_children_cannot_bear(shared: Connectors, name: str, text: str):
    answer = shared.try_(resource(minimal(), name))
    assert answer.status == 422
    assert any(cause.startswith("metadata.name: ") and text in cause for cause in causes_of(answer))


@pytest.mark.parametrize(
    "path", ["cdc.hots", "cdc.passwordFile", "cdc.metric", "election.mode", "election.leaseName", "sink",
             "template.hostNetwork", "kafka.propertyfiles", "cdc.slot.createIfnotExists"]
)
def test_unknown_fields_are_refused(shared: Connectors, path: str):
    answer = shared.try_(resource(changed({path: {}})))
    assert answer.status == 400
    assert f'unknown field "spec.{path}"' in answer.object["message"]


def test_the_slot_cannot_be_changed(connectors: Connectors):
    connectors.create()
    path = f"{connectors.path()}?fieldValidation=Strict"
    patch = "application/merge-patch+json"
    answer = connectors.admin.call("PATCH", path, {"spec": {"cdc": {"slot": {"name": "other"}}}}, patch)
    assert answer.status == 422
    assert "spec.cdc.slot.name: " in answer.object["message"]
    assert "the slot cannot be changed" in answer.object["message"]
    answer = connectors.admin.call("PATCH", path, {"spec": {"cdc": {"slot": None}}}, patch)
    assert answer.status == 422
    others = {"cdc": {"slot": {"createIfNotExists": True}, "host": "db2"}}
    assert connectors.admin.call("PATCH", path, {"spec": others}, patch).status == 200


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_accepted(shared: Connectors, path: Path):
    answer = shared.try_(path.read_text(), "application/yaml")
    assert answer.status == 201, answer.object["message"]


def test_there_are_examples():
    assert {"connector-minimal.yaml", "connector-tls.yaml"} <= {path.name for path in EXAMPLES}


def sample(schema: dict, name: str = ""):
    """A value that the schema accepts, with every field that it has."""
    if "default" in schema:
        return schema["default"]
    if "enum" in schema:
        return next(word for word in schema["enum"] if word and word != "USING INDEX")
    if "properties" in schema:
        return {key: sample(field, key) for key, field in schema["properties"].items()}
    if "additionalProperties" in schema:
        return {"sample.name": sample(schema["additionalProperties"])}
    if schema.get("type") == "array":
        return [sample(schema["items"])]
    if schema.get("x-kubernetes-int-or-string"):
        return {"port": 5432, "": 1}.get(name) or default_of(schema)
    return {"object": {}, "boolean": True, "integer": schema.get("minimum", 1), "string": "a1"}[schema["type"]]


def default_of(schema: dict) -> str:
    return schema["description"].rpartition("Default: ")[2].rstrip(".")


def full(crd: dict) -> dict:
    """Every option; where only one can be given, one of them."""
    spec = sample(schema_of(crd)["properties"]["spec"])
    for name in ("sslRootCert", "sslCert", "sslKey"):
        spec["cdc"][name] = SECRET
    for name in ("rootCA", "interCA"):
        spec["kafka"][name] = CONFIG_MAP
    del spec["cdc"]["publication"]["tables"][0]["replicaIdentityIndex"]
    del spec["cdc"]["heartbeat"]["query"]
    spec["handler"]["optionFiles"] = {"sample.file": CONFIG_MAP}
    spec["cdc"]["decodingWorkMem"] = "64MB"
    spec["kafka"]["propertyFiles"] = {"sample.file": CONFIG_MAP}
    spec["podMonitor"]["interval"] = "30s"
    spec["image"]["digest"] = "sha256:" + "0" * 64
    return spec


def test_every_field_at_once(crd: dict, shared: Connectors):
    spec = full(crd)
    assert {"cdc", "kafka", "format", "election", "template", "image"} <= spec.keys()
    assert shared.accepted(spec) == spec


def test_an_object_as_large_as_it_may_be_is_not_too_dear_to_check(shared: Connectors):
    tables = [{"name": f"table_{n}", "columns": ["a", "b", "c"], "keyColumns": ["a"]} for n in range(1000)]
    mapping = {f"public.table_{n}": f"topic_{n}" for n in range(1000)}
    properties = {f"property.{n}": "value" * 10 for n in range(128)}
    files = {f"file.{n}": SECRET for n in range(32)}
    shared.accepted(
        changed(
            {
                TABLES: tables,
                "kafka.tableTopicMapping": mapping,
                "kafka.properties": properties,
                "kafka.propertyFiles": files,
                "cdc.host": ",".join(["h" * 60] * 16),
                "cdc.port": ",".join(["5432"] * 16),
            }
        )
    )


def nodes_of(schema: dict, path: str):
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from nodes_of(field, f"{path}.{name}")
    for below in ("items", "additionalProperties"):
        if below in schema:
            yield from nodes_of(schema[below], f"{path}[]")


def test_every_field_is_described_and_bounded(crd: dict):
    for path, schema in nodes_of(schema_of(crd), ""):
        if path.startswith(".metadata") or path in ("", ".apiVersion", ".kind"):
            continue
        assert path.endswith("[]") or schema.get("description"), f"{path} has no description"
        if schema.get("type") == "string" or schema.get("x-kubernetes-int-or-string"):
            assert "enum" in schema or "maxLength" in schema, f"{path} has no maxLength"
        if schema.get("type") == "array":
            assert "maxItems" in schema and "x-kubernetes-list-type" in schema, f"{path} has no end"
        if "additionalProperties" in schema:
            assert "maxProperties" in schema, f"{path} has no end"


def test_two_managers_share_the_tables(connectors: Connectors):
    """Tables are known by schema and name, the one that was not given too."""
    first = changed({TABLES: [{"name": "a"}, {"name": "b", "schema": "s"}]})
    assert connectors.apply(resource(first), "first").status == 201
    assert connectors.apply(resource(first), "first").status == 200
    own = {"cdc": {"publication": {"tables": [{"name": "c", "schema": "public"}]}}}
    answer = connectors.apply(resource(own), "second")
    assert answer.status == 200, answer.object["message"]
    tables = answer.object["spec"]["cdc"]["publication"]["tables"]
    assert [(table["schema"], table["name"]) for table in tables] == [
        ("public", "a"),
        ("s", "b"),
        ("public", "c"),
    ]


def condition(name: str, status: str, reason: str, **others) -> dict:
    return {
        "type": name,
        "status": status,
        "reason": reason,
        "message": f"{name} is {status}",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-11-29T12:00:00Z",
        **others,
    }


STATUS = {
    "observedGeneration": 1,
    "conditions": [
        condition("Ready", "True", "Streaming"),
        condition("Progressing", "False", "Settled"),
        condition("Degraded", "False", "Well"),
        condition("SlotReady", "True", "Reserved"),
        condition("LeaderElected", "Unknown", "Starting"),
    ],
    "leader": "pqcdc-orders-5d8f-x2x7k",
    "replicas": 2,
    "readyReplicas": 2,
    "selector": "app.kubernetes.io/instance=orders",
    "slot": {
        "name": "orders",
        "active": True,
        "confirmedFlushLsn": "0/1A2B3C4D",
        "retainedBytes": 4096,
        "walStatus": "reserved",
        "safeWalSize": 1 << 40,
    },
    "lag": {"bytes": 1234, "seconds": 0.25},
    "lastError": {
        "message": "no",
        "reason": "WrongPassword",
        "sqlState": "28P01",
        "time": "2026-11-29T12:00:00.123456Z",
    },
    "image": "pqcdc:0.1.0",
}


def status_body(status: dict) -> dict:
    body = resource({})
    del body["spec"]
    return {**body, "status": status}


def test_the_status_is_a_part_of_its_own(connectors: Connectors):
    created = connectors.create()
    assert "status" not in created
    answer = connectors.apply(status_body(STATUS), "pqcdc-operator-status", "/status")
    assert answer.status == 200, answer.object["message"]
    after = connectors.admin.get(connectors.path())
    assert after["status"] == STATUS
    assert after["spec"] == created["spec"]
    assert after["metadata"]["generation"] == created["metadata"]["generation"]
    managers = {row["manager"]: row.get("subresource") for row in after["metadata"]["managedFields"]}
    assert managers["pqcdc-operator-status"] == "status"
    # Neither part can be written through the other.
    connectors.admin.patch(connectors.path(), {"status": {"leader": "me"}})
    connectors.admin.patch(f"{connectors.path()}/status", {"spec": {"replicas": 5}})
    assert connectors.admin.get(connectors.path()) | {"metadata": 0} == after | {"metadata": 0}


@pytest.mark.parametrize(
    "wrong, field",
    [
        (condition("Ready", "Maybe", "A"), "status.conditions[0].status"),
        (condition("Ready", "True", ""), "status.conditions[0].reason"),
        (condition("Ready", "True", "not one word"), "status.conditions[0].reason"),
        (condition("Ready", "True", "A", lastTransitionTime="today"), "status.conditions[0].lastTransitionTime"),
    ],
    ids=["status", "no-reason", "reason", "time"],
)
def test_conditions_are_as_the_conventions_want_them(connectors: Connectors, wrong: dict, field: str):
    connectors.create()
    answer = connectors.apply(status_body({"conditions": [wrong]}), "m", "/status")
    assert answer.status == 422
    assert any(cause.startswith(f"{field}: ") for cause in causes_of(answer)), causes_of(answer)


def test_a_reason_may_say_why_it_halted(connectors: Connectors):
    connectors.create()
    halted = {"conditions": [condition("Ready", "False", "Halted:SlotLost")]}
    assert connectors.apply(status_body(halted), "m", "/status").status == 200


def test_kubectl_get_shows_what_matters(connectors: Connectors):
    connectors.create()
    connectors.apply(status_body(STATUS), "m", "/status")
    head, row = connectors.kubectl("get", "pqc").splitlines()
    assert head.split() == ["NAME", "READY", "LEADER", "LAG", "SLOT", "AGE"]
    assert row.split()[:5] == ["orders", "True", STATUS["leader"], "1234", "orders"]
    head, row = connectors.kubectl("get", "pqcdc", "-o", "wide").splitlines()
    assert head.split() == ["NAME", "READY", "LEADER", "LAG", "SLOT", "AGE", "RETAINED", "IMAGE", "MESSAGE"]
    assert row.split()[6:8] == ["4096", "pqcdc:0.1.0"]
    assert row.endswith("Ready is True")


def test_kubectl_scale_and_wait(connectors: Connectors):
    connectors.create()
    connectors.apply(status_body(STATUS), "m", "/status")
    connectors.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "pqc/orders")
    connectors.kubectl("scale", "pqc/orders", "--replicas=3")
    scale = connectors.admin.get(f"{connectors.path()}/scale")
    assert scale["spec"]["replicas"] == 3
    assert scale["status"] == {"replicas": 2, "selector": STATUS["selector"]}
    with pytest.raises(RuntimeError, match="less than or equal to 10"):
        connectors.kubectl("scale", "pqc/orders", "--replicas=11")


@pytest.mark.parametrize(
    "path, text",
    [
        ("spec.cdc.slot.name", "Name of the slot: 1 to 63 of a-z, 0-9 and _."),
        ("spec.kafka.propertyFiles", "Read again whenever a producer is made"),
        ("spec.election.leaseDuration", "An integer counts milliseconds. Default: 15s."),
        ("spec.template.topologySpreadConstraints", "How the pods spread"),
        ("status.conditions", "Ready: changes are streamed."),
    ],
)
def test_kubectl_explains_it(connectors: Connectors, path: str, text: str):
    said = connectors.kubectl("explain", f"connectors.{path}")
    assert text in " ".join(said.split())
