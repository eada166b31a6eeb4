"""What the service accounts may do, as kubectl tells it, is what was reviewed."""

import re
from pathlib import Path

import pytest

from lab.cluster import Space

REVIEWED = Path(__file__).parent / "rights"
ROW = re.compile(r"^(\S*)\s+\[(.*?)\]\s+\[(.*?)\]\s+\[(.*?)\]$", re.M)


def rights(space: Space, account: str) -> set[str]:
    """One line for each: what, names in brackets, verbs."""
    text = space.kubectl("auth", "can-i", "--list", f"--as=system:serviceaccount:{account}")
    return {f"{what or paths} [{names}] {verbs}" for what, paths, names, verbs in ROW.findall(text)}


def given(space: Space, account: str) -> str:
    """Beyond what everybody may do."""
    return "".join(f"{line}\n" for line in sorted(rights(space, account) - rights(space, "default:nobody")))


def test_of_the_operator(operator, space):
    """In any namespace."""
    assert given(space, f"{operator.name}:pqcdc-operator") == (REVIEWED / "operator.txt").read_text()


@pytest.mark.parametrize("way", ["chart", "operator"])
def test_of_a_worker(request, space, way):
    """However it is made; in its own namespace, and in no other."""
    fleet = request.getfixturevalue({"chart": "chart_fleet", "operator": "connector"}[way])
    fleet.start()
    account = f"{space.name}:{fleet.deployment}"
    reviewed = (REVIEWED / "worker.txt").read_text()
    assert given(space, account) == reviewed.replace("LEASE_NAME", fleet.deployment)
    assert given(Space(space.cluster, "default"), account) == ""
