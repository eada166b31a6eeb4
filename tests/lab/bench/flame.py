"""Stacks as a flame graph: each frame's width is its share of the samples, what it called stands above.

Colours tell whose code it is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape

WIDTH = 1200
ROW = 16
CHARACTER = 6.6
SMALLEST = 0.3  # narrower frames are left out, with what stands above them

COLOURS = {
    "pqcdc": "#e8743b",
    "librdkafka": "#5b8ff9",
    "libpq": "#61bf8e",
    "libc": "#d9c04d",
    "kernel": "#a3a7b2",
    "other": "#cf9fd6",
}


@dataclass(frozen=True)
class Frame:
    name: str
    owner: str  # of COLOURS


@dataclass
class Node:
    samples: int = 0
    above: dict[Frame, "Node"] = field(default_factory=dict)


Stacks = Mapping[tuple[Frame, ...], int]  # from the root to the leaf


def tree(stacks: Stacks) -> Node:
    root = Node()
    for stack, samples in stacks.items():
        node = root
        node.samples += samples
        for frame in stack:
            node = node.above.setdefault(frame, Node())
            node.samples += samples
    return root


def height(node: Node, scale: float) -> int:
    shown = [child for child in node.above.values() if child.samples * scale >= SMALLEST]
    return 1 + max((height(child, scale) for child in shown), default=0)


def svg(stacks: Stacks, title: str) -> str:
    root = tree(stacks)
    scale = WIDTH / root.samples
    rows = height(root, scale)
    total = (rows + 2) * ROW + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {total}" width="{WIDTH}" '
        f'height="{total}" font-family="monospace" font-size="11">',
        f'<rect width="{WIDTH}" height="{total}" fill="#ffffff"/>',
        f'<text x="4" y="13">{escape(title)}</text>',
        *legend(),
        *boxes(root, Frame("all", "other"), 0, total - 4 - ROW, root.samples),
        "</svg>\n",
    ]
    return "\n".join(parts)


def legend() -> Iterable[str]:
    x = 4.0
    for owner, colour in COLOURS.items():
        yield f'<rect x="{x:.0f}" y="{ROW + 3}" width="10" height="10" fill="{colour}"/>'
        yield f'<text x="{x + 14:.0f}" y="{ROW + 12}">{owner}</text>'
        x += 14 + (len(owner) + 3) * CHARACTER


def boxes(node: Node, frame: Frame, x: float, y: float, all_samples: int) -> Iterable[str]:
    width = node.samples * WIDTH / all_samples
    if width < SMALLEST:
        return
    share = f"{100 * node.samples / all_samples:.1f} %"
    room = int((width - 4) / CHARACTER)
    yield (
        f'<g><title>{escape(frame.name)}: {share}</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}" '
        f'height="{ROW - 1}" fill="{COLOURS[frame.owner]}" stroke="#ffffff" stroke-width="0.4"/>'
    )
    if room >= 3:
        yield f'<text x="{x + 2:.1f}" y="{y + 11}">{escape(frame.name[:room])}</text>'
    yield "</g>"
    for child_frame, child in sorted(node.above.items(), key=lambda item: (item[0].name, item[0].owner)):
        yield from boxes(child, child_frame, x, y - ROW, all_samples)
        x += child.samples * WIDTH / all_samples
