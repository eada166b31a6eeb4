"""scripts/bench failover: how long nothing new arrives when the leader goes, and what that time is made of.

Two replicas, a steady load, a topic whose records bear the time at which the broker appended them. A gap is
the largest distance between two consecutive first occurrences (header pos) around the fault: what the new
leader sends once more does not end it. Nobody looks at the topic meanwhile; it is read afterwards. All times
are of one machine's clock: the broker's, PostgreSQL's log, the replicas' logs, ours.
"""

import argparse
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from lab.bench.measure import lsn_number, machine, markdown, spread
from lab.bench.takeover import STEPS, Fault, Said, ServerLog, Topic, marks_of, said_since
from lab.bench.takeover import streams_since, widest
from lab.bench.workloads import WORKLOADS
from lab.kubernetes import ApiServer, ServiceAccount, worker_rules
from lab.replica import Links, Replica
from lab.scenario import Scenario, merge
from lab.servers import Kafka, Postgres
from lab.waiting import wait_until
from lab.worker import Worker

WARM_UP_SECONDS = 5
QUIET_SECONDS = (2, 5)  # at random, ahead of each fault: it hits no timer in step
TAIL_SECONDS = 1
PATIENCE_SECONDS = 180
LEASED_WAL_SENDER_TIMEOUT = 5.0  # what the worker takes with a Lease when nothing is configured
LEASE_DURATION = 15.0
INSERT = "insert into users (name) values ('Oyleli');\n"
LEASE = "pqcdc-bench"
CROWD = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=20, help="faults of each case")
    names = f"of {', '.join(CASES)}; all of them unless --joint-starts is given"
    parser.add_argument("--cases", type=_cases, help=names)
    parser.add_argument("--joint-starts", type=int, default=0, help=f"joint starts of {CROWD} replicas")
    parser.add_argument("--rate", type=int, default=1000, help="transactions a second")
    options = parser.add_argument_group("configuration of the replicas, in seconds; else the defaults")
    for name in ("lease-duration", "renew-deadline", "retry-period", "takeover-grace", "wal-sender-timeout"):
        options.add_argument(f"--{name}", type=float)


def _cases(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in CASES:
            raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(CASES)}")
    return names


def run(options: argparse.Namespace, servers: tuple[Postgres, Kafka], directory: Path) -> int:
    names = options.cases or ([] if options.joint_starts else list(CASES))
    directory.mkdir()
    with FailoverBench(options, servers, directory) as bench:
        results = {name: bench.measure(name) for name in names}
        starts = bench.joint_starts()
    print(f"\n{machine()}; {options.versions}; {configured(options)}")
    if results:
        print(
            f"{options.rate} single-row transactions a second at random moments, two replicas, "
            f"{options.runs} faults of each kind; acks=all, idempotent, 1 partition, header pos\n\n"
            f"{table(options, results)}\n\n{verdicts(results)}\n\n{phases(results)}"
        )
    if starts is not None:
        print(f"\n{starts}")
    well = all(result.sound for result in results.values())
    return 0 if well and (starts is None or starts.sound) else 1


def configured(options: argparse.Namespace) -> str:
    changed = [f"{path} {value}" for path, value in changed_options(options).items()]
    return ", ".join(changed) or "default configuration"


def changed_options(options: argparse.Namespace) -> dict[str, str]:
    """Path in the configuration -> value."""
    given = {
        "election.leaseDuration": options.lease_duration,
        "election.renewDeadline": options.renew_deadline,
        "election.retryPeriod": options.retry_period,
        "election.takeoverGraceMs": options.takeover_grace,
        "cdc.walSenderTimeout": options.wal_sender_timeout,
    }
    return {path: f"{round(value * 1000)}ms" for path, value in given.items() if value is not None}


# --- the cases -----------------------------------------------------------------------------------


class Plain:
    """A replica on this machine's own loopback: nothing of the lab stands in its way."""

    def __init__(self, worker: Worker):
        self.worker = worker

    @property
    def links(self) -> Links:
        raise AssertionError("its links cannot be cut")


