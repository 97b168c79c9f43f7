"""What went wrong in foreign code, in words for those who have to mend it."""

from __future__ import annotations

import os
import re
import traceback
from typing import Any

import torch

from values import ValueTooLarge

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = os.path.dirname(os.path.dirname(torch.__file__)) + os.sep
LINE_COUNT = 40  # at most so many lines of a message
LINE_LENGTH = 400
CONTEXT = 4  # lines that a compiler shows with an error
BUILDING = re.compile(r"Error building extension '([^']*)'")  # what torch says, then the whole log
# What a line is about: "main.cpp:3:10: fatal error: ", "ptxas error   : ", "x.cu(3): error #20: ".
VERDICT = re.compile(r"\S.*?\b(error|fatal|warning|note)(?: #\S+)?\s*: ")
LINKERS = re.compile(r"\S.*: (undefined reference to|multiple definition of|cannot find) ")
# Errors that only follow from others.
CONSEQUENCE = re.compile(r"collect2: error: ld returned|.*: error: linker command failed"
                         r"|ptxas fatal\s*: Ptx assembly aborted")
SOURCE_LINE = re.compile(r"\s*\d* \| |\s+\S")
NOISE = re.compile(r"\[\d+/\d+\] |ninja: |FAILED: |.*\s-[co] |.*No CUDA runtime is found")
MEMORY_SIGNS = ("can't allocate memory", "cannot allocate memory", "std::bad_alloc",
                "out of memory", "status_alloc_failed",
                # What torch says of a GPU that is full where it may not ask the driver how full.
                "nvmlinit_v2_() internal assert")


class BadRequest(Exception):
    """`lathe` asked for something that makes no sense."""


class Failure(Exception):
    """A finding with a kind of its own; its cause, if any, is foreign code's exception."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def describe(error: BaseException, source: str, shown: str) -> dict[str, Any]:
    """Returns kind, message and, where there is one, line. `source` is called `shown`."""
    kind = kind_of(error)
    cause = error.__cause__ if isinstance(error, Failure) and error.__cause__ else error
    result: dict[str, Any] = {"kind": kind}
    if cause is error and isinstance(error, (Failure, BadRequest, ValueTooLarge)):
        result["message"] = clean(str(error))
        return result
    line = line_of(cause, source)
    if line is not None:
        result["line"] = line
    result["message"] = clean(message_of(cause).replace(source, shown) if source
                              else message_of(cause))
    result["summary"] = clean(summary_of(cause, shown, line))
    return result


def kind_of(error: BaseException) -> str:
    cause = error.__cause__ if isinstance(error, Failure) and error.__cause__ else error
    if isinstance(cause, (MemoryError, torch.OutOfMemoryError)):
        return "out_of_memory"
    if isinstance(cause, (RuntimeError, OSError)) and any(
            sign in str(cause).lower() for sign in MEMORY_SIGNS):
        return "out_of_memory"
    if isinstance(error, Failure):
        return error.kind
    if isinstance(error, BadRequest):
        return "bad_request"
    if isinstance(error, ValueTooLarge):
        return "too_large"
    return "crashed"


def line_of(error: BaseException, source: str) -> int | None:
    """The last line of the foreign file that the exception passed through."""
    if isinstance(error, SyntaxError) and error.filename == source:
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__)
             if frame.filename == source]
    return lines[-1] if lines else None


def summary_of(error: BaseException, shown: str, line: int | None) -> str:
    """One sentence."""
    where = f"{shown}:{line}: " if line is not None else f"{shown}: "
    if isinstance(error, ModuleNotFoundError) and error.name:
        return (f"{where}needs the Python package '{error.name}', which is not installed for this "
                "Python; a task or candidate is one file and sees none beside it")
    if isinstance(error, SyntaxError):
        return f"{where}{error.msg}"
    if (build := BUILDING.search(str(error))) and (errors := build_errors(str(error), build)):
        return f"{where}{errors[0]}"
    text = str(error).strip().partition("\n")[0]
    if build:
        text = build[0]  # without the command line
    name = type(error).__name__
    return f"{where}{name}: {text}" if text else f"{where}{name}"


def message_of(error: BaseException) -> str:
    """The traceback without Lathe's own frames, shortened where it is long; of a build that failed
    only the errors: the frames are torch's."""
    if build := BUILDING.search(str(error)):
        return "\n".join([f"{type(error).__name__}: {build[0]}", *build_errors(str(error), build)])
    told = traceback.TracebackException.from_exception(error)
    link: traceback.TracebackException | None = told
    while link is not None:
        foreign = [frame for frame in link.stack if not is_beside_the_point(frame.filename)]
        link.stack = traceback.StackSummary.from_list(foreign)
        link = link.__cause__ or link.__context__
    return shorten("".join(told.format()))


