"""Prometheus' text format (version 0.0.4), read strictly: what breaks a rule of it fails the test."""

import re
from dataclasses import dataclass, field
from typing import TypeAlias

Labels: TypeAlias = tuple[tuple[str, str], ...]

NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (NaN|[+-]?Inf|[-+0-9.e]+)")
HISTOGRAM_SUFFIXES = ("_bucket", "_sum", "_count")


@dataclass
class Family:
    name: str
    help: str
    kind: str = ""
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)  # by suffix and labels

    def value(self, **labels: str) -> float:
        return self.samples["", tuple(sorted(labels.items()))]

    def histogram(self) -> tuple[dict[float, int], float, int]:
        """Of the one without labels: bound -> count up to it, sum, count."""
        buckets = {float(labels[0][1]): int(v) for (suffix, labels), v in self.samples.items() if suffix == "_bucket"}
        return buckets, self.samples["_sum", ()], int(self.samples["_count", ()])


def unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: {"n": "\n"}.get(match[1], match[1]), text)


def split_name(family: Family, name: str) -> str:
    suffixes = HISTOGRAM_SUFFIXES if family.kind == "histogram" else ("",)
    assert name.startswith(family.name), f"{name} stands among the samples of {family.name}"
    suffix = name[len(family.name) :]
    assert suffix in suffixes, f"{name} is no sample of the {family.kind} {family.name}"
    return suffix


def read_sample(family: Family, line: str) -> None:
    match = SAMPLE.fullmatch(line)
    assert match, f"{line!r} is no sample"
    pairs = [(name, unescape(value)) for name, value in re.findall(LABEL, match[2] or "")]
    labels = tuple(sorted(pairs))
    key = split_name(family, match[1]), labels
    assert len({name for name, _ in labels}) == len(labels), f"{line!r} names a label twice"
    assert key not in family.samples, f"{line!r} comes twice"
    family.samples[key] = float(match[match.lastindex])


def check_histogram(family: Family) -> None:
    buckets, _, count = family.histogram()
    assert list(buckets) == sorted(buckets), f"{family.name}: its bounds do not rise"
    assert list(buckets.values()) == sorted(buckets.values()), f"{family.name} is not cumulative"
    assert buckets[float("inf")] == count, f"{family.name}: +Inf is not its count"


def read_family(families: dict[str, Family], line: str) -> Family:
    match = re.fullmatch(rf"# HELP ({NAME}) (.+)", line)
    assert match, f"{line!r} is no help"
    assert match[1] not in families, f"{match[1]} comes twice"
    return families.setdefault(match[1], Family(match[1], match[2]))


def read_exposition(text: str) -> dict[str, Family]:
    families: dict[str, Family] = {}
    family = None
    assert text.endswith("\n"), "the last line does not end"
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = read_family(families, line)
        elif line.startswith("# "):
            assert family and not family.kind and not family.samples, f"{line!r} stands where it must not"
            match = re.fullmatch(rf"# TYPE {family.name} (counter|gauge|histogram)", line)
            assert match, f"{line!r} is no type of {family.name}"
            family.kind = match[1]
        else:
            assert family and family.kind, f"{line!r} has no type"
            read_sample(family, line)
    for family in families.values():
        assert family.samples, f"{family.name} has no sample"
        if family.kind == "histogram":
            check_histogram(family)
    return families
