"""What is generated in the charts, from crds/ and from each chart's values.yaml. scripts/charts runs it.

values.yaml is the source of README.md's table and of values.schema.json. The comment above a value is its
meaning; lines of it that begin with @ say more of what it may be:

    @free                 an object whose entries are somebody else's: anything
    @items TYPE...        what a list has
    @type TYPE...         instead of the type that the default has
    @enum WORD...         one of these
    @pattern REGEX  @min N  @max N
    @spec NAME            as spec.NAME of the resource
    @config               as the sections of the resource that configure a worker
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CRD = "crds/connectors.pqcdc.io.yaml"
CHARTS = ("pqcdc", "pqcdc-connector")
BEGIN, END = "<!-- values: made by scripts/charts --write -->", "<!-- end of values -->"
SECTIONS = ("cdc", "kafka", "format", "handler", "election")


class Mistake(Exception):
    """Of who wrote values.yaml."""


# --- values.yaml -----------------------------------------------------------------------------------


@dataclass
class Value:
    path: tuple[str, ...]
    default: object
    text: str = ""
    directives: dict[str, list[str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def is_block(self) -> bool:
        """It only holds other values."""
        return isinstance(self.default, dict) and bool(self.default) and not self.directives


def comments_of(text: str) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Each key of a mapping, and the lines of the comment right above it."""
    above: list[str] = []
    open_keys: list[tuple[int, str]] = []
    for line in text.splitlines():
        match = re.match(r"( *)(?:#( .*)?|([\w.-]+):(?: .*)?)$", line)
        if match is None or match[3] is None:
            above = [*above, (match[2] or "").strip()] if match else []
            continue
        open_keys = [(indent, key) for indent, key in open_keys if indent < len(match[1])]
        open_keys.append((len(match[1]), match[3]))
        yield tuple(key for _, key in open_keys), above
        above = []


def read_values(text: str) -> dict[tuple[str, ...], Value]:
    """In the order of the file. A free value's own entries are left out."""
    values: dict[tuple[str, ...], Value] = {}
    defaults = yaml.safe_load(text)
    for path, lines in comments_of(text):
        if path[:-1] and not (path[:-1] in values and values[path[:-1]].is_block):
            continue
        default = defaults
        for key in path:
            default = default[key]
        value = Value(path, default, " ".join(line for line in lines if not line.startswith("@")))
        for line in lines:
            if line.startswith("@"):
                name, *words = line[1:].split()
                value.directives[name] = words
        if not value.text and not value.is_block:
            raise Mistake(f"{value.name}: nothing is said about it")
        values[path] = value
    return values


# --- the resource's schema as a JSON schema -----------------------------------------------------------

DROPPED = ("default", "format")


