"""What PTX's integer instructions make of the values that the 32 lanes of a warp hold.

A value is a tuple of 32 non-negative integers, or None where the lanes' values cannot be told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

Value = tuple[int, ...] | None

LANES = range(32)
TYPE = re.compile(r"([a-z]+)(\d+)(x\d)?\Z", re.ASCII)
ALL = (1 << 64) - 1
MOST_SOURCES = 5  # of an instruction that is known here
MOST_PARTS = 16  # of a value in several registers
# Where generic addresses of shared and of a thread's own memory begin.
WINDOW = 56  # [bits]
SHARED_WINDOW = 1 << WINDOW
LOCAL_WINDOW = 2 << WINDOW


def uniform(value: int) -> Value:
    return (value & ALL,) * 32


@lru_cache(4096)
def number(text: str) -> Value:
    """What a literal stands for; a float's bits for a float in hexadecimal."""
    sign, digits = (-1, text[1:]) if text[:1] == "-" else (1, text)
    digits = digits.rstrip("U").lower()
    try:
        if digits[:2] in ("0f", "0d"):
            return uniform(int(digits[2:], 16))
        octal = len(digits) > 1 and digits.isdecimal() and digits[0] == "0"
        return uniform(sign * int(digits, 8 if octal else 0))
    except ValueError:
        return None


@lru_cache(1024)
def type_of(part: str) -> tuple[str, int]:
    """Returns a type's letters and its size [bits]: "u", 32; and "", 0 for what is none."""
    if part == "pred":
        return "b", 1
    found = TYPE.match(part)
    if not found or len(found[2]) > 3:
        return "", 0
    if found[3]:
        return "packed", int(found[2]) * int(found[3][1:])
    return found[1], int(found[2])


def signed(value: int, bits: int) -> int:
    half = 1 << bits >> 1
    return ((value & (1 << bits) - 1) ^ half) - half


def converted(values: Value, kind: str, bits: int) -> Value:
    """Reads what registers hold as a type's values, which may be negative."""
    if values is None:
        return None
    mask = (1 << bits) - 1
    if kind != "s":
        return tuple(x & mask for x in values)
    half = 1 << bits >> 1
    return tuple(((x & mask) ^ half) - half for x in values)


def compute(name: tuple[str, ...], sources: Sequence[Value]) -> Value:
    """What an instruction without memory makes of its operands."""
    kind, bits = type_of(name[-1])
    key = name[0]
    if not 0 < len(sources) <= MOST_SOURCES:
        return None
    if key in ("mul", "mad") and len(name) > 2:
        key += "." + name[1]
    elif key in ("bfe", "shf"):
        key += "." + (kind if key == "bfe" else name[1])
    operation = OPERATIONS.get(key)
    if operation is None or kind not in ("u", "s", "b") or None in sources:
        return None
    left = [converted(x, kind, bits) for x in sources]
    if key == "mad.wide":
        left[2:] = sources[2:]
    mask = (1 << (2 * bits if key.endswith(".wide") else bits)) - 1
    return tuple(operation(bits, *x) & mask for x in zip(*left))


def divided(bits: int, a: int, b: int) -> int:
    if b == 0:
        return -1
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def field(a: int, begin: int, length: int) -> int:
    return a >> (begin & 255) & (1 << (length & 255)) - 1


def inserted(bits: int, a: int, b: int, begin: int, length: int) -> int:
    mask = (1 << (length & 255)) - 1 << (begin & 255)
    return b & ~mask | a << (begin & 255) & mask


def looked_up(bits: int, a: int, b: int, c: int, table: int) -> int:
    result = 0
    for i in range(8):
        if table >> i & 1:
            result |= (a if i & 4 else ~a) & (b if i & 2 else ~b) & (c if i & 1 else ~c)
    return result


def permuted(bits: int, a: int, b: int, selector: int) -> int:
    given = (b << 32 | a).to_bytes(8, "little")
    result = 0
    for i in range(4):
        nibble = selector >> 4 * i & 15
        byte = given[nibble & 7]
        result |= (byte if nibble < 8 else 255 * (byte >> 7)) << 8 * i
    return result


