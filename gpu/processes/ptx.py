"""Reads PTX: its kernels, their instructions, and in which order and how often those come.

PTX is untrusted text: whatever it says, it is read without exceptions and in time that its length
bounds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

MOST_TEXT = 8 << 20  # [characters]; what follows is not read
MOST_INSTRUCTIONS = 20_000  # of a kernel; what follows is not read
MOST_STATEMENTS = 100_000  # that there may be, with empty ones and declarations
MOST_TARGETS = 256  # of a branch through a table
MOST_STEPS = 400_000  # in the search for loops; later loops are not found

SYMBOL = r"[A-Za-z_$%][\w$]*"
COMMENT = re.compile(r"//[^\n]*|/\*")
ENTRY = re.compile(rf"\.entry\s+({SYMBOL})")
BRACE = re.compile(r"[{}]")
SHARED = re.compile(rf"\.shared\s+(?:\.\w+\s+(?:\d+\s+)?){{0,6}}({SYMBOL})")
# What may stand before an instruction: inline assembly's scopes, debug information, a label.
LEAD = re.compile(rf"[\s{{}}]+|\.(?:loc|file|section)\b[^\n]*|({SYMBOL})\s*:(?!:)")
GUARD = re.compile(r"@(!?)\s*([\w%$]+)\s*")
NAME = re.compile(r"[A-Za-z][\w.:]*")
OPERAND = re.compile(r"\{[^{}]*\}|\[[^\[\]]*\]|[^,{}\[\]]+")
ENDS = {"bra", "brx", "ret", "exit", "trap"}


@dataclass(frozen=True)
class Instruction:
    name: tuple[str, ...]  # in its parts: ("ld", "global", "f32")
    operands: tuple[str, ...]
    guard: str  # the predicate's register, or ""
    negated: bool
    line: int  # of the whole text, from 1


@dataclass(frozen=True)
class Parameter:
    name: str
    pointer: bool  # declared as one; not all are
    scalar: bool  # no array of bytes


@dataclass(frozen=True)
class Program:
    parameters: tuple[Parameter, ...]
    shared: tuple[str, ...]  # names of what is in shared memory
    instructions: tuple[Instruction, ...]
    labels: dict[str, int]  # the instruction that follows
    tables: dict[str, tuple[str, ...]]  # labels that brx may go to


def uncommented(ptx: str) -> str:
    """Leaves out what comments say; lines keep their numbers."""
    parts, at = [], 0
    ptx = ptx[:MOST_TEXT]
    while found := COMMENT.search(ptx, at):
        parts.append(ptx[at:found.start()])
        at = found.end()
        if found[0] == "/*":
            end = ptx.find("*/", at)
            end = len(ptx) if end < 0 else end
            parts.append(" " + "\n" * ptx.count("\n", at, end))
            at = end + 2
    return "".join([*parts, ptx[at:]])


def entries(text: str) -> dict[str, tuple[int, int]]:
    """Where each kernel is in a text without comments, from `.entry` to its closing brace."""
    found = list(ENTRY.finditer(text))
    ends = [x.start() for x in found[1:]] + [len(text)]
    return {x[1]: (x.start(), closing(text, x.end(), end)) for x, end in zip(found, ends)}


def closing(text: str, begin: int, end: int) -> int:
    depth = 0
    for brace in BRACE.finditer(text, begin, end):
        depth += 1 if brace[0] == "{" else -1
        if depth <= 0:
            return brace.end()
    return end


def read(text: str, begin: int, end: int) -> Program:
    """Reads the kernel in that part of a text without comments."""
    body = text.find("{", begin, end)
    body = end if body < 0 else body
    instructions: list[Instruction] = []
    labels: dict[str, int] = {}
    tables: dict[str, tuple[str, ...]] = {}
    for line, names, statement in islice(statements(text, body, end), MOST_STATEMENTS):
        labels.update((x, len(instructions)) for x in names)
        if statement.startswith(".branchtargets"):
            listed = tuple(x.strip() for x in statement[14:].split(","))[:MOST_TARGETS]
            tables.update((x, listed) for x in names)
        elif instruction := instruction_in(statement, line):
            instructions.append(instruction)
        if len(instructions) >= MOST_INSTRUCTIONS:
            break
    return Program(parameters_in(text[begin:body]), tuple(dict.fromkeys(SHARED.findall(text))),
                   tuple(instructions), labels, tables)


def parameters_in(head: str) -> tuple[Parameter, ...]:
    listed = head[head.find("(") + 1:].split(")")[0]
    result = []
    for text in listed.split(","):
        words = text.partition("[")[0].split()
        if words and words[0] == ".param":
            result.append(Parameter(words[-1], ".ptr" in words, "[" not in text))
    return tuple(result)


def statements(text: str, begin: int, end: int) -> Iterator[tuple[int, list[str], str]]:
    """Gives the line, labels and text of each statement; debug information is none."""
    line, counted = text.count("\n", 0, begin) + 1, begin
    labels: list[str] = []
    while begin < end:
        stop = text.find(";", begin, end)
        stop = end if stop < 0 else stop
        while lead := LEAD.match(text, begin, stop):
            if lead[1]:
                labels.append(lead[1])
            begin = lead.end()
        line += text.count("\n", counted, begin)
        counted = begin
        yield line, labels, text[begin:stop].rstrip()
        labels = []
        begin = stop + 1


def instruction_in(statement: str, line: int) -> Instruction | None:
    guard = GUARD.match(statement)
    name = NAME.match(statement, guard.end() if guard else 0)
    if not name:
        return None
    operands = (x.strip() for x in OPERAND.findall(statement[name.end():]))
    return Instruction(tuple(name[0].split(".")), tuple(x for x in operands if x),
                       guard[2] if guard else "", bool(guard and guard[1]), line)


# -- flow ------------------------------------------------------------------------------


@dataclass
class Block:
    begin: int  # of the instructions
    end: int
    jumps: list[int]  # the blocks that the last instruction may go to
    falls: int | None  # the block that follows if it does not


@dataclass(frozen=True)
class Flow:
    blocks: list[Block]
    order: list[int]  # of blocks, each after those that lead to it, but for loops
    backward: set[tuple[int, int]]  # edges that close loops
    loops: list[tuple[int, set[int]]]  # first block and all blocks
    around: list[list[int]]  # the loops that each block is in


def flow_of(program: Program) -> Flow:
    blocks = blocks_of(program)
    order, backward = ordered(blocks)
    loops = loops_of(blocks, backward)
    around: list[list[int]] = [[] for _ in blocks]
    for i, (_, body) in enumerate(loops):
        for block in body:
            around[block].append(i)
    return Flow(blocks, order, backward, loops, around)


def blocks_of(program: Program) -> list[Block]:
    code = program.instructions
    begins = {0, *program.labels.values()}
    begins.update(i + 1 for i, x in enumerate(code) if x.name[0] in ENDS)
    borders = [*sorted(x for x in begins if x < len(code)), len(code)]
    places = {x: i for i, x in enumerate(borders[:-1])}
    blocks = []
    for begin, end in zip(borders, borders[1:]):
        last = code[end - 1]
        targets = (program.labels.get(x) for x in labels_of(last, program))
        stays = last.name[0] not in ENDS or last.guard
        blocks.append(Block(begin, end, [places[x] for x in targets if x in places],
                            places.get(end) if stays else None))
    return blocks


def labels_of(last: Instruction, program: Program) -> tuple[str, ...]:
    if last.name[0] == "bra":
        return last.operands[:1]
    if last.name[0] == "brx" and len(last.operands) > 1:
        return program.tables.get(last.operands[1], ())
    return ()


def ordered(blocks: list[Block]) -> tuple[list[int], set[tuple[int, int]]]:
    """Returns the blocks that can be reached, in reverse postorder, what follows a branch before
    where it goes to; and the edges that lead back."""
    done: list[int] = []
    backward: set[tuple[int, int]] = set()
    path = [(0, iter(successors(blocks[0])))] if blocks else []
    entered, seen = {0}, {0}
    while path:
        block, left = path[-1]
        target = next(left, None)
        if target is None:
            path.pop()
            entered.discard(block)
            done.append(block)
        elif target in entered:
            backward.add((block, target))
        elif target not in seen:
            seen.add(target)
            entered.add(target)
            path.append((target, iter(successors(blocks[target]))))
    return done[::-1], backward


def successors(block: Block) -> list[int]:
    return [*dict.fromkeys(block.jumps), *([] if block.falls is None else [block.falls])]


def loops_of(blocks: list[Block], backward: set[tuple[int, int]]) -> list[tuple[int, set[int]]]:
    before: list[list[int]] = [[] for _ in blocks]
    for i, block in enumerate(blocks):
        for target in successors(block):
            before[target].append(i)
    loops: dict[int, set[int]] = {}
    steps = 0
    for last, first in sorted(backward):
        body = loops.setdefault(first, {first})
        waiting = [last]
        while waiting and steps < MOST_STEPS:
            steps += 1
            block = waiting.pop()
            if block not in body:
                body.add(block)
                waiting += before[block]
    return list(loops.items())
