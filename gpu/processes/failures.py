"""What went wrong in foreign code, in words for those who have to mend it."""

from __future__ import annotations

import os
import traceback
from typing import Any

import torch

from values import ValueTooLarge

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = os.path.dirname(os.path.dirname(torch.__file__)) + os.sep
LINE_COUNT = 40  # at most so many lines of a message
LINE_LENGTH = 400
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
        return f"{where}needs the Python package '{error.name}', which is not installed"
    if isinstance(error, SyntaxError):
        return f"{where}{error.msg}"
    text = str(error).strip().partition("\n")[0]
    name = type(error).__name__
    return f"{where}{name}: {text}" if text else f"{where}{name}"


def message_of(error: BaseException) -> str:
    """The traceback without Lathe's own frames, shortened where it is long."""
    told = traceback.TracebackException.from_exception(error)
    link: traceback.TracebackException | None = told
    while link is not None:
        foreign = [frame for frame in link.stack if not is_ours(frame.filename)]
        link.stack = traceback.StackSummary.from_list(foreign)
        link = link.__cause__ or link.__context__
    return shorten("".join(told.format()))


def is_ours(filename: str) -> bool:
    return os.path.dirname(filename) == HERE or filename.startswith("<frozen importlib")


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