OPERATIONS: dict[str, Callable[..., int]] = {
    "add": lambda n, a, b: a + b,
    "sub": lambda n, a, b: a - b,
    "mul.lo": lambda n, a, b: a * b,
    "mul.hi": lambda n, a, b: a * b >> n,
    "mul.wide": lambda n, a, b: a * b,
    "mad.lo": lambda n, a, b, c: a * b + c,
    "mad.hi": lambda n, a, b, c: (a * b >> n) + c,
    "mad.wide": lambda n, a, b, c: a * b + c,
    "div": divided,
    "rem": lambda n, a, b: a - divided(n, a, b) * b,
    "min": lambda n, a, b: min(a, b),
    "max": lambda n, a, b: max(a, b),
    "abs": lambda n, a: abs(a),
    "neg": lambda n, a: -a,
    "and": lambda n, a, b: a & b,
    "or": lambda n, a, b: a | b,
    "xor": lambda n, a, b: a ^ b,
    "not": lambda n, a: ~a,
    "shl": lambda n, a, b: a << b if 0 <= b < n else 0,
    "shr": lambda n, a, b: a >> (b if 0 <= b < n else n),
    "bfe.u": lambda n, a, begin, length: field(a, begin, length),
    "bfe.s": lambda n, a, begin, length: signed(field(a, begin, length), length & 255),
    "bfi": inserted,
    "popc": lambda n, a: a.bit_count(),
    "clz": lambda n, a: n - a.bit_length(),
    "brev": lambda n, a: int(f"{a:0{n}b}"[::-1], 2),
    "selp": lambda n, a, b, p: a if p else b,
    "lop3": looked_up,
    "prmt": permuted,
    "shf.l": lambda n, a, b, c: (b << 32 | a) << (c & 31) >> 32,
    "shf.r": lambda n, a, b, c: (b << 32 | a) >> (c & 31),
}

COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b, "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
    "lo": lambda a, b: a < b, "ls": lambda a, b: a <= b,
    "hi": lambda a, b: a > b, "hs": lambda a, b: a >= b,
}


def compare(name: tuple[str, ...], sources: Sequence[Value]) -> tuple[Value, Value]:
    """What setp makes of its operands: the predicate and its opposite, 0 or 1 a lane."""
    kind, bits = type_of(name[-1])
    comparison = COMPARISONS.get(name[1])
    if comparison is None or kind not in ("u", "s", "b") or None in sources:
        return None, None
    left, right = (converted(x, kind, bits) for x in sources[:2])
    result = tuple(int(comparison(a, b)) for a, b in zip(left, right))
    opposite = tuple(1 - x for x in result)
    if len(sources) < 3:
        return result, opposite
    join = (name[2], "pred")
    return compute(join, (result, sources[2])), compute(join, (opposite, sources[2]))


def convert(name: tuple[str, ...], source: Value) -> Value:
    """What cvt makes of its operand."""
    (kind, bits), (source_kind, source_bits) = type_of(name[-2]), type_of(name[-1])
    integers = kind in ("u", "s", "b") and source_kind in ("u", "s", "b")
    if source is None or not integers or "sat" in name or "pack" in name:
        return None
    mask = (1 << bits) - 1
    return tuple(x & mask for x in converted(source, source_kind, source_bits))


def to_generic(name: tuple[str, ...], source: Value) -> Value:
    """What cvta makes of its operand."""
    window = {"shared": SHARED_WINDOW, "local": LOCAL_WINDOW}.get(name[-2].split(":")[0], 0)
    if source is None or not window:
        return source
    if "to" in name:
        return tuple(x & (1 << WINDOW) - 1 for x in source)
    return tuple(x | window for x in source)


def shuffle(name: tuple[str, ...], sources: Sequence[Value]) -> Value:
    """What shfl makes of its operands, if all lanes have the same, or change it within the warp."""
    if sources[0] is None or len(set(sources[0])) == 1:
        return sources[0]
    lanes, limits = sources[1:3]
    if lanes is None or limits != uniform(31) or not {"idx", "bfly"} & set(name):
        return None
    return tuple(sources[0][(x if "idx" in name else i ^ x) & 31] for i, x in zip(LANES, lanes))


def pack(parts: Sequence[Value], bits: int) -> Value:
    """Puts values side by side, the first one lowest."""
    if None in parts or not 0 < len(parts) <= MOST_PARTS:
        return None
    size = bits // len(parts)
    return tuple(sum((x & (1 << size) - 1) << i * size for i, x in enumerate(lane))
                 for lane in zip(*parts))


def unpack(value: Value, bits: int, count: int) -> list[Value]:
    if value is None or count > MOST_PARTS:
        return [None] * count
    size = bits // count
    return [tuple(x >> i * size & (1 << size) - 1 for x in value) for i in range(count)]