def is_beside_the_point(filename: str) -> bool:
    """Says whether a frame tells nothing of foreign code's mistakes."""
    return (os.path.dirname(filename) == HERE or filename.startswith("<frozen importlib")
            or filename == PACKAGES + "torch/utils/cpp_extension.py")


def build_errors(text: str, build: re.Match[str]) -> list[str]:
    """Returns the lines that tell what compilers and linkers had against an extension, the first
    error first; where nothing looks like an error, what failed and how the log ends."""
    log = re.sub(rf"/\S*/{re.escape(build[1])}/", "", text[build.end() :].removeprefix(": "))
    lines = [line.rstrip()[:LINE_LENGTH] for line in log.splitlines()]
    found = [i for i, line in enumerate(lines) if is_error(line)]
    causes = [i for i in found if not CONSEQUENCE.match(lines[i])] or found
    first: dict[str, int] = {}  # nvcc compiles for host and device, and may say all twice
    for i in causes:
        first.setdefault(lines[i], i)
    shown = list(first.values())
    if not shown:
        failed = [i for i, line in enumerate(lines) if line.startswith("FAILED: ")]
        commands = {i + 1 for i in failed}
        rest = [line for i, line in enumerate(lines)
                if line.strip() and not NOISE.match(line) and i not in commands]
        return [lines[i] for i in failed[:1]] + rest[-LINE_COUNT // 2 :]
    result: list[str] = []
    for count, i in enumerate(shown):
        more = with_context(lines, i)
        if len(result) + len(more) > LINE_COUNT - 2:
            left = len(shown) - count
            return [*result, f"[{left} more error{'s' * (left > 1)}]"]
        result += more
    return result


def is_error(line: str) -> bool:
    if SOURCE_LINE.match(line):
        return False
    verdict = VERDICT.match(line)
    return verdict[1] in ("error", "fatal") if verdict else LINKERS.match(line) is not None


def with_context(lines: list[str], error: int) -> list[str]:
    """An error's line, the lines of source under it, and the one that asked for a template."""
    end = error + 1
    while end < min(len(lines), error + 1 + CONTEXT) and SOURCE_LINE.match(lines[end]):
        end += 1
    asked = error > 0 and lines[error - 1].endswith("required from here")
    # The error comes first: it may be all that is read.
    return [*lines[error:end], *([lines[error - 1]] if asked else [])]


def shorten(text: str) -> str:
    """Keeps a compiler's first errors and the last lines."""
    lines = [line[:LINE_LENGTH] for line in text.strip().splitlines()]
    if len(lines) <= LINE_COUNT:
        return "\n".join(lines)
    tail = lines[-LINE_COUNT // 2 :]
    errors = [line for line in lines[: -len(tail)] if "error:" in line or line.startswith("FAILED")]
    return "\n".join([*errors[: LINE_COUNT // 2], "[...]", *tail])


def clean(text: str) -> str:
    """What JSON can carry, with files of packages as torch/nn/functional.py, wherever they are."""
    return text.encode("utf-8", "replace").decode("utf-8").replace(PACKAGES, "")
