"""One broker that is reached in several ways that are secured, and what its clients need for that."""

from pathlib import Path

import confluent_kafka
from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from lab.certificates import Authority, Certificate, _openssl
from lab.servers import Kafka, free_port


class Intermediate(Authority):
    """One that another one has signed."""

    def __init__(self, above: Authority, name: str):
        self.directory = above.directory
        self.certificate = above.directory / f"{name}.crt"
        self._key = above.directory / f"{name}.key"
        made = above.sign(name)
        made.key.rename(self._key)
        request = above.directory / f"{above.certificate.stem}-{name}-30.csr"
        extensions = request.with_suffix(".ext")
        extensions.write_text("basicConstraints=critical,CA:TRUE\n")
        _openssl(
            "x509", "-req", "-in", request, "-CA", above.certificate, "-CAkey", above._key, "-CAcreateserial",
            "-days", "30", "-extfile", extensions, "-out", self.certificate,
        )  # fmt: skip


class SecuredKafka(Kafka):
    """Who comes by `bootstrap` may do everything. The others are on localhost, which their certificates name:
    SCRAM    SASL_SSL with SCRAM-SHA-512, by scram_port; the certificate is an intermediate authority's
    MTLS     SSL; asks for a certificate of the client, by mtls_port
    EXPIRED  SSL; its own certificate is out of date

    Clients of SCRAM and MTLS are told that the broker is at the port after it: there a proxy must stand."""

    LISTENERS = {"SCRAM": "SASL_SSL", "MTLS": "SSL", "EXPIRED": "SSL"}

    def __init__(self, state: Path):
        super().__init__(state, "256m")
        self.environment["KAFKA_PROXY"] = ""
        self.scram_port = free_port(5)
        self.mtls_port = self.scram_port + 2
        self.expired_port = self.scram_port + 4
        tls = state / "tls"
        self.root = Authority(tls, "lab-root")
        self.inter = Intermediate(self.root, "lab-inter")
        self.stranger = Authority(tls, "lab-stranger")
        stores = {
            "SCRAM": self.inter.sign("scram-listener", "DNS:localhost"),
            "MTLS": self.root.sign("mtls-listener", "DNS:localhost"),
            "EXPIRED": self.root.sign("expired-listener", "DNS:localhost", days=0),
        }
        self.environment["KAFKA_CONF"] = self._conf({name: self._store(made) for name, made in stores.items()})

    @staticmethod
    def _store(made: Certificate) -> Path:
        """A key and its certificate in one file, as Kafka takes them."""
        store = made.certificate.with_suffix(".store.pem")
        store.write_text(made.key.read_text() + made.certificate.read_text())
        return store

    def _conf(self, stores: dict[str, Path]) -> str:
        own = f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.port + 1}"
        at = {"SCRAM": self.scram_port, "MTLS": self.mtls_port, "EXPIRED": self.expired_port}
        told = {"SCRAM": self.scram_port + 1, "MTLS": self.mtls_port + 1, "EXPIRED": self.expired_port}
        lines = [
            "listeners=" + ",".join([own, *(f"{name}://127.0.0.1:{port}" for name, port in at.items())]),
            f"advertised.listeners=PLAINTEXT://127.0.0.1:{self.port},"
            + ",".join(f"{name}://localhost:{port}" for name, port in told.items()),
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
            + ",".join(f"{name}:{protocol}" for name, protocol in self.LISTENERS.items()),
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:ANONYMOUS",
            "auto.create.topics.enable=true",
            "sasl.enabled.mechanisms=SCRAM-SHA-512",
            "listener.name.scram.scram-sha-512.sasl.jaas.config="
            "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            "listener.name.mtls.ssl.client.auth=required",
            "listener.name.mtls.ssl.truststore.type=PEM",
            f"listener.name.mtls.ssl.truststore.location={self.root.certificate}",
            "listener.name.mtls.ssl.principal.mapping.rules=RULE:^CN=([^,]*).*$/$1/",
        ]
        for name, store in stores.items():
            lines += [
                f"listener.name.{name.lower()}.ssl.keystore.type=PEM",
                f"listener.name.{name.lower()}.ssl.keystore.location={store}",
            ]
        return "\n".join(lines)

    def set_password(self, user: str, password: str) -> None:
        """For who logs in from now on."""
        how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 2})
        change = UserScramCredentialUpsertion(user, how, password.encode())
        admin.alter_user_scram_credentials([change])[user].result(timeout=30)


def scram_client(directory: Path) -> dict[str, str]:
    """The environment of a worker whose librdkafka is the one of the Python package: Debian 12's, before 2.6.1,
    cannot log in by SCRAM to Kafka 4.0 and later."""
    (library,) = Path(confluent_kafka.__file__).parents[1].glob("confluent_kafka.libs/librdkafka-*.so.1")
    directory.mkdir(exist_ok=True)
    link = directory / "librdkafka.so.1"
    if not link.exists():
        link.symlink_to(library)
    return {"LD_LIBRARY_PATH": str(directory)}
