"""Follows one warp of a kernel through its PTX, to see at which addresses its lanes touch memory.

Each block of instructions is gone through once, in an order in which the values that it needs were
made before: loops are seen in their first iteration. Registers hold 32 lanes, and an instruction
changes those that are active, which is all there is to know of where paths come together. At a
branch on what cannot be known both sides are taken by all lanes.

What is behind a branch that none of the warp's lanes takes is followed nevertheless, as if all had
taken it, and then marked as not reached; what it makes is not seen by what is reached.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ptx import ENDS, Flow, Instruction, Program
from ptx_values import (LANES, WINDOW, Value, compare, compute, convert, number, pack, shuffle,
                        to_generic, type_of, uniform, unpack)

POINTER = 1 << 40  # stands for a pointer, the next for the next parameter's
POINTERS_APART = 1 << 36  # [bytes]
SCALAR = 1 << 12  # stands for an integer of 32 bits or more
SHARED_APART = 1 << 16  # [bytes]

REGISTER = re.compile(r"[A-Za-z_$%][\w$.]*\Z", re.ASCII)
NO_RESULT = {"bar", "barrier", "st", "red", "cp", "nanosleep", "stmatrix", "bra", "brx", "ret"}
INVARIANT = ("%cluster", "%smid", "%nsmid", "%gridid", "%dynamic_smem", "%total_smem", "%envreg")


@dataclass(frozen=True)
class Launch:
    """How a kernel is called; each at least 1. Parameters that are not known are None."""
    block: tuple[int, int, int]
    grid: tuple[int, int, int]
    parameters: tuple[int | None, ...] = ()


@dataclass(frozen=True)
class Request:
    """What an instruction asks of memory for one warp."""
    space: str  # "global", "shared"
    kind: str  # "load", "store", "atomic"
    bytes: int  # a lane
    addresses: Value  # of all lanes
    active: tuple[int, ...]  # lanes
    depth: int  # of loops around
    line: int
    reached: bool


@dataclass(frozen=True)
class Path:
    """The lanes that go a way, as bits, never none; and whether any really does."""
    lanes: int
    reached: bool

    def narrowed(self, predicate: Value, wanted: bool) -> Path:
        if predicate is None:
            return self
        lanes = self.lanes & sum(1 << i for i in LANES if bool(predicate[i]) == wanted)
        return Path(lanes, self.reached) if lanes else Path(self.lanes, False)

    def joined(self, other: Path | None) -> Path:
        if other is None or self.reached > other.reached:
            return self
        if self.reached < other.reached:
            return other
        return Path(self.lanes | other.lanes, self.reached)


def specials(launch: Launch, warp: int) -> dict[str, Value]:
    """What the special registers hold in a warp of a block in the middle of the grid."""
    x, y, _ = launch.block
    threads = [32 * warp + i for i in LANES]
    result = {"%tid.x": tuple(t % x for t in threads), "%tid.y": tuple(t // x % y for t in threads),
              "%tid.z": tuple(t // (x * y) for t in threads), "%laneid": tuple(LANES),
              "%warpid": uniform(warp), "WARP_SZ": uniform(32)}
    for i, axis in enumerate("xyz"):
        result[f"%ntid.{axis}"] = uniform(launch.block[i])
        result[f"%nctaid.{axis}"] = uniform(launch.grid[i])
        result[f"%ctaid.{axis}"] = uniform(launch.grid[i] // 2)
    for name, lanes in (("lt", lambda i: (1 << i) - 1), ("le", lambda i: (2 << i) - 1),
                        ("eq", lambda i: 1 << i), ("ge", lambda i: 2**32 - (1 << i)),
                        ("gt", lambda i: 2**32 - (2 << i))):
        result[f"%lanemask_{name}"] = tuple(map(lanes, LANES))
    return result


class Warp:
    def __init__(self, program: Program, flow: Flow, launch: Launch, index: int) -> None:
        self.program = program
        self.flow = flow
        self.launch = launch
        count = launch.block[0] * launch.block[1] * launch.block[2] - 32 * index
        self.whole = (1 << min(count, 32)) - 1
        self.constants = specials(launch, index)
        self.constants.update((x, uniform((i + 1) * SHARED_APART))
                              for i, x in enumerate(program.shared))
        self.places = {x.name: i for i, x in enumerate(program.parameters)}
        self.pointers = {x.operands[1] for x in program.instructions
                         if x.name[0] == "cvta" and len(x.operands) > 1}
        self.registers: dict[str, Value] = {}
        self.unreached: dict[str, Value] = {}  # what is only made where the warp does not come
        self.path = Path(self.whole, True)
        self.depth = 0
        self.requests: dict[tuple[int, int], Request] = {}  # by instruction and place in it

    def run(self) -> dict[tuple[int, int], Request]:
        paths = {0: self.path}
        for index in self.flow.order:
            if index not in paths:
                continue
            self.path = paths[index]
            self.depth = len(self.flow.around[index])
            block = self.flow.blocks[index]
            for i in range(block.begin, block.end):
                self.step(i)
            self.leave(index, paths)
        return self.requests

    def leave(self, index: int, paths: dict[int, Path]) -> None:
        """Sends the lanes on from the end of a block."""
        block = self.flow.blocks[index]
        last = self.program.instructions[block.end - 1]
        predicate = self.value(last.guard) if last.guard and last.name[0] in ENDS else None
        ways = [(x, True) for x in block.jumps]
        if block.falls is not None:
            ways.append((block.falls, False))
        for target, jumps in ways:
            if (index, target) in self.flow.backward:
                continue
            path = self.path.narrowed(predicate, jumps != last.negated)
            # Sooner or later all lanes leave a loop that they were in.
            around = (self.flow.loops[x] for x in self.flow.around[index])
            left = [(len(body), first) for first, body in around if target not in body]
            if left:
                path = paths.get(max(left)[1], path)
            paths[target] = path.joined(paths.get(target))

    # -- registers ---------------------------------------------------------------------

    def value(self, operand: str) -> Value:
        if not self.path.reached and operand in self.unreached:
            return self.unreached[operand]
        if operand in self.registers:
            return self.registers[operand]
        if operand[:1] in "-0123456789":
            return number(operand)
        if operand[:1] == "!":
            value = self.value(operand.lstrip("!"))
            return None if value is None else tuple(1 - x for x in value)
        return self.constant(operand)

    def constant(self, operand: str) -> Value:
        if operand in self.constants:
            return self.constants[operand]
        if operand in self.unreached:
            return self.unreached[operand]
        if operand.startswith("%"):
            return uniform(0) if operand.startswith(INVARIANT) else None
        return uniform(POINTER) if REGISTER.match(operand) else None  # a variable's address

    def put(self, name: str, value: Value) -> None:
        if name == "_" or not REGISTER.match(name):
            return
        registers = self.registers if self.path.reached else self.unreached
        old = registers.get(name)
        if value is not None and old is not None and self.path.lanes != self.whole:
            value = tuple(x if self.path.lanes >> i & 1 else y
                          for i, (x, y) in enumerate(zip(value, old)))
        registers[name] = value
        if self.path.reached:
            self.unreached.pop(name, None)

    def address(self, operand: str) -> Value:
        """What "[%rd1+-8]" or "[tile]" stands for."""
        parts = [self.value(x.strip()) for x in operand.strip("[]").split("+", 1)]
        return parts[0] if len(parts) == 1 else compute(("add", "u64"), parts)

    # -- instructions ------------------------------------------------------------------

    def step(self, index: int) -> None:
        instruction = self.program.instructions[index]
        path = self.path
        if instruction.guard:
            self.path = path.narrowed(self.value(instruction.guard), not instruction.negated)
        try:
            self.execute(index, instruction)
        except (ArithmeticError, LookupError, TypeError, ValueError):  # nothing that PTX knows
            self.forget(instruction)
        self.path = path

    def execute(self, index: int, instruction: Instruction) -> None:
        name, operands = instruction.name, instruction.operands
        if touch := TOUCHES.get(name[0]):
            touch(self, index, instruction)
        elif name[0] in ("mov", "cvta", "cvt", "shfl"):
            self.move(name, operands)
        elif name[0] == "setp":
            results = compare(name, [self.value(x) for x in operands[1:]])
            for target, result in zip(operands[0].split("|"), results):
                self.put(target.strip(), result)
        elif len(name) > 1 and name[0] not in NO_RESULT and REGISTER.match(operands[0]):
            self.put(operands[0], compute(name, [self.value(x) for x in operands[1:]]))
        else:
            self.forget(instruction)

    def move(self, name: tuple[str, ...], operands: tuple[str, ...]) -> None:
        targets, source, bits = operands[0], operands[1], type_of(name[-1])[1]
        if name[0] == "shfl":
            targets, _, predicate = targets.partition("|")
            self.put(predicate.strip(), None)
            value = shuffle(name, [self.value(x) for x in operands[1:]])
        elif name[0] == "cvta":
            value = to_generic(name, self.value(source))
        elif name[0] == "cvt":
            value = convert(name, self.value(source))
        elif source[0] == "{":
            value = pack([self.value(x) for x in listed(source)], bits)
        else:
            value = self.value(source)
            if value is not None and 0 < bits < 64:
                value = tuple(x & (1 << bits) - 1 for x in value)
        parts = listed(targets)
        split = [value] if len(parts) == 1 else unpack(value, bits, len(parts))
        for target, part in zip(parts, split):
            self.put(target, part)

    def forget(self, instruction: Instruction) -> None:
        """Whatever this instruction makes is unknown."""
        if instruction.operands and instruction.name[0] not in NO_RESULT:
            for part in instruction.operands[0].split("|"):
                for target in listed(part):
                    self.put(target, None)

    # -- memory ------------------------------------------------------------------------

    def note(self, index: int, space: str, kind: str, size: int, addresses: Value,
             among: Sequence[int] = LANES) -> None:
        if space == "generic":
            space = space_of(addresses, self.path.lanes)
        if space not in ("global", "shared"):
            return
        active = tuple(i for i in among if self.path.lanes >> i & 1)
        place = (index, sum((index, i) in self.requests for i in range(2)))
        self.requests[place] = Request(space, kind, size, addresses, active or tuple(among),
                                       self.depth, self.program.instructions[index].line,
                                       self.path.reached and bool(active))

    def load(self, index: int, instruction: Instruction) -> None:
        space, bits, count = shape(instruction.name)
        targets, source = instruction.operands[:2]
        if space == "param":
            return self.load_parameter(targets, source, bits)
        addresses = self.address(source)
        self.note(index, space, "load", bits * count // 8, addresses)
        known = None
        if addresses is not None and space != "local":
            asked = {x for i, x in enumerate(addresses) if self.path.lanes >> i & 1}
            known = stand_in(bits) if len(asked) == 1 else None
        for target in listed(targets):
            self.put(target, known)

    def load_parameter(self, targets: str, source: str, bits: int) -> None:
        name, _, offset = (x.strip() for x in source.strip("[]").partition("+"))
        place = self.places.get(name)
        given = None
        if place is not None and not offset and place < len(self.launch.parameters):
            if self.program.parameters[place].scalar:
                given = self.launch.parameters[place]
        for target in listed(targets):
            declared = place is not None and self.program.parameters[place].pointer
            if isinstance(given, int):
                value = uniform(given & (1 << bits) - 1)
            elif bits == 64 and (declared or target in self.pointers):
                value = uniform(POINTER + (place or 0) * POINTERS_APART)
            else:
                value = stand_in(bits)
            self.put(target, value)

    def store(self, index: int, instruction: Instruction) -> None:
        space, bits, count = shape(instruction.name)
        if "async" not in instruction.name:
            self.note(index, space, "store", bits * count // 8,
                      self.address(instruction.operands[0]))

    def update(self, index: int, instruction: Instruction) -> None:
        space, bits, count = shape(instruction.name)
        address = bracketed(instruction)
        if "async" not in instruction.name:
            self.note(index, space, "atomic", bits * count // 8, self.address(address))
        self.forget(instruction)

    def copy(self, index: int, instruction: Instruction) -> None:
        """cp.async; lanes whose size is 0 read nothing."""
        if instruction.name[1:3] not in (("async", "ca"), ("async", "cg")):
            return
        target, source, size, *rest = instruction.operands
        path, bytes_ = self.path, number(size)[0]
        if bytes_ not in (4, 8, 16):
            return
        if rest and rest[0].startswith("%r"):
            self.path = path.narrowed(self.value(rest[0]), True)
        self.note(index, "global", "load", bytes_, self.address(source))
        self.path = path
        self.note(index, "shared", "store", bytes_, self.address(target))

    def matrix(self, index: int, instruction: Instruction) -> None:
        """ldmatrix, stmatrix: 16 bytes of each of 8 lanes a matrix."""
        count = next((int(x[1]) for x in instruction.name if x in ("x1", "x2", "x4")), 1)
        address = bracketed(instruction)
        kind = "load" if instruction.name[0] == "ldmatrix" else "store"
        self.note(index, "shared", kind, 16, self.address(address), range(8 * count))
        self.forget(instruction)


TOUCHES = {"ld": Warp.load, "ldu": Warp.load, "st": Warp.store, "atom": Warp.update,
           "red": Warp.update, "cp": Warp.copy, "ldmatrix": Warp.matrix, "stmatrix": Warp.matrix}


def bracketed(instruction: Instruction) -> str:
    return next((x for x in instruction.operands if x[0] == "["), "[]")


def listed(operand: str) -> list[str]:
    return [x.strip() for x in operand.strip("{} ").split(",")]


def stand_in(bits: int) -> Value:
    """A value that is not known but the same in all lanes."""
    return uniform(SCALAR if bits >= 32 else 1)


def shape(name: tuple[str, ...]) -> tuple[str, int, int]:
    """Returns the memory, the size of an element [bits] and how many of them a lane has."""
    space = next((x for part in name[1:] if (x := part.partition("::")[0])
                  in ("global", "shared", "const", "local", "param")), "generic")
    bits = next((x for part in reversed(name) if (x := type_of(part)[1])), 0)
    count = next((int(x[1]) for x in name if x in ("v2", "v4", "v8")), 1)
    return space, bits, count


def space_of(addresses: Value, lanes: int) -> str:
    """Whose memory a generic address is in, by the first lane; global if it is not known."""
    if addresses is None:
        return "global"
    first = addresses[(lanes & -lanes).bit_length() - 1]
    return ("global", "shared", "local")[first >> WINDOW] if first >> WINDOW < 3 else "global"
