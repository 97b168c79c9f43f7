"""Compiles one CUDA file of a torch extension in two parts, for the builder.

    python3 cuda_parts.py NVCC [nvcc's arguments for one object]

Nearly all of the time goes into torch's headers, which kernels seldom need. So what runs on the
device is compiled from a text without them, in half a second; and the rest from a text whose
kernels have no bodies, which gives an object that is kept in $LATHE_PARTS for every file that
differs in these alone. The device's code then takes its place in it. Exit codes: 0, the object is
what nvcc would have made of the file as a whole; `WHOLE`, it has to be compiled as a whole; `HOST`,
the host's part does not compile, and so the whole would not.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

WHOLE = 3
HOST = 4

TOKEN = re.compile(
    r"""(?P<blank>//(?:[^\n\\]|\\.)*|/\*.*?\*/|
        (?:u8|[uUL])?R"(?P<mark>[^\s()\\]{0,16})\(.*?\)(?P=mark)"|
        (?:u8|[uUL])?"(?:[^"\\\n]|\\.)*"|(?:u8|[uUL])?'(?:[^'\\\n]|\\.)+')|
        \.?\d(?:'?[\w.]|(?<=[eEpP])[+-])*|[A-Za-z_]\w*|.""", re.DOTALL | re.VERBOSE)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.)*", re.MULTILINE | re.DOTALL)
CONDITION = re.compile(r"\s*#\s*(if\w*|el\w*|endif)\b(.*)", re.DOTALL)
# What conditions may ask for: all that is the same without torch's headers.
SETTLED = {"defined", "__CUDA_ARCH__", "__CUDACC__", "CUDA_VERSION", "CUDART_VERSION",
           "__cplusplus"}
OF_TORCH = re.compile(r"\b(?:torch|at|c10|py|pybind11)\s*::|\b(?:TORCH|AT|C10|PYBIND11)_\w")
INCLUDES_TORCH = re.compile(r"\s*#\s*include\s*[<\"](?:torch|ATen|c10|pybind11)\b")
# Of what mentions torch the device may do without functions of the host alone.
SEEN_BY_DEVICE = re.compile(
    r"\b(?:__global__|__device__|template|struct|class|union|enum|constexpr)\b")
# What torch's headers bring that kernels use.
BROUGHT = ("#include <cmath>\n#include <limits>\n#include <algorithm>\n#include <cuda_fp16.h>\n"
           "#include <cuda_bf16.h>\n")
OPEN = {"(": ")", "{": "}", "[": "]"}
UP_TO_SEMICOLON = re.compile(r"[^;{(]*;")
# Bodies of functions with these are of use to who calls them, or on the host.
SEEN_OUTSIDE = re.compile(r"\b(?:__host__|constexpr|consteval|auto|decltype)\b")
# The device's code is no object's own, or what is compiled lies in files of the same names.
OF_ONE_COMPILER = ("-rdc", "--relocatable-device-code", "-dc", "-dlto", "-lto", "-keep", "--keep",
                   "-save-temps", "--save-temps")
BRINGS_VARIABLES = re.compile("complex|thrust|cub/", re.IGNORECASE)  # as `compile_extension` has it
# Ways to read what is in a file into an object that others get: their file may say something else.
READS_FILES = re.compile(r"\basm\b|__asm|##|incbin|\.include|#\s*embed"
                         r"|#\s*include(?!\s*(?:<[\w.+/-]+>|\"[\w.+/-]+\"))"
                         r"|#\s*include\s*.(?:/|[^\n]*(?:\.\.|cuda\.cu|main\.cpp))")
TEMPLATE = re.compile(r"void (?:\w+::)*(\w+)<.*\)$")  # a kernel of one, demangled
WORD = re.compile(r"\w+")
NAME = re.compile(r"\b(\w+)\s*\((?:[^()]|\([^()]*\))*\)\s*$")  # of a function, in its head


class Inseparable(Exception):
    """The text may not mean the same in two parts."""


# -- texts --------------------------------------------------------------------------------


def spaces(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def without_texts(text: str) -> str:
    """Returns a text of the same length and lines without comments and strings."""
    return TOKEN.sub(lambda x: spaces(x[0]) if x["blank"] else x[0], text)


def without(text: str, spans: list[tuple[int, int]]) -> str:
    for begin, end in spans:
        text = text[:begin] + spaces(text[begin:end]) + text[end:]
    return text


def end_of(bare: str, begin: int) -> int:
    """Returns where the bracket that opens at `begin` is behind one."""
    expected = []
    for i in range(begin, len(bare)):
        if bare[i] in OPEN:
            expected.append(OPEN[bare[i]])
        elif bare[i] in ")}]":
            if bare[i] != expected.pop():
                break
            if not expected:
                return i + 1
    raise Inseparable("brackets do not match")


def items(bare: str) -> Iterator[tuple[int, int, int]]:
    """Yields where each declaration begins, where its body does, and where both end; where it has
    no body that is its end. What opens a namespace is one, and so is what closes it. Directives
    before a declaration are a part of it."""
    begin = at = 0
    while at < len(bare):
        character, body = bare[at], at
        at = end_of(bare, at) if character in "([" else at + 1
        if character not in "{};":
            continue
        head = bare[begin:body]
        if character != "{" or is_namespace(head):
            body = at
        else:
            at = end_of(bare, body)
            if not is_function(head) and (after := UP_TO_SEMICOLON.match(bare, at)):
                at = after.end()  # class ... {} x;
        yield begin, body, at
        begin = at
    yield begin, at, at


def is_function(head: str) -> bool:
    return (")" in head and not head.rstrip().endswith("=")
            and not re.search(r"\b(?:struct|class|union|enum)\b[^()]*$", head))


def is_namespace(head: str) -> bool:
    return bool(re.search(r"\bnamespace\b[\s\w:]*$|\bextern\s*$", head))


class Parts(NamedTuple):
    """Texts of as many lines each as the file."""

    host: str
    device: str
    families: set[str]  # kernels that are templates, of which the host's part alone knows which


def split(text: str) -> Parts:
    """Returns the two parts of a file. Raises `Inseparable`."""
    if BRINGS_VARIABLES.search(text):
        raise Inseparable("headers bring variables of the device")
    code = without_texts(text)
    directives = [x.span() for x in DIRECTIVE.finditer(code)]
    check_directives(text, directives)
    bare = without(code, directives)
    for_device = without(text, [x for x in directives if INCLUDES_TORCH.match(text, *x)])
    host, device = [], []
    families, left_out = set(), set()  # names: of kernels that are templates; in what is left out
    for begin, body, end in items(bare):
        inside = [x for x in directives if begin <= x[0] < end]
        check_conditions(text, inside)
        head = bare[begin:body]
        if is_of_device(head) and body < end:
            told = [x for x in inside if body < x[0] and "pragma" not in text[slice(*x)]]
            host.append(f"{text[begin:body]}{{{lines_but_for(text, told, body + 1, end - 1)}}}")
        else:
            host.append(text[begin:end])
        if re.search(r"\btemplate\b[^;]*\b__global__\b", head):
            families.update(NAME.findall(head))
        if not OF_TORCH.search(bare, begin, end):
            device.append(for_device[begin:end])
        elif SEEN_BY_DEVICE.search(head):
            raise Inseparable("the device sees something of torch's")
        else:
            left_out.update(WORD.findall(bare, begin, end))
            device.append(lines_but_for(for_device, inside, begin, end))
    if READS_FILES.search("".join(host)):
        raise Inseparable("it may read files")
    return Parts("".join(host), "".join(device), families & left_out)


def check_directives(text: str, directives: list[tuple[int, int]]) -> None:
    for begin, end in directives:
        said = text[begin:end]
        condition = CONDITION.match(said)
        if condition and (condition[1].startswith("el")
                          or set(re.findall(r"[A-Za-z_]\w*", condition[2])) - SETTLED):
            raise Inseparable("declarations depend on the preprocessor")
        if re.search("__(?:global|device)__", said) or said.count("/*") != said.count("*/"):
            raise Inseparable("a directive is more than that")


def check_conditions(text: str, directives: list[tuple[int, int]]) -> None:
    """Sees to it that none begins in one declaration and ends in another."""
    kinds = [x[1] for y in directives if (x := CONDITION.match(text, *y))]
    if 2 * kinds.count("endif") != len(kinds):
        raise Inseparable("a condition goes beyond a declaration")


def is_of_device(head: str) -> bool:
    """Whether a function's body is of no use to anybody on the host."""
    return bool(re.search(r"\b__(?:global|device)__\b", head) and is_function(head)
                and not SEEN_OUTSIDE.search(head))


def lines_but_for(text: str, spans: list[tuple[int, int]], begin: int, end: int) -> str:
    """Returns what lies within these, and the lines of the rest."""
    result, at = "", begin
    for x, y in spans:
        result, at = result + lines_of(text[at:x]) + text[x:y], y
    return result + lines_of(text[at:end])


def lines_of(text: str) -> str:
    return "\n" * text.count("\n")


# -- compilers ----------------------------------------------------------------------------


class Job:
    """One call of nvcc."""

    def __init__(self, nvcc: str, arguments: list[str]) -> None:
        self.command = [nvcc, *arguments]
        if any(x.startswith(OF_ONE_COMPILER) for x in arguments):
            raise Inseparable("an option wants it whole")
        self.source = Path(self.take("-c"))
        self.target = Path(self.take("-o"))
        # No header of an extension's own is there when it is built ahead.
        for name in ("-MF", "--dependency-output"):
            if name in self.command:
                Path(self.take(name)).write_text(f"{self.target}: {self.source}\n")
        self.command = [x for x in self.command
                        if x not in ("-MD", "--generate-dependencies-with-compile")]

    def take(self, option: str) -> str:
        at = self.command.index(option)
        _, value = self.command[at : at + 2]
        del self.command[at : at + 2]
        return value

    def run(self, kept: Path) -> int:
        """Compiles it, with what is kept of the host's part."""
        parts = split(self.source.read_text())
        place = Path(f"{self.target}.parts")
        place.mkdir(parents=True, exist_ok=True)
        try:
            return self.compile(parts, place, kept / f"{self.key_of(parts.host)}.o")
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def key_of(self, host: str) -> str:
        known = "\0".join([*self.command, str(self.source), host])
        return hashlib.sha256(known.encode()).hexdigest()

    def compile(self, parts: Parts, place: Path, rest: Path) -> int:
        code, made = place / "code.fatbin", place / "rest.o"

        def has_rest() -> bool:
            if not rest.exists() and self.run_on(place / "host", parts.host, "-c", "-o", made):
                rest.parent.mkdir(parents=True, exist_ok=True)
                made.rename(rest)
            return rest.exists()

        # Where the host's part says which kernels there are, it has to be there first.
        if parts.families and not has_rest():
            return HOST
        wanted = asked_for(rest, made) if parts.families else set()
        chosen = instances(parts.families, wanted) if wanted else ""
        if not self.run_on(place / "device", f"{parts.device}\n{chosen}", "--no-compress",
                           "-fatbin", "-o", code, before=BROUGHT + types_of(chosen)):
            return WHOLE
        if not has_rest():
            return HOST
        known = set(code.read_bytes().split(b"\0"))
        if any(x not in known and x[1:] not in known for x in wanted or asked_for(rest, made)):
            return WHOLE
        moved = ["objcopy", "--update-section", f".nv_fatbin={code}", rest, self.target]
        return WHOLE if subprocess.call(moved) != 0 else 0

    def run_on(self, folder: Path, text: str, *options: str | Path, before: str = "") -> bool:
        """Compiles a part, whose messages name the file that it is of."""
        folder.mkdir(parents=True)
        file = folder / self.source.name
        file.write_text(f'{before}#line 1 "{self.source}"\n{text}')
        return subprocess.call([*self.command, *options, file]) == 0


def instances(families: set[str], wanted: set[bytes]) -> str:
    """Returns declarations that make these kernels of their templates."""
    told = subprocess.run(["c++filt"], input=b"\n".join(sorted(wanted)), stdout=subprocess.PIPE,
                          check=True).stdout.decode()
    return "".join(f"template __global__ {x};\n" for x in told.splitlines()
                   if (name := TEMPLATE.match(x)) and name[1] in families)


def types_of(chosen: str) -> str:
    """Returns what includes torch's own numbers, where kernels are made for them."""
    return "".join(f"#include <c10/util/{x}.h>\n" for x in ("Half", "BFloat16")
                   if f"c10::{x}" in chosen)


def asked_for(rest: Path, scratch: Path) -> set[bytes]:
    """Returns the names of the kernels that an object asks the device's code for, and of variables:
    a header of torch's may have some. Those of C have a character before them."""
    subprocess.run(["objcopy", "--strip-all", "--only-section=.rodata*", rest, scratch], check=True)
    names = set(re.findall(rb"(?<![\w.])_Z\w+", scratch.read_bytes()))  # but for sections
    symbols = subprocess.run(["nm", rest], stdout=subprocess.PIPE, check=True).stdout
    for found in re.finditer(rb"(\d+)(__device_stub_)", symbols):
        names.add(symbols[found.end() : found.start(2) + int(found[1])])
    return names


def main(nvcc: str, arguments: list[str]) -> int:
    try:
        return Job(nvcc, arguments).run(Path(os.environ["LATHE_PARTS"]))
    except (Inseparable, ValueError, IndexError, subprocess.CalledProcessError) as why:
        print(f"as a whole: {why}", file=sys.stderr)
        return WHOLE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
