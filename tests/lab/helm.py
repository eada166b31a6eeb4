"""Helm for Python, and what it renders.

helm = Helm(4)
objects = helm.template("charts/pqcdc", "values.yaml", watchNamespaces=["shop"])
deployment = objects.one("Deployment")
"""

import json
import subprocess
import tempfile
from pathlib import Path

import yaml

from lab.servers import LAB

ROOT = LAB.parents[1]
KUBERNETES = "1.34.0"
MONITORING = "monitoring.coreos.com/v1"


class HelmError(RuntimeError):
    """What it said."""


class Objects(list):
    """What was rendered, in that order."""

    def all(self, kind: str, **labels: str) -> "Objects":
        return Objects(
            item
            for item in self
            if item["kind"] == kind
            and all(item["metadata"]["labels"].get(f"app.kubernetes.io/{k}") == v for k, v in labels.items())
        )

    def one(self, kind: str, **labels: str) -> dict:
        found = self.all(kind, **labels)
        assert len(found) == 1, f"{len(found)} of kind {kind} {labels}, not one"
        return found[0]

    @property
    def kinds(self) -> set[str]:
        return {item["kind"] for item in self}

    def pods(self) -> list[dict]:
        """The specs of all pods."""
        specs = [item["spec"]["template"]["spec"] for item in self if item["kind"] == "Deployment"]
        return specs + [item["spec"] for item in self if item["kind"] == "Pod"]


class Helm:
    def __init__(self, major: int):
        self.major = major
        path = [LAB / "helm.sh", "path", str(major)]
        self.program = Path(subprocess.run(path, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
        self._rendered: dict[tuple[str, ...], str] = {}

    def run(self, *arguments: str, home: Path | None = None) -> str:
        """home: where it may leave something; a directory that is removed afterwards, when not given."""
        with tempfile.TemporaryDirectory(prefix="pqcdc-helm.") as directory:
            place = home or directory
            environment = {
                f"HELM_{name}_HOME": f"{place}/{name.lower()}" for name in ("CACHE", "CONFIG", "DATA")
            }
            done = subprocess.run(
                [self.program, *arguments],
                cwd=ROOT,
                env={"PATH": "/usr/bin:/bin", "HOME": str(place), **environment},
                capture_output=True,
                text=True,
            )
        if done.returncode != 0:
            raise HelmError(f"{done.stdout}{done.stderr}")
        return done.stdout

    def render(
        self,
        chart: str,
        *files: Path | str,
        release: str = "pqcdc",
        namespace: str = "shop",
        versions: tuple[str, ...] = (),
        **values: object,
    ) -> str:
        """versions: APIs that the cluster has beside its own. Asked the same again it answers the same, also
        when a file has changed."""
        flags = [flag for file in files for flag in ("--values", str(file))]
        flags += [flag for version in versions for flag in ("--api-versions", version)]
        flags += set_flags(values)
        command = ("template", release, chart, "--namespace", namespace, "--kube-version", KUBERNETES, *flags)
        if command not in self._rendered:
            self._rendered[command] = self.run(*command)
        return self._rendered[command]

    def template(self, chart: str, *files: Path | str, **arguments) -> Objects:
        return objects_of(self.render(chart, *files, **arguments))

    def lint(self, chart: str, *files: Path | str) -> str:
        flags = [flag for file in files for flag in ("--values", str(file))]
        return self.run("lint", "--strict", chart, "--kube-version", KUBERNETES, *flags)


def set_flags(values: dict[str, object]) -> list[str]:
    """values: name with __ for each . -> value."""
    return [
        flag
        for name, value in values.items()
        for flag in ("--set-json", f"{name.replace('__', '.')}={json.dumps(value)}")
    ]


def objects_of(text: str) -> Objects:
    """By libyaml, since the resource's definition is long."""
    return Objects(item for item in yaml.load_all(text, yaml.CSafeLoader) if item)