Member = Plain | Replica


def give(number: signal.Signals) -> Callable[[Member], None]:
    return lambda member: member.worker.signal(number)


def restart(member: Member) -> None:
    member.worker.wait_exit(60)
    member.worker.start()


def heal(member: Member) -> None:
    member.links.heal()


def wal_sender_timeout(options: argparse.Namespace) -> float:
    return options.wal_sender_timeout or LEASED_WAL_SENDER_TIMEOUT


@dataclass(frozen=True)
class Case:
    about: str
    strike: Callable[[Member], None]
    mend: Callable[[Member], None]
    aim: Callable[[argparse.Namespace], float] | None  # seconds; None: no gap at all
    reference: str = "-"
    leased: bool = True
    linked: bool = False  # by way of proxies, in networks of their own, so that each way can be cut
    look: str | None = None  # slotActivityCheckerInterval
    lasts: Callable[[argparse.Namespace], float] | None = None  # nobody is to take over

    @property
    def steps(self) -> bool:
        """Whether it is the take-over itself that takes the time."""
        return not self.linked and self.mend is restart


CLIENT_GO = "client-go's default timings: 13-24"
CASES = {
    "graceful": Case(
        *("SIGTERM", give(signal.SIGTERM), restart, lambda _: 0.2),
        reference="go-pq-cdc-kafka: 0.93",
    ),
    "kill": Case(
        *("kill -9", give(signal.SIGKILL), restart, lambda _: 0.5),
        reference=f"go-pq-cdc-kafka: 0.4 (1.0); {CLIENT_GO}",
    ),
    "kill-slot-50ms": Case(
        *("kill -9, no Lease, a look each 50 ms", give(signal.SIGKILL), restart, lambda _: 0.15),
        reference="go-pq-cdc-kafka: 0.4 (1.0)",
        leased=False,
        look="50ms",
    ),
    "kill-slot": Case(
        *("kill -9, no Lease, a look each 100 ms (default)", give(signal.SIGKILL), restart, lambda _: 0.15),
        reference="go-pq-cdc-kafka: 0.4 (1.0)",
        leased=False,
    ),
    "frozen": Case(
        *("SIGSTOP", give(signal.SIGSTOP), give(signal.SIGCONT), lambda o: wal_sender_timeout(o) + 1),
        reference="go-pq-cdc-kafka: 60.3",
    ),
    "cut-postgres": Case(
        "cut from PostgreSQL",
        lambda member: member.links.postgres.cut(),
        heal,
        lambda o: wal_sender_timeout(o) + 1,
        linked=True,
    ),
    "cut-kafka": Case(
        "cut from Kafka", lambda member: member.links.kafka.cut(), heal, lambda _: 32.0, linked=True
    ),
    "cut-api": Case(
        "cut from the API server for longer than the Lease",
        lambda member: member.links.api.cut(),
        heal,
        None,
        linked=True,
        lasts=lambda o: (o.lease_duration or LEASE_DURATION) + 5,
    ),
}


# --- measuring -----------------------------------------------------------------------------------


@dataclass
class Result:
    faults: list[Fault] = field(default_factory=list)
    rate: float = 0
    changes: int = 0
    lost: int = 0
    foreign: int = 0
    disordered: int = 0
    notes: list[str] = field(default_factory=list)

    broke_off: bool = False

    @property
    def sound(self) -> bool:
        return not (self.lost or self.foreign or self.disordered or self.broke_off)

    def note(self) -> str:
        counts = [f"{note} ({self.notes.count(note)})" for note in sorted(set(self.notes))]
        return "; ".join(counts) or "-"


