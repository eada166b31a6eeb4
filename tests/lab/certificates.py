"""Authorities and certificates for tests, made by openssl: gone with their directory."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr}")


@dataclass
class Certificate:
    certificate: Path
    key: Path


class Authority:
    """It signs whatever it is asked to; `certificate` is its own."""

    def __init__(self, directory: Path, name: str):
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.certificate = directory / f"{name}.crt"
        self._key = directory / f"{name}.key"
        _openssl(
            "req", "-x509", *CURVE, "-subj", f"/CN={name}", "-days", "30",
            "-keyout", self._key, "-out", self.certificate,
        )

    def sign(self, subject: str, *names: str, days: int = 30) -> Certificate:
        """names: of a server, "DNS:localhost" or "IP:127.0.0.1". days = 0: it is out of date when it is made."""
        stem = self.directory / f"{self.certificate.stem}-{subject}-{days}"
        request, extensions = stem.with_suffix(".csr"), stem.with_suffix(".ext")
        made = Certificate(stem.with_suffix(".crt"), stem.with_suffix(".key"))
        _openssl("req", *CURVE, "-subj", f"/CN={subject}", "-keyout", made.key, "-out", request)
        extensions.write_text(f"subjectAltName={','.join(names)}\n" if names else "keyUsage=digitalSignature\n")
        _openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key,
            "-CAcreateserial", "-days", str(days), "-extfile", extensions, "-out", made.certificate,
        )
        return made
