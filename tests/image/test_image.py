"""What is in the image, and what is not."""

import hashlib
import http.client
import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from lab.image import Image, build_image
from lab.servers import free_port
from lab.waiting import wait_until

MB = 1_000_000
SBOM = "/usr/share/sbom/pqcdc.spdx.json"
BUILDINFO = "/usr/share/sbom/pqcdc.buildinfo"


@pytest.fixture(scope="session")
def image() -> Image:
    return build_image()


@pytest.fixture(scope="session")
def root(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = image.unpack(tmp_path_factory.mktemp("image"))
    directory.chmod(0o755)  # its user must be able to enter it
    return directory


@pytest.fixture(scope="session")
def sbom(root: Path) -> dict:
    return json.loads((root / SBOM[1:]).read_text())


def programs(image: Image) -> list[str]:
    return [path for path in image.files() if path.startswith("/usr/bin/")]


def test_it_is_small(image: Image):
    assert sum(member.size for member in image.files().values()) <= 40 * MB


def test_it_has_nothing_to_start_but_the_programs(image: Image):
    """No shell, no package manager: of what can be executed only the programs, the loader and libraries."""
    found = {path for path, member in image.files().items() if member.mode & 0o111}
    libraries = {path for path in found if re.fullmatch(r"/usr/lib/[^/]+/(ld-linux-|lib)[^/]*\.so[^/]*", path)}
    assert found - libraries <= {"/usr/bin/pqcdc", "/usr/bin/pqcdc-operator"}
    assert "/usr/bin/pqcdc" in found


def test_it_runs_as_a_numeric_user(image: Image, root: Path):
    assert image.config["User"] == "65532:65532"
    assert "pqcdc:x:65532:65532:" in (root / "etc/passwd").read_text()
    assert image.config["Entrypoint"] == ["/usr/bin/pqcdc"]
    assert "Cmd" not in image.config


def test_nothing_in_it_can_be_changed_by_its_user(image: Image):
    for path, member in image.members.items():
        assert (member.uid, member.gid) == (0, 0), path
        assert member.issym() or not member.mode & 0o022, path
        assert not member.mode & (stat.S_ISUID | stat.S_ISGID), path


def test_its_labels_say_what_it_is(image: Image, root: Path):
    labels = image.config["Labels"]
    prefix = "org.opencontainers.image."
    assert {name.removeprefix(prefix) for name in labels} == {
        "title",
        "description",
        "vendor",
        "licenses",
        "version",
        "revision",
        "created",
        "base.name",
    }
    assert labels[f"{prefix}base.name"] == "scratch", "and so there is no digest of it"
    assert labels[f"{prefix}version"] == version_of(root, "/usr/bin/pqcdc")
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", labels[f"{prefix}revision"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", labels[f"{prefix}created"])


def version_of(root: Path, program: str) -> str:
    """As the program says from within the image, and as its user."""
    done = subprocess.run(
        [program, "--version"],
        text=True,
        capture_output=True,
        check=True,
        env={},
        preexec_fn=lambda: enter(root),
    )
    return done.stdout.split()[1]


def enter(root: Path) -> None:
    os.chroot(root)
    os.chdir("/")
    os.setgroups([])
    os.setgid(65532)
    os.setuid(65532)


def test_the_programs_run_in_it(image: Image, root: Path):
    versions = {version_of(root, program) for program in programs(image)}
    assert len(versions) == 1


# As a container has it: a root of its own, with /proc.
CONTAINER = 'mkdir -p "$0/proc" && mount -t proc proc "$0/proc" && exec chroot --userspec=65532:65532 "$0" "$@"'


def test_its_kafka_client_can_do_what_is_promised_of_it(root: Path, sbom: dict):
    """Log in by SCRAM to Kafka 4, which takes librdkafka 2.6.1, and tell whether a topic may be written to."""
    (version,) = [package["versionInfo"] for package in sbom["packages"] if package["name"] == "librdkafka1"]
    assert [int(part) for part in re.findall(r"\d+", version)[:3]] >= [2, 6, 1], version
    assert b"rd_kafka_DescribeTopics" in (root / "usr/bin/pqcdc").read_bytes()


def test_it_can_take_profiles(root: Path):
    """In it are the library, and the names of functions that the program does not export."""
    port = free_port()
    settings = {
        "CDC_HOST": "127.0.0.1",
        "CDC_PORT": "1",
        "CDC_USERNAME": "nobody",
        "CDC_DATABASE": "none",
        "CDC_SLOT_NAME": "s",
        "CDC_PUBLICATION_NAME": "p",
        "CDC_DEBUG_MODE": "true",
        "CDC_METRIC_PORT": str(port),
        "CDC_METRIC_ADDRESS": "127.0.0.1",
        "KAFKA_BROKERS": "[127.0.0.1:1]",
        "KAFKA_TOPIC_TEMPLATE": "t",
    }
    worker = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", CONTAINER, root, "/usr/bin/pqcdc", "run"],
        env={"PATH": os.environ["PATH"]} | {f"PQCDC_{name}": value for name, value in settings.items()},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: page(port, "cmdline") or worker.poll() is not None, "it answers")
        assert page(port, "cmdline") == (200, "/usr/bin/pqcdc\0run")
        assert page(port, "profile?seconds=1")[0] == 200
        code, heap = page(port, "heap")
        assert code == 200 and "libtcmalloc_and_profiler.so.4" in heap
        stacks = re.findall(r"0x[0-9a-f]+", heap.partition("MAPPED_LIBRARIES")[0])
        names = page(port, "symbol", "+".join(sorted(set(stacks))))[1]
        assert {"main", "commands_run", "run_command"} <= set(re.findall(r"^0x\w+ (\w+)$", names, re.M))
    finally:
        worker.kill()
        print(worker.communicate()[1])