class Group:
    """The replicas of one case, and what they stream from and to."""

    def __init__(self, bench: "FailoverBench", name: str, case: Case, count: int):
        self.case = case
        self.members: list[Member] = []
        self.account: ServiceAccount | None = None
        self._stack = ExitStack()
        try:
            self._set_up(bench, name, count)
        except BaseException:
            self._stack.close()
            raise

    def _set_up(self, bench: "FailoverBench", name: str, count: int) -> None:
        self.scenario = bench.scenario(f"failover_{name}".replace("-", "_"))
        self._stack.callback(self.scenario.close)
        self.topic = Topic(
            bench.kafka.bootstrap,
            self.scenario.create_topic("timed", **{"message.timestamp.type": "LogAppendTime"}),
        )
        self._stack.callback(self.topic.close)
        if self.case.leased:
            space = bench.api.namespace(f"failover-{name}")
            self.account = space.service_account("worker", worker_rules(LEASE))
        make = self._linked if self.case.linked else self._plain
        for number in range(1, count + 1):
            self.members.append(make(bench, number))

    def __enter__(self) -> "Group":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _config(self, bench: "FailoverBench", election: dict) -> dict:
        config = self.scenario.config(
            ["users"],
            cdc={"slot": {"slotActivityCheckerInterval": self.case.look}},
            kafka={"tableTopicMapping": {"public.users": self.topic.name}},
            format={"headers": ["pos"]},
            election=election,
        )
        for path, value in changed_options(bench.options).items():
            room, option = path.split(".")
            config = merge(config, {room: {option: value}})
        return config

    def _plain(self, bench: "FailoverBench", number: int) -> Plain:
        election = {"mode": "slot"}
        if self.account is not None:
            directory = self.scenario.directory / f"account-{number}"
            path = directory / "kubeconfig"
            mounted = self.account.mount(directory / "mounted")
            election = {"mode": "lease", "leaseName": LEASE}
            election["kubeconfig"] = str(self.account.kubeconfig(path, mounted))
        pod = {"POD_NAME": f"replica-{number}"}
        return Plain(self.scenario.worker(self._config(bench, election), environment=pod))

    def _linked(self, bench: "FailoverBench", number: int) -> Replica:
        assert self.account is not None
        directory = self.scenario.directory / f"replica-{number}"
        replica = Replica(self.scenario, self.account, LEASE, directory, in_cluster=False)
        self._stack.callback(replica.close)
        replica.start(self._config(bench, {}), environment={"POD_NAME": f"replica-{number}"})
        return replica

    def leader(self) -> Member:
        """The one that streams, when the others are ready to."""

        def found() -> Member | None:
            leaders = [member for member in self.members if is_streaming(member)]
            others = [member for member in self.members if member not in leaders]
            return leaders[0] if len(leaders) == 1 and all(map(is_ready, others)) else None

        return wait_until(found, "one replica streams and the others are ready", 120, 0.1)

    def end(self, number: signal.Signals) -> None:
        """All at once."""
        for member in self.members:
            member.worker.signal(number)
        for member in self.members:
            member.worker.wait_exit(60)

    def revive(self) -> int:
        """Starts those that have left by themselves; how many."""
        gone = [member for member in self.members if not member.worker.alive()]
        for member in gone:
            restart(member)
        return len(gone)


def status_of(member: Member) -> dict:
    """{}: it does not answer."""
    return member.worker.status_if_answered() or {}


def is_streaming(member: Member) -> bool:
    return status_of(member).get("state") == "streaming"


def is_ready(member: Member) -> bool:
    status = status_of(member)
    lease = status.get("lease")
    return (
        status.get("state") == "standby"
        and status["kafka_connected"]
        and (lease is None or lease["state"] == "following")
    )


