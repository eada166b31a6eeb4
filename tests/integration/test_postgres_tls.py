"""TLS to PostgreSQL for real: who is let in, and what is refused with which words."""

import json
import os
import shutil
import socket
import ssl
from pathlib import Path

import pytest
from lab.certificates import Authority, Certificate
from lab.servers import Postgres
from lab.waiting import wait_until

HALTED = 69
SSL_REQUEST = bytes.fromhex("0000000804d2162f")  # "SSLRequest" of PostgreSQL's protocol


class TlsPostgres:
    """A server that can show one certificate or another, and whose pg_hba.conf a test writes."""

    def __init__(self, server: Postgres, authority: Authority):
        self.server, self.authority = server, authority
        self.own = authority.sign("localhost", "DNS:localhost")
        self._install(authority.certificate, "clients.crt")
        self._hba = (server.data / "pg_hba.conf").read_text()
        self.server.configure("ssl_ca_file = 'clients.crt'")
        self.present(self.own, "ssl = on")

    def _install(self, source: Path, name: str) -> None:
        target, owner = self.server.data / name, self.server.data.stat()
        shutil.copy(source, target)
        os.chown(target, owner.st_uid, owner.st_gid)
        target.chmod(0o600)

    def reload(self) -> None:
        self.server.execute("select pg_reload_conf()")

    def present(self, certificate: Certificate, conf: str = "") -> None:
        """From now on it shows this one."""
        self._install(certificate.certificate, "server.crt")
        self._install(certificate.key, "server.key")
        if conf:
            self.server.configure(conf)
        self.reload()
        wanted = ssl.PEM_cert_to_DER_cert(certificate.certificate.read_text())
        wait_until(lambda: self.presented() == wanted, "the server shows the certificate")

    def presented(self) -> bytes | None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=5) as plain:
            plain.sendall(SSL_REQUEST)
            if plain.recv(1) != b"S":
                return None
            with context.wrap_socket(plain) as encrypted:
                return encrypted.getpeercert(binary_form=True)

    def admit(self, *lines: str) -> None:
        """These lines stand before all others; seen to be in force."""
        (self.server.data / "pg_hba.conf").write_text("\n".join([*lines, self._hba]))
        self.reload()
        sql = "select count(*) from pg_hba_file_rules where error is not null"
        assert self.server.execute(sql) == [(0,)]

    def restore(self) -> None:
        self.admit()
        self.present(self.own)


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def tls_server(pg_major, state, logs, authority):
    server = Postgres(state / f"postgres-tls-{pg_major}", pg_major, "fsync = off")
    server.start()
    yield TlsPostgres(server, authority)
    server.stop()
    server.remove(logs / f"postgres-tls-{pg_major}")


@pytest.fixture
def tls(tls_server):
    yield tls_server
    tls_server.restore()


@pytest.fixture
def world(tls, scenario_on):
    """A scenario on that server, reached as localhost, which its certificate names."""
    scenario = scenario_on(tls.server)
    scenario.execute("create table users (id int primary key)")
    return scenario


@pytest.fixture
def connect(world, authority):
    """connect(**cdc) -> the configuration; the authority is known unless said otherwise."""

    def config(**cdc):
        return world.config(cdc={"host": "localhost", "sslRootCert": str(authority.certificate), **cdc})

    return config


def prove(world, worker, encrypted: bool = True) -> None:
    """It streams, and each of its sessions is encrypted."""
    world.execute("insert into users values (1)")
    world.settle(worker)
    assert [value["operation"] for value in world.values()] == ["INSERT"]
    sessions = world.execute(
        "select distinct ssl from pg_stat_ssl join pg_stat_activity using (pid)"
        " where application_name like 'pqcdc:%' and datname = current_database()"
    )
    assert sessions == [(encrypted,)]


@pytest.fixture
def refused(world):
    """refused(config, code, words...): it halts at once, and `pqcdc check` says the same."""

    def run(config: dict, code: str, *words: str) -> str:
        worker = world.worker(config)
        assert worker.wait_exit() == HALTED, worker.stderr()
        log = worker.last_log("halted")
        assert log["code"] == code
        said = f"{log['error']} {log['advice']}"
        for word in (f"{config['cdc']['host']}:{config['cdc']['port']}", *words):
            assert word in said, said
        checked = worker.command("check", "--output", "json")
        first = json.loads(checked.stdout)["checks"][0]
        assert checked.returncode == 1
        assert (first["check"], first["status"]) == ("postgres", "fail")
        assert first["text"] == log["error"] and first["advice"] == log["advice"]
        return said

    return run


@pytest.mark.parametrize("mode", ["verify-full", "verify-ca", "require", None])
def test_encrypted_and_verified(world, connect, mode):
    """Without a mode it is verify-full, since the authority is given."""
    host = "127.0.0.1" if mode == "verify-ca" else "localhost"  # which looks at no name
    root = {"sslRootCert": None} if mode == "require" else {}
    prove(world, world.streaming(connect(host=host, sslMode=mode, **root)))


def test_wrong_authority(connect, refused, stranger):
    words = "self-signed certificate in certificate chain", "cdc.sslRootCert"
    refused(connect(sslRootCert=str(stranger.certificate)), "tls_untrusted", *words)


def test_wrong_name(connect, refused):
    refused(connect(host="127.0.0.1"), "tls_wrong_name", '"localhost"', "cdc.host")


