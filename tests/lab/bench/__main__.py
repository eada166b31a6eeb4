"""What scripts/bench runs: one command with its own servers."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from lab.bench import failover, latency, line, memory, profile
from lab.servers import Kafka, Postgres

COMMANDS = {"line": line, "latency": latency, "memory": memory, "profile": profile, "failover": failover}


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--program", required=True, type=Path)
    parser.add_argument("--ceiling", required=True)
    parser.add_argument("--probe", required=True)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, module in COMMANDS.items():
        command = commands.add_parser(name)
        command.add_argument("--pg-major", default="16")
        module.add_arguments(command)
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="pqcdc-bench."))
    directory.chmod(0o755)  # the servers may run as another user
    postgres = Postgres(directory / "postgres", options.pg_major)
    kafka = Kafka(directory / "kafka", heap="512m", java="")
    try:
        options.versions = ", ".join(server.start().split(":")[0] for server in (postgres, kafka))
        return COMMANDS[options.command].run(options, (postgres, kafka), directory / "workers")
    finally:
        kafka.stop()
        postgres.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