class FailoverBench:
    def __init__(self, options: argparse.Namespace, servers: tuple[Postgres, Kafka], directory: Path):
        self.options = options
        self.postgres, self.kafka = servers
        self.directory = directory
        self.api = ApiServer(directory.parent / "kubernetes")
        self.server_log = ServerLog(self.postgres)

    def __enter__(self) -> "FailoverBench":
        try:
            self.options.versions += f", {self.api.start().split(':')[0]}"
        except BaseException:
            self.api.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.api.stop()

    def scenario(self, name: str) -> Scenario:
        """Table, publication and slot are there: everything that is committed must arrive."""
        scenario = Scenario(
            name, self.postgres, self.kafka, self.options.program, self.directory / name
        )
        scenario.directory.mkdir()
        scenario.execute(WORKLOADS["users"].create.format(identity="default"))
        scenario.execute(f"create publication {scenario.publication} for table users")
        scenario.execute(f"select pg_create_logical_replication_slot('{scenario.slot}', 'pgoutput')")
        return scenario

    # One case

    def measure(self, name: str) -> Result:
        """What breaks one case off leaves what was measured, and the other cases."""
        result = Result()
        with Group(self, name, CASES[name], count=2) as group:
            try:
                self.strike_often(name, group, result)
            except AssertionError as error:
                result.broke_off = True
                result.notes.append("broken off")
                print(f"{name}: broken off: {error}", flush=True)
        return result

    def strike_often(self, name: str, group: Group, result: Result) -> None:
        group.leader()
        with self.load(group.scenario, result):
            time.sleep(WARM_UP_SECONDS)
            for number in range(1, self.options.runs + 1):
                fault = self.fault(group, result)
                result.faults.append(fault)
                print(f"{name}, {number} of {self.options.runs}: {describe(fault)}", flush=True)
        group.scenario.settle(group.leader().worker, 60)
        self.judge(group, result)

    def fault(self, group: Group, result: Result) -> Fault:
        case = group.case
        leader = group.leader()
        lasts = case.lasts(self.options) if case.lasts else None
        quiet = lasts or random.uniform(*QUIET_SECONDS)
        time.sleep(quiet)
        group.topic.read_on()
        before = len(group.topic.tally.arrivals)
        slot = group.scenario.slot_row()
        struck = time.time()
        case.strike(leader)
        successor = None if lasts else self.await_successor(group, leader)
        time.sleep(lasts or TAIL_SECONDS)
        ended = time.time()
        case.mend(leader)
        self.await_order(group, result)
        group.topic.read_on()
        arrivals = group.topic.tally.since(before)
        a, b = widest(arrivals, struck, ended)
        marks = self.marks(leader, successor, struck, slot["active_pid"])
        if successor:
            marks["new"] = b
            after = [arrival.at for arrival in arrivals if arrival.at >= marks["stream"]]
            marks["first"] = min(after, default=b)
        return Fault(
            gap=b - a,
            undisturbed=self.undisturbed(group, struck - quiet, struck),
            marks=marks,
            duplicates=sum(not arrival.is_new for arrival in group.topic.tally.arrivals[before:]),
            again_bytes=lsn_number(slot["confirmed_flush_lsn"]) - lsn_number(slot["restart_lsn"]),
            taken_over=any(streams_since(member.worker, struck) for member in group.members),
        )

    def await_successor(self, group: Group, leader: Member) -> Member:
        """Until another one's records are acknowledged."""
        others = [member for member in group.members if member is not leader]
        before = {id(member): status_of(member).get("records_acked", 0) for member in others}

        def found() -> Member | None:
            for member in others:
                status = status_of(member)
                acked = status.get("records_acked", 0) > before[id(member)]
                if status.get("state") == "streaming" and acked:
                    return member
            return None

        return wait_until(found, "another replica has taken over", PATIENCE_SECONDS, 0.05)

    def await_order(self, group: Group, result: Result) -> None:
        """Until one streams and the other is ready, whatever became of it."""

        def in_order() -> bool:
            revived = group.revive()
            if revived:
                result.notes.append("a replica had left by itself, and was started again")
            leaders = [member for member in group.members if is_streaming(member)]
            return len(leaders) == 1 and all(is_ready(m) for m in group.members if m not in leaders)

        wait_until(in_order, "one replica streams and the other is ready again", PATIENCE_SECONDS, 0.1)

    def marks(
        self, leader: Member, successor: Member | None, struck: float, walsender: int
    ) -> dict[str, float]:
        since = int(struck * 1000) / 1000
        if successor is None:
            return {"fault": struck}
        lines = [list(said_since(member.worker, since)) for member in (leader, successor)]
        return marks_of(struck, Said(list(self.server_log.since(since)), *lines), walsender)

    @staticmethod
    def undisturbed(group: Group, begin: float, end: float) -> float:
        within = [arrival for arrival in group.topic.tally.arrivals if begin <= arrival.at <= end]
        a, b = widest(within, begin, end)
        return b - a

    @contextmanager
    def load(self, scenario: Scenario, result: Result) -> Iterator[None]:
        script = scenario.directory / "insert.sql"
        script.write_text(INSERT)
        pgbench = subprocess.Popen(
            [
                *("pgbench", "--no-vacuum", "--client=4", f"--rate={self.options.rate}", "--time=86400"),
                *(f"--file={script}", scenario.dsn),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield
            assert pgbench.poll() is None, f"pgbench has ended: {pgbench.communicate()[0]}"
            pgbench.send_signal(signal.SIGALRM)  # its time is over: it ends in order
            said = pgbench.communicate(timeout=30)[0]
            result.rate = float(re.search(r"tps = ([\d.]+)", said).group(1))
        finally:
            pgbench.kill()
            pgbench.wait()

    @staticmethod
    def judge(group: Group, result: Result) -> None:
        group.topic.read_on()
        rows = {id_ for (id_,) in group.scenario.execute("select id from users")}
        tally = group.topic.tally
        result.changes = len(rows)
        result.lost = len(rows - tally.ids)
        result.foreign = len(tally.ids - rows)
        result.disordered = tally.disordered

    # Joint starts

    def joint_starts(self) -> "JointStarts | None":
        if not self.options.joint_starts:
            return None
        outcome = JointStarts()
        case = Case("joint starts", give(signal.SIGKILL), restart, None)
        with Group(self, "joint", case, CROWD) as group:
            assert group.account is not None
            lease = group.account.namespace.lease(LEASE)
            for number in range(1, self.options.joint_starts + 1):
                ending = ENDINGS[number % len(ENDINGS)]
                group.end(signal.SIGTERM if ending == "left" else signal.SIGKILL)
                if ending == "absent":
                    lease.delete()
                outcome.note(ending, *self.joint_start(group))
                if number % 10 == 0 or number == self.options.joint_starts:
                    count = f"{number} of {self.options.joint_starts}"
                    print(f"joint starts, {count}: {outcome.summary()}", flush=True)
        return outcome

    @staticmethod
    def joint_start(group: Group) -> tuple[int, float]:
        """How many streamed, and how long it took until one did. Who leads wrongly does so soon: a second
        later each has looked at the slot many times."""
        began = time.time()
        for member in group.members:
            member.worker.start()
        group.leader()
        time.sleep(1)
        group.leader()
        streams = [at for member in group.members for at in streams_since(member.worker, began)]
        return len(streams), min(streams) - began


# What a joint start finds: a Lease whose holder left it, one whose holder was killed, or none.
ENDINGS = ("left", "killed", "absent")


@dataclass
class JointStarts:
    seconds: dict[str, list[float]] = field(default_factory=dict)
    streams: list[int] = field(default_factory=list)

    def note(self, ending: str, streams: int, seconds: float) -> None:
        self.seconds.setdefault(ending, []).append(seconds)
        self.streams.append(streams)

    @property
    def sound(self) -> bool:
        return set(self.streams) == {1}

    def summary(self) -> str:
        return f"exactly one of {CROWD} replicas streamed in {self.streams.count(1)} of {len(self.streams)}"

    def __str__(self) -> str:
        rows = [
            [f"Lease {ending}", str(len(seconds)), spread(seconds, 2)]
            for ending, seconds in self.seconds.items()
        ]
        return f"{self.summary()}\n\n" + markdown(
            [f"{CROWD} replicas started at once", "starts", "s until one streams"], rows
        )


# --- telling -------------------------------------------------------------------------------------


def describe(fault: Fault) -> str:
    moment = datetime.fromtimestamp(fault.marks["fault"], UTC).strftime("%H:%M:%S.%f")[:-3]
    steps = [f"{step} {fault.after(step):.3f}" for step in STEPS if fault.after(step)]
    return (
        f"gap {fault.gap:.3f} s (undisturbed {fault.undisturbed:.3f}), {fault.duplicates} duplicates, "
        f"{fault.again_bytes / 2**20:.1f} MB decoded again; fault at {moment}Z, seconds after it: "
        f"{', '.join(steps) or 'nobody takes over'}"
    )


def median_and_maximum(values: Sequence[float | None], digits: int = 3) -> str:
    known = [value for value in values if value is not None]
    return f"{median(known):.{digits}f} ({max(known):.{digits}f})" if known else "-"


def judged(options: argparse.Namespace, case: Case, faults: Sequence[Fault]) -> tuple[str, str]:
    """The aim, and whether it is met."""
    gaps = [fault.gap for fault in faults]
    if not faults:
        return "-", "not measured"
    if case.aim is None:
        widest_undisturbed = max(fault.undisturbed for fault in faults)
        met = not any(fault.taken_over for fault in faults) and max(gaps) <= 2 * widest_undisturbed
        return "no gap", "met" if met else "missed"
    aim = case.aim(options)
    met = "met" if max(gaps) <= aim else "met by the median" if median(gaps) <= aim else "missed"
    return f"{aim:g}", met


def table(options: argparse.Namespace, results: dict[str, Result]) -> str:
    heads = ["the leader", "gap", "aim", "", "Lease taken after", "stream after", "first new record after"]
    heads += ["duplicates", "undisturbed gap", "reference"]
    rows = []
    for name, result in results.items():
        faults = result.faults
        steps = [median_and_maximum([f.after(step) for f in faults]) for step in ("lease", "stream", "new")]
        rows.append(
            [
                CASES[name].about,
                median_and_maximum([fault.gap for fault in faults]),
                *judged(options, CASES[name], faults),
                *steps,
                median_and_maximum([fault.duplicates for fault in faults], 0),
                median_and_maximum([fault.undisturbed for fault in faults]),
                CASES[name].reference,
            ]
        )
    return f"Seconds, median (maximum):\n\n{markdown(heads, rows)}"


def verdicts(results: dict[str, Result]) -> str:
    heads = ["the leader", "transactions/s", "changes", "lost", "foreign", "out of order", "notes"]
    rows = [
        [
            *(CASES[name].about, f"{result.rate:.0f}", f"{result.changes:,}"),
            *(str(result.lost), str(result.foreign), str(result.disordered)),
            result.note(),
        ]
        for name, result in results.items()
    ]
    return markdown(heads, rows)


def phases(results: dict[str, Result]) -> str:
    """Where the time of a take-over goes: from each step to the next one that there is."""
    parts = []
    for name, result in results.items():
        if not CASES[name].steps:
            continue
        spans: dict[str, list[float]] = {}
        for fault in result.faults:
            there = [step for step in STEPS if step in fault.marks]
            for step, following in zip(there, there[1:]):
                span = max(fault.marks[following] - fault.marks[step], 0)  # of two threads' logs
                spans.setdefault(f"until {STEPS[following]}", []).append(span * 1000)
        ordered = [f"until {text}" for text in STEPS.values()]
        rows = [[what, median_and_maximum(spans[what], 0)] for what in ordered if what in spans]
        again = median_and_maximum([fault.again_bytes / 2**20 for fault in result.faults], 1)
        rows.append(["WAL that PostgreSQL decodes once more, MB", again])
        parts.append(markdown([CASES[name].about, "ms, median (maximum)"], rows))
    return "\n\n".join(parts)