def json_schema(node: dict) -> dict:
    """A structural schema's part, as strict as the API server is with unknown fields."""
    made = {key: value for key, value in node.items() if not key.startswith("x-") and key not in DROPPED}
    if node.get("x-kubernetes-int-or-string"):
        made.pop("anyOf", None)
        made["type"] = ["integer", "string"]
    if any(rule["message"].startswith("exactly one of") for rule in node.get("x-kubernetes-validations", ())):
        made |= {"minProperties": 1, "maxProperties": 1}
    if "properties" in node:
        made["properties"] = {name: json_schema(child) for name, child in node["properties"].items()}
        if not node.get("x-kubernetes-preserve-unknown-fields"):
            made["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            made[key] = json_schema(node[key])
    for key in ("allOf", "anyOf", "oneOf"):
        if key in made:
            made[key] = node[key]
    if made.pop("nullable", False) and "type" in made:
        made["type"] = [made["type"], "null"]
    return made


def spec_of(crd: dict) -> dict:
    versions = crd["spec"]["versions"]
    return versions[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]


def config_schema(spec: dict) -> dict:
    """Of a worker's configuration: the resource's sections, and a password out of a file that is there."""
    sections = {name: json_schema(spec["properties"][name]) for name in SECTIONS}
    sections["cdc"]["properties"]["passwordFile"] = {
        "type": "string",
        "description": "File that holds the password, on a volume of extraVolumes.",
    }
    required = [name for name in spec.get("required", ()) if name in SECTIONS]
    return {"type": "object", "properties": sections, "required": required, "additionalProperties": False}


# --- values.schema.json ----------------------------------------------------------------------------

TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


def free(value: Value, words: list[str], schema: dict, spec: dict) -> None:
    schema["additionalProperties"] = True


def items(value: Value, words: list[str], schema: dict, spec: dict) -> None:
    schema["items"] = {"type": words if len(words) > 1 else words[0]}


def type_is(value: Value, words: list[str], schema: dict, spec: dict) -> None:
    schema["type"] = words


def enum(value: Value, words: list[str], schema: dict, spec: dict) -> None:
    schema["enum"] = words


def pattern(value: Value, words: list[str], schema: dict, spec: dict) -> None:
    schema["pattern"] = " ".join(words)


def minimum(value: Value, words: list[str], schema: dict, spec: dict) -> None:
    schema["minimum"] = int(words[0])


def maximum(value: Value, words: list[str], schema: dict, spec: dict) -> None:
    schema["maximum"] = int(words[0])


def as_spec(value: Value, words: list[str], schema: dict, spec: dict) -> None:
    schema.update(json_schema(spec["properties"][words[0]]), description=value.text)


def as_config(value: Value, words: list[str], schema: dict, spec: dict) -> None:
    """Checked by condition(), only when it counts."""


DIRECTIVES = {
    "free": free,
    "items": items,
    "type": type_is,
    "enum": enum,
    "pattern": pattern,
    "min": minimum,
    "max": maximum,
    "spec": as_spec,
    "config": as_config,
}


def value_schema(value: Value, spec: dict) -> dict:
    schema: dict = {"type": TYPES[type(value.default)]}
    if value.text:
        schema["description"] = value.text
    for name, words in value.directives.items():
        if name not in DIRECTIVES:
            raise Mistake(f"{value.name}: @{name} is not known")
        DIRECTIVES[name](value, words, schema, spec)
    if schema["type"] == "object" and not value.is_block and not value.directives:
        raise Mistake(f"{value.name}: @free is missing, or what may be in it")
    if schema["type"] == "array" and "items" not in schema:
        raise Mistake(f"{value.name}: @items is missing")
    return schema


def condition(value: Value, spec: dict) -> dict:
    """Of the block that has an @config: a configuration must be whole when the block is enabled."""
    return {
        "if": {"properties": {"enabled": {"const": True}}, "required": ["enabled"]},
        "then": {"properties": {value.path[-1]: config_schema(spec)}},
    }


def values_schema(values: dict[tuple[str, ...], Value], crd: dict) -> dict:
    spec = spec_of(crd)
    root: dict = {"type": "object", "additionalProperties": False, "properties": {}}
    blocks: dict[tuple[str, ...], dict] = {(): root}
    for path, value in values.items():
        schema = value_schema(value, spec)
        parent = blocks[path[:-1]]
        parent["properties"][path[-1]] = schema
        if value.is_block:
            blocks[path] = schema
            schema |= {"additionalProperties": False, "properties": {}}
        if "config" in value.directives:
            parent |= condition(value, spec)
    # A chart that is a part of another gets global from it, whether it names it or not.
    root["properties"].setdefault("global", {"type": "object"})
    required = [path[0] for path, value in values.items() if "spec" in value.directives]
    root["required"] = [name for name in required if name in spec.get("required", ())]
    if not root["required"]:
        del root["required"]
    return {"$schema": "http://json-schema.org/draft-07/schema#", **root}


# --- README.md -------------------------------------------------------------------------------------


def shown(default: object) -> str:
    text = json.dumps(default, ensure_ascii=False)
    return f"`{text}`" if len(text) <= 60 else "see values.yaml"


def table(values: dict[tuple[str, ...], Value]) -> str:
    rows = ["| value | default | meaning |", "| --- | --- | --- |"]
    for value in values.values():
        words = value.directives.get("enum")
        text = value.text + (f" One of {', '.join(f'`{word}`' for word in words)}." if words else "")
        default = "" if value.is_block else shown(value.default)
        if value.text:
            rows.append(f"| `{value.name}` | {default} | {text.replace('|', chr(92) + '|')} |")
    return "\n".join(rows)


def readme(text: str, values: dict[tuple[str, ...], Value]) -> str:
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Mistake(f"README.md has not {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{table(values)}\n\n{END}{after}"


# --- the copy of crds/ -----------------------------------------------------------------------------


def escaped(text: str) -> str:
    """{{ of a description is not a template's. The comment on top says how the original is made."""
    text = re.sub(r"\A(#.*\n)+", "", text)
    return re.sub(r"\{\{|\}\}", lambda match: '{{ "' + match[0] + '" }}', text)


def crd_template(text: str) -> str:
    """Behind its guard, with the annotations: Helm never removes it."""
    head, metadata, rest = escaped(text).partition("\nmetadata:\n")
    if not metadata or re.search(r"^  annotations:", rest.partition("\nspec:")[0], re.M):
        raise Mistake(f"{CRD}: metadata is expected without annotations")
    annotations = (
        "  annotations:\n"
        "    helm.sh/resource-policy: keep\n"
        "    {{- with .Values.crds.annotations }}\n"
        "    {{- toYaml . | nindent 4 }}\n"
        "    {{- end }}\n"
    )
    note = f"{{{{- /* Made from {CRD} by scripts/charts --write. */}}}}\n{{{{- if .Values.crds.install }}}}\n"
    return f"{note}{head}{metadata}{annotations}{rest.rstrip()}\n{{{{- end }}}}\n"


# --- all of it -------------------------------------------------------------------------------------


def generated(root: Path) -> dict[Path, str]:
    """What each file should be."""
    text = (root / CRD).read_text()
    crd = yaml.safe_load(text)
    files = {root / "charts/pqcdc/templates/crd-connectors.yaml": crd_template(text)}
    for chart in CHARTS:
        directory = root / "charts" / chart
        values = read_values((directory / "values.yaml").read_text())
        schema = values_schema(values, crd)
        files[directory / "values.schema.json"] = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        files[directory / "README.md"] = readme((directory / "README.md").read_text(), values)
    return files


def drifted(root: Path) -> list[Path]:
    return [path for path, text in generated(root).items() if not path.exists() or path.read_text() != text]


def main(arguments: list[str]) -> int:
    try:
        paths = drifted(ROOT)
        for path in paths if "--write" in arguments else ():
            path.write_text(generated(ROOT)[path])
    except Mistake as mistake:
        print(mistake, file=sys.stderr)
        return 1
    word = "written" if "--write" in arguments else "differs from what it is made of: scripts/charts --write"
    for path in paths:
        print(f"{path.relative_to(ROOT)}: {word}")
    return 1 if paths and "--write" not in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