def test_the_next_host_is_tried(world, connect):
    """What is wrong with one host is told only where no other one is right, and then rather than that
    another one is away."""
    port = world.postgres.port
    prove(world, world.streaming(connect(host="127.0.0.1,localhost")))
    world.workers[-1].end()
    both = connect(host="127.0.0.1,localhost", port=f"{port},1")
    worker = world.worker(both)
    assert worker.wait_exit() == HALTED
    assert worker.last_log("halted")["code"] == "tls_wrong_name"


def test_out_of_date(connect, refused, tls, authority):
    tls.present(authority.sign("localhost", "DNS:localhost", days=0))
    refused(connect(), "tls_untrusted", "certificate has expired", "in date")


@pytest.mark.parametrize("mode", ["require", "verify-full"])
def test_server_without_tls(refused, connect, postgres, mode):
    """What a downgrade looks like: whoever answers says that it has no TLS."""
    config = connect(sslMode=mode, port=postgres.port)
    refused(config, "tls_missing", "cdc.sslMode", "ssl = on")


def test_server_that_wants_tls(world, connect, refused, tls):
    tls.admit("hostnossl all all 127.0.0.1/32 reject")
    refused(connect(sslRootCert=None, sslMode="disable"), "28000", "cdc.sslMode")
    prove(world, world.streaming(connect(sslRootCert=None)))  # prefers it


@pytest.fixture
def role(world, tls):
    """A role that pg_hba.conf lets in as the test says; it goes with the server."""
    name = f"{world.name}_guest"
    world.execute(f"create role {name} superuser login replication")
    return name


def files_of(made: Certificate) -> dict[str, str]:
    return {"sslCert": str(made.certificate), "sslKey": str(made.key)}


def test_client_certificate(world, connect, refused, tls, role, authority, stranger):
    tls.admit(f"hostssl all {role} 127.0.0.1/32 cert")
    refused(connect(username=role), "28000", "certificate", "cdc.sslCert")
    refused(connect(username=role, **files_of(stranger.sign(role))), "tls_client_refused", "cdc.sslCert")
    refused(connect(username=role, **files_of(authority.sign(role, days=0))), "tls_client_refused", "cdc.sslCert")
    own = authority.sign(role)
    open_key = {**files_of(own), "sslKey": str(shutil.copy(own.key, own.key.with_suffix(".open")))}
    Path(open_key["sslKey"]).chmod(0o644)
    refused(connect(username=role, **open_key), "tls_file", "chmod 600")
    prove(world, world.streaming(connect(username=role, **files_of(own))))


def test_channel_binding(world, connect, refused, tls, role, postgres):
    tls.admit(f"host all {role} 127.0.0.1/32 scram-sha-256")
    world.execute(f"alter role {role} password 'sesame'")
    bound = {"username": role, "password": "sesame", "channelBinding": "require"}
    refused(connect(**{**bound, "sslRootCert": None, "sslMode": "disable"}), "channel_binding", "needs TLS")
    prove(world, world.streaming(connect(**bound)))
    for worker in world.workers:
        worker.end()
    world.execute(f"set password_encryption = md5; alter role {role} password 'sesame'")
    tls.admit(f"host all {role} 127.0.0.1/32 md5")
    said = refused(connect(**bound), "channel_binding", "scram-sha-256")
    assert "sesame" not in said
    tls.admit(f"host all {role} 127.0.0.1/32 trust")
    refused(connect(**bound), "channel_binding")


def test_certificates_that_change_under_a_worker(world, connect, tls, role, authority, stranger, tmp_path):
    """Each is read anew at each connect: the server's authority, and the certificate of our own."""
    tls.admit(f"hostssl all {role} 127.0.0.1/32 cert")
    files = {name: tmp_path / name for name in ("root.crt", "own.crt", "own.key")}
    own = authority.sign(role)
    for source, target in zip((authority.certificate, own.certificate, own.key), files.values()):
        shutil.copy(source, target)
    names = dict(zip(("sslRootCert", "sslCert", "sslKey"), map(str, files.values())))
    worker = world.streaming(connect(username=role, onHalt="wait", **names))
    tls.present(stranger.sign("localhost", "DNS:localhost"))
    shutil.copy(stranger.certificate, files["root.crt"])
    stranger_sees = world.slot_row()["active_pid"]
    world.execute("select pg_terminate_backend(%s)", (stranger_sees,))
    worker.wait(lambda: world.slot_row()["active_pid"] not in (None, stranger_sees), "it reads again")
    worker.wait_streaming()
    prove(world, worker)
    assert worker.find_log("halted") is None


def test_nothing_of_the_home_directory_is_read(world, connect, tmp_path):
    """What libpq would take from there for granted makes each connection fail here."""
    directory = tmp_path / ".postgresql"
    directory.mkdir()
    for name in "root.crt", "postgresql.crt", "postgresql.key", "root.crl":
        (directory / name).write_text("nonsense\n")
        (directory / name).chmod(0o600)
    (tmp_path / ".pgpass").write_text(f"localhost:*:*:*:nonsense\n")
    environment = {"HOME": str(tmp_path), "PGSSLROOTCERT": str(directory / "root.crt"), "PGSSLMODE": "verify-full"}
    for root in {"sslRootCert": None}, {}:
        worker = world.worker(connect(**root), environment=environment)
        worker.wait_streaming()
        worker.terminate()
