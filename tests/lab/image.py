"""The image as scripts/image builds it: its archive, its configuration, its root directory."""

import hashlib
import json
import subprocess
import tarfile
from functools import cached_property
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/image"


class Image:
    """What an archive of one image holds."""

    def __init__(self, archive: Path):
        self.archive = archive

    def digest(self) -> str:
        return hashlib.sha256(self.archive.read_bytes()).hexdigest()

    def _json(self, name: str) -> dict | list:
        with tarfile.open(self.archive) as tar:
            return json.load(tar.extractfile(name))

    @cached_property
    def manifest(self) -> dict:
        (manifest,) = self._json("manifest.json")
        return manifest

    @property
    def name(self) -> str:
        (name,) = self.manifest["RepoTags"]
        return name

    @cached_property
    def document(self) -> dict:
        """All that is said of it: config, layers, history."""
        return self._json(self.manifest["Config"])

    @property
    def config(self) -> dict:
        return self.document["config"]

    @cached_property
    def members(self) -> dict[str, tarfile.TarInfo]:
        """Absolute path -> what is there; no layer takes away what another one has put there."""
        found = {}
        with tarfile.open(self.archive) as tar:
            for layer in self.manifest["Layers"]:
                with tarfile.open(fileobj=tar.extractfile(layer)) as files:
                    found |= {f"/{member.name}": member for member in files}
        return found

    def files(self) -> dict[str, tarfile.TarInfo]:
        return {path: member for path, member in self.members.items() if member.isfile()}

    def unpack(self, directory: Path) -> Path:
        with tarfile.open(self.archive) as tar:
            for layer in self.manifest["Layers"]:
                with tarfile.open(fileobj=tar.extractfile(layer)) as files:
                    files.extractall(directory)
        return directory


def build_image(*arguments: str) -> Image:
    """arguments: --rebuild, or nothing: from the cache when it has it."""
    if arguments:
        subprocess.run([SCRIPT, *arguments], check=True)
    done = subprocess.run([SCRIPT, "--archive"], check=True, text=True, stdout=subprocess.PIPE)
    return Image(Path(done.stdout.strip()))
