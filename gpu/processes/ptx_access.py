"""Tells from a kernel's PTX whether its warps touch memory well, without hardware counters.

One warp is followed, with the addresses of its 32 lanes (`ptx_warp.py`): that in the middle of a
block in the middle of the grid, and for what only the block's first or last warp does, that one.
What is the same for all lanes may be any number here; parameters that are not given have numbers
that suit: pointers aligned ones, integers 4096, a large stride. An address that lanes got from
different places in memory, or from anything else that is not followed, is `gathered`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ptx as reader
from ptx_warp import Launch, Request, Warp

SECTOR = 32  # [bytes]
BANK = 4  # [bytes]
BANKS = 32
WARP = 32  # [lanes]
LOOP = 10  # as often as what is around it happens what is in a loop
DEEPEST = 4  # loops that count


@dataclass(frozen=True)
class Access:
    """One load, store or atomic operation, as the warp asks for it.

    Shared accesses have `conflicts` and global ones `sectors`, if it is known where they go.
    """
    space: str  # "global", "shared"
    kind: str  # "load", "store", "atomic"
    bytes: int  # a lane, with all elements of a vector
    depth: int  # of loops around it
    line: int  # of the PTX, from 1
    sectors: int | None  # of 32 bytes, that the warp touches
    ideal: int  # as few of them could hold what its lanes ask for
    conflicts: int | None  # passes that the busiest bank takes where 1 would do
    same: int | None  # lanes that an atomic operation has at one address, at most
    gathered: bool

    @property
    def weight(self) -> int:
        return LOOP ** min(self.depth, DEEPEST)

    @property
    def waste(self) -> int:
        """Sectors, passes or lanes that wait, in excess, in all loops."""
        extra = [0 if self.sectors is None else self.sectors - self.ideal,
                 (self.conflicts or 1) - 1, (self.same or 1) - 1]
        return self.weight * max(extra)


def kernels(ptx: str) -> dict[str, str]:
    """The texts of all kernels, from `.entry` on and without comments, by name."""
    text = reader.uncommented(ptx)
    return {name: text[begin:end] for name, (begin, end) in reader.entries(text).items()}


def accesses(ptx: str, kernel: str, block: Sequence[int], grid: Sequence[int],
             parameters: Sequence[int | None] | None = None) -> list[Access]:
    """What a kernel does to memory, in the PTX's order; nothing if there is no such kernel.

    Of very long kernels only the first instructions are looked at (`ptx.MOST_INSTRUCTIONS`), of
    functions that are called none. `parameters` are those of the call, None where not known.
    """
    text = reader.uncommented(ptx)
    span = reader.entries(text).get(kernel)
    if span is None:
        return []
    program = reader.read(text, *span)
    launch = Launch(three(block), three(grid), tuple(parameters or ()))
    return [measure(x) for x in requests(program, launch)]


def three(sizes: Sequence[int]) -> tuple[int, int, int]:
    x, y, z = [*(max(1, int(x)) for x in sizes), 1, 1, 1][:3]
    return x, y, z


def requests(program: reader.Program, launch: Launch) -> list[Request]:
    """Where the first warp does not come, the next is asked."""
    flow = reader.flow_of(program)
    threads = launch.block[0] * launch.block[1] * launch.block[2]
    last = (threads - 1) // WARP
    found: dict[tuple[int, int], Request] = {}
    for index in dict.fromkeys((last // 2, 0, last)):
        for place, request in Warp(program, flow, launch, index).run().items():
            if place not in found or request.reached > found[place].reached:
                found[place] = request
        if all(x.reached for x in found.values()):
            break
    return [found[x] for x in sorted(found)]


def measure(request: Request) -> Access:
    asked = -(-len(request.active) * request.bytes // SECTOR)
    sectors = conflicts = same = None
    if request.addresses is not None:
        addresses = [request.addresses[i] for i in request.active]
        if request.space == "global":
            sectors = len(set(pieces(addresses, request.bytes, SECTOR)))
            asked = min(asked, sectors)
        else:
            conflicts = conflicts_of(request)
        if request.kind == "atomic":
            same = max(Counter(addresses).values())
    return Access(request.space, request.kind, request.bytes, request.depth, request.line, sectors,
                  asked, conflicts, same, request.addresses is None)


def pieces(addresses: Iterable[int], size: int, piece: int) -> Iterator[int]:
    """The pieces of memory that are touched from each address on; size and piece in bytes."""
    for x in addresses:
        yield from range(x // piece, (x + max(size, 1) - 1) // piece + 1)


def conflicts_of(request: Request) -> int:
    """The most words of one bank that lanes ask for at once: a half of the warp where each wants 8
    bytes, a quarter where 16."""
    lanes = max(1, WARP * BANK // max(request.bytes, BANK))
    most = 1
    for begin in range(0, WARP, lanes):
        addresses = [request.addresses[i] for i in request.active if begin <= i < begin + lanes]
        words = set(pieces(addresses, request.bytes, BANK))
        most = max(most, *Counter(x % BANKS for x in words).values(), 1)
    return most


def summary(found: Iterable[Access]) -> dict[str, Any]:
    """What a kernel's accesses come to, each weighted by 10 for each loop around it (4 at most).

    global_efficiency  how many of the sectors that loads and stores touch they need (0..1)
    shared_conflicts   passes that an access to shared memory takes, on average (1 is best)
    shared_share       of the weight of all accesses, the part of shared ones (0..1)
    gathered_share     ... of those with an address that is not known (0..1)
    atomics_share      ... of atomic ones (0..1)
    atomics_same       the largest part of a warp that an atomic operation has at one address (0..1)
    worst              the access with most waste, if any has some

    The first two and the last two are None where nothing is known.
    """
    found = list(found)
    plain = [x for x in found if x.kind != "atomic" and x.sectors is not None]
    banked = [x for x in found if x.conflicts is not None]
    same = [x.same / WARP for x in found if x.same is not None]
    total = sum(x.weight for x in found)

    def share(part: Iterable[Access]) -> float:
        return sum(x.weight for x in part) / total if total else 0.0

    return {
        "global_efficiency": ratio(sum(x.weight * x.ideal for x in plain),
                                   sum(x.weight * x.sectors for x in plain)),
        "shared_conflicts": ratio(sum(x.weight * x.conflicts for x in banked),
                                  sum(x.weight for x in banked)),
        "shared_share": share(x for x in found if x.space == "shared"),
        "gathered_share": share(x for x in found if x.gathered),
        "atomics_share": share(x for x in found if x.kind == "atomic"),
        "atomics_same": max(same, default=None),
        "worst": max((x for x in found if x.waste > 0), key=lambda x: x.waste, default=None)}


def ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