def page(port: int, name: str, body: str | None = None) -> tuple[int, str] | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST" if body else "GET", f"/debug/pprof/{name}", body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except ConnectionError:
        return None
    finally:
        connection.close()


def test_every_file_is_in_the_bill_of_materials(image: Image, root: Path, sbom: dict):
    listed = {file["fileName"].removeprefix("."): file["checksums"] for file in sbom["files"]}
    assert listed.keys() == image.files().keys() - {SBOM}
    for path, checksums in listed.items():
        content = (root / path[1:]).read_bytes()
        assert {each["algorithm"]: each["checksumValue"] for each in checksums} == {
            "SHA1": hashlib.sha1(content).hexdigest(),
            "SHA256": hashlib.sha256(content).hexdigest(),
        }, path


def test_the_bill_of_materials_has_the_packages_of_the_files_and_no_other(sbom: dict):
    packages = {package["SPDXID"]: package for package in sbom["packages"]}
    contained = [r for r in sbom["relationships"] if r["relationshipType"] == "CONTAINS"]
    assert {r["spdxElementId"] for r in contained} == packages.keys()
    assert sorted(r["relatedSpdxElement"] for r in contained) == sorted(f["SPDXID"] for f in sbom["files"])
    names = {package["name"] for package in packages.values()}
    assert {"pqcdc", "libc6", "libpq5", "librdkafka1", "ca-certificates"} <= names
    for package in packages.values():
        assert package["versionInfo"] and package["supplier"], package["name"]
        debian = package["name"] != "pqcdc"
        assert debian == any(r["referenceType"] == "purl" for r in package.get("externalRefs", []))


def test_the_bill_of_materials_is_spdx(sbom: dict):
    assert sbom["spdxVersion"] == "SPDX-2.3"
    identifiers = [each["SPDXID"] for each in [sbom, *sbom["packages"], *sbom["files"]]]
    assert len(identifiers) == len(set(identifiers))
    assert all(re.fullmatch(r"SPDXRef-[a-zA-Z0-9.-]+", each) for each in identifiers)
    known = set(identifiers)
    for relationship in sbom["relationships"]:
        assert {relationship["spdxElementId"], relationship["relatedSpdxElement"]} <= known


def test_what_it_was_built_with_is_recorded(image: Image, root: Path, sbom: dict):
    """By name and version, the compiler and all; the packages of the image's own files among them."""
    text = (root / BUILDINFO[1:]).read_text()
    head, _, packages = text.partition("Installed-Build-Depends:\n")
    rows = packages.splitlines()
    assert all(re.fullmatch(r" [a-z0-9.+-]+ \(= [\w.+:~-]+\),", row) for row in rows[:-1])
    versions = dict(re.findall(r"^ (\S+) \(= (\S+)\),?$", packages, re.M))
    assert len(versions) == len(rows) > 100
    assert {"gcc", "cmake", "libc6-dev", "librdkafka-dev"} <= versions.keys()
    taken = {each["name"]: each["versionInfo"] for each in sbom["packages"] if each["name"] != "pqcdc"}
    assert taken.items() <= versions.items()
    assert f"Vcs-Revision: {image.config['Labels']['org.opencontainers.image.revision']}\n" in head


def test_authorities_are_debians(root: Path):
    """Those that the machine trusts besides are not in it."""
    bundle = (root / "etc/ssl/certs/ca-certificates.crt").read_text()
    assert bundle.count("BEGIN CERTIFICATE") > 100
    for local in Path("/usr/local/share/ca-certificates").glob("*.crt"):
        assert local.read_text().strip() not in bundle, local.name
    assert (root / "usr/lib/ssl/cert.pem").is_symlink()


def test_it_does_not_tell_what_came_from_a_cache(image: Image):
    """Else the same sources would make two images, one in a cold cache and one in a warm."""
    assert not image.document.get("history")
    assert image.document["created"] == image.config["Labels"]["org.opencontainers.image.created"]
    assert len(image.manifest["Layers"]) == 1


def test_it_is_the_same_when_it_is_built_again(image: Image, full: bool):
    if not full:
        pytest.skip("takes a build: --full")
    before = image.digest()
    assert build_image("--rebuild").digest() == before
