"""Passwords work however they are given and whatever is in them, and are never seen again."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from psycopg import sql

WORD, KAFKA_WORD, LATER_WORD = "hunter2", "swordfish", "opensesame"
PASSWORD = f" {WORD} \"quoted\" 'twice' \\back %s $HOME #no: {{x}} ä€𝄞 "
KAFKA_PASSWORD = f"{KAFKA_WORD} \"',=€"
WAYS = ("file", "environment", "set", "passwordFile")


def given(way: str, directory: Path) -> tuple[dict, list[str], dict[str, str]]:
    """cdc and kafka of the configuration, arguments, environment."""
    properties = {"sasl.username": "u", "sasl.password": KAFKA_PASSWORD}
    if way == "file":
        return {"cdc": {"password": PASSWORD}, "kafka": {"properties": properties}}, [], {}
    if way == "environment":
        values = {"PQCDC_CDC_PASSWORD": PASSWORD, "PQCDC_KAFKA_PROPERTIES": json.dumps(properties)}
        return {}, [], values
    if way == "set":
        values = [f"cdc.password={PASSWORD}", f"kafka.properties.sasl.password={KAFKA_PASSWORD}"]
        return {}, [word for value in values for word in ("--set", value)], {}
    file = directory / "password"
    file.write_text(PASSWORD + "\n")
    return {"cdc": {"passwordFile": str(file)}, "kafka": {"properties": properties}}, [], {}


@pytest.fixture
def role(line):
    """A user who needs the password."""
    name = sql.Identifier(line.scenario.name)
    line.scenario.execute(
        "do $$ begin create role password_required; exception when duplicate_object then null; end $$"
    )
    create = "create role {} login superuser replication password {} in role password_required"
    line.scenario.execute(sql.SQL(create).format(name, sql.Literal(PASSWORD)))
    yield line.scenario.name
    line.scenario.postgres.execute(sql.SQL("drop role {}").format(name))


def assert_unseen(outputs: dict[str, str]) -> None:
    for where, text in outputs.items():
        assert text, f"{where} says nothing: this proves nothing"
        for word in (WORD, KAFKA_WORD, LATER_WORD):
            assert word not in text, f"{where} has {word}:\n{text}"


@pytest.mark.parametrize("way", WAYS)
def test_password(line, role, acquit, program, tmp_path, way):
    changes, arguments, environment = given(way, tmp_path)
    changes["cdc"] = {"username": role, "logger": {"logLevel": "DEBUG"}} | changes.get("cdc", {})
    worker = line.streaming(environment, arguments=arguments, **changes)
    with line.writers(pause=0.005):
        worker.wait_delivery()
    line.scenario.settle(worker)
    acquit(line)
    outputs = {path: worker.get(path)[1] for path in ("/status", "/slot", "/metrics", "/nowhere", "/readyz?verbose")}
    outputs["its command line"] = Path(f"/proc/{worker.pid}/cmdline").read_text()
    for command in (["config"], ["slot", "status"]):
        done = subprocess.run(
            [program, *command, "--config", worker.config_file, *arguments],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        outputs[" ".join(command)] = done.stdout + done.stderr

    # The password changes: the login is refused, and the worker halts.
    alter = sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(LATER_WORD))
    line.scenario.execute(alter)
    line.terminate_walsender()
    assert worker.wait_exit() == 69
    assert worker.find_log("28P01")
    outputs["its log"] = worker.stderr() + worker.stdout().decode()
    assert_unseen(outputs)


WRONG = {
    "a list": f"cdc: {{password: [{WORD}]}}",
    "a mapping": f"cdc: {{password: {{x: {WORD}}}}}",
    "an unknown name": f"cdc: {{pasword: {WORD}}}",
    "no YAML, unclosed": f'cdc:\n  password: "{WORD}\n',
    "no YAML, a tab": f"cdc:\n\tpassword: {WORD}\n",
    "no YAML, an alias": f"cdc:\n  password: *{WORD}\n",
    "no YAML, a tag": f"cdc:\n  password: !{WORD} x\n",
    "two of them": f"cdc: {{password: {WORD}, password: {WORD}}}",
    "not UTF-8": f"cdc:\n  password: {WORD}\udcff\n",
    "a property": f"kafka: {{properties: {{ssl.key.password: [{KAFKA_WORD}]}}}}",
    "a denied property": f"kafka: {{properties: {{sasl.oauthbearer.client.secret: {KAFKA_WORD}, ssl.key.pem: {KAFKA_WORD}}}}}",
    "a section": f"cdc: {WORD}",
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_configuration(program, tmp_path, what):
    file = tmp_path / "wrong.yaml"
    file.write_bytes(WRONG[what].encode(errors="surrogateescape"))
    done = subprocess.run([program, "config", "--config", file], capture_output=True, text=True)
    assert done.returncode == 78
    assert_unseen({"standard error": done.stderr})


WRONG_WORDS = (
    ["run", f"--password={WORD}"],
    ["run", "--set", f"cdc.password:{WORD}"],
    ["run", "--set", f"cdc.password=[{WORD}"],
    ["run", "--set", f"cdc={{password: [{WORD}]}}"],
    ["run", f"--set=cdc.pasword={WORD}"],
    ["run", f"--set=kafka.properties={WORD}"],
)


@pytest.mark.parametrize("words", WRONG_WORDS, ids=range(len(WRONG_WORDS)))
def test_wrong_command_line(program, words):
    done = subprocess.run([program, *words], capture_output=True, text=True)
    assert done.returncode in (64, 78)
    assert_unseen({"standard error": done.stderr})
