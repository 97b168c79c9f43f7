"""The extensions that a candidate asks torch to build, as far as its text alone says.

They are built in a process that runs none of the candidate's Python and sees no device: commands
that its options have compilers run are a part of what it asks for. So what comes out depends on
nothing else, and any candidate that asks for the same may have it. The candidate asks torch once
more: where its text said something else than it does, torch sees that and builds again.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cuda_parts

FUNCTION = "load_inline"
POSITIONAL = ("name", "cpp_sources", "cuda_sources", "sycl_sources", "functions", "extra_cflags",
              "extra_cuda_cflags", "extra_sycl_cflags", "extra_ldflags", "extra_include_paths")
UNDERSTOOD = {*POSITIONAL, "verbose", "with_cuda", "with_sycl", "is_python_module",
              "with_pytorch_error_handling", "keep_intermediates", "use_pch",
              "no_implicit_headers"}
MOST = 4  # a file that asks for more may be about to choose among them
MOST_STEPS = 10_000  # to a file's values
MOST_TEXT = 1 << 20  # as long as a candidate may be
MOST_PRODUCT = 1 << 32  # of the lengths of what a method is given: `replace` multiplies them
METHODS = {"strip": str.strip, "lstrip": str.lstrip, "rstrip": str.rstrip, "replace": str.replace,
           "join": str.join}
# Who changes how compilers are called gets what they make when it runs.
OF_COMPILERS = re.compile(r"TORCH_CUDA_ARCH_LIST|COMMON_NVCC_FLAGS|NVCC_\w+_FLAGS|\bC\w*PATH\b"
                          r"|environ\b[^\n]*\b(?:CC|CXX|CUDA_HOME|PATH)\b")
# Options whose effect nothing but what is asked for decides.
PLAIN_OPTION = re.compile(r"-(?!W[alp],)(?!.*include)[\w=.,+-]+")


class Unknown(Exception):
    """A value that only running the candidate would tell."""


def asked_for(source: str) -> list[dict[str, Any]]:
    """Returns the arguments of each call of `load_inline` whose arguments the text tells, in its
    order; nothing of a text that is no Python, or calls compilers in its own way."""
    if OF_COMPILERS.search(source):
        return []
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    constants = Constants(tree)
    result = []
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and name_of(call.func) == FUNCTION:
            try:
                result.append((call.lineno, arguments(call, constants)))
            except Exception:  # whatever it is, torch will say it to the candidate
                pass
    return [found for _, found in sorted(result, key=lambda x: x[0])[:MOST]]


def arguments(call: ast.Call, constants: Constants) -> dict[str, Any]:
    named = dict(zip(POSITIONAL, call.args)) | {x.arg: x.value for x in call.keywords}
    if len(call.args) > len(POSITIONAL) or not UNDERSTOOD.issuperset(named):
        raise Unknown
    result = {name: constants.value(node) for name, node in named.items()}
    json.dumps(result)  # TypeError: not what torch takes
    if not all(isinstance(x, str) for x in texts(result)):
        raise Unknown
    return result


def key_of(wanted: list[dict[str, Any]]) -> str:
    """Returns what is the same for all who ask for the same; nothing where nothing is asked for."""
    return hashlib.sha256(json.dumps(wanted).encode()).hexdigest() if wanted else ""


def key_of_like(wanted: list[dict[str, Any]]) -> str:
    """Returns what is the same for all who ask for the same but for what runs on the device alone;
    nothing where nothing does, or what comes of the rest may depend on that."""
    try:
        return key_of([x | {"cuda_sources": host_texts(x)} for x in wanted])
    except Exception:  # nobody else has the like
        return ""


def host_texts(asked: dict[str, Any]) -> list[str]:
    options = [x for name in ("extra_cflags", "extra_cuda_cflags") for x in asked.get(name) or []]
    bindings = texts(asked, "cpp_sources")
    if (not texts(asked) or not all(PLAIN_OPTION.fullmatch(x) for x in options)
            or any(cuda_parts.READS_FILES.search(x) for x in bindings)):
        raise Unknown
    return [cuda_parts.split(x).host for x in texts(asked)]


def texts(asked: dict[str, Any], which: str = "cuda_sources") -> list[str]:
    found = asked.get(which) or []
    return [found] if isinstance(found, str) else found


def name_of(function: ast.expr) -> str:
    return getattr(function, "attr", getattr(function, "id", ""))


class Constants:
    """The names of a file that are bound once, to what the text tells."""

    def __init__(self, tree: ast.Module) -> None:
        self.bound: dict[str, ast.expr | None] = {}
        self.steps = MOST_STEPS
        for name, value in bindings(tree):
            self.bound[name] = None if name in self.bound else value

    def value(self, node: ast.expr) -> Any:
        """Returns what an expression comes to. Raises `Unknown` where only a run would tell."""
        self.steps -= 1
        result = self.value_of(node) if self.steps > 0 else None
        if self.steps <= 0 or (isinstance(result, str) and len(result) > MOST_TEXT):
            raise Unknown
        return result

    def value_of(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                if bound := self.bound.get(name):
                    return self.value(bound)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [self.value(x) for x in items]
            case ast.Dict(keys=keys, values=values) if None not in keys:
                return {self.value(k): self.value(v) for k, v in zip(keys, values)}
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.value(left) + self.value(right)
            case ast.JoinedStr(values=parts):
                return "".join(str(self.value(x)) for x in parts)
            case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
                return self.value(value)
            case ast.Call(func=ast.Attribute(value=of, attr=method), args=given, keywords=[]) if (
                    method in METHODS):
                values = [self.value(of), *map(self.value, given)]
                lengths = [len(x) for x in values]
                if sum(lengths) * (max(lengths) + 1) < MOST_PRODUCT:
                    return METHODS[method](*values)
        raise Unknown


def bindings(tree: ast.Module) -> Iterator[tuple[str, ast.expr | None]]:
    """Yields every name that is given something, and what where that is an expression's value."""
    values: dict[ast.expr, ast.expr | None] = {}
    for node in ast.walk(tree):  # parents first
        match node:
            case ast.Assign(targets=targets, value=value):
                values |= dict.fromkeys(targets, value)
            case ast.AnnAssign(target=target, value=value):
                values[target] = value
            case ast.Name(id=name, ctx=ast.Store()):
                yield name, values.get(node)
            case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, None
            case ast.alias(name=name, asname=other):
                yield other or name, None
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
                yield name, None  # list.append


def build(wanted: list[dict[str, Any]]) -> tuple[bool, bool]:
    """Has torch build all of them, and imports none. Returns whether all could be built, and
    whether others who ask for the like can use more of it than there was.

    What is there already was built for others who asked for the like: of it the host's parts are of
    use (`cuda_parts`), and the bindings.
    """
    from torch.utils import cpp_extension  # it looks for compilers: the sandbox's

    place = Path(os.environ["TORCH_EXTENSIONS_DIR"])
    parts = place / ".parts"
    known = set(parts.glob("*"))
    for made in [*place.glob("*/*.cuda.o"), *place.glob("*/*.so")]:
        made.unlink()
    os.environ |= {"LATHE_PARTS": str(parts), "LATHE_PYTHON": sys.executable}
    loading = cpp_extension._import_module_from_library
    cpp_extension._import_module_from_library = lambda *_: None
    try:
        built = all([succeeds(lambda x=x: cpp_extension.load_inline(**x)) for x in wanted])
        return built, bool(set(parts.glob("*")) - known)
    finally:
        cpp_extension._import_module_from_library = loading


def succeeds(step: Callable[[], object]) -> bool:
    try:
        step()
    except Exception:  # the candidate will hear the same, and says it better
        return False
    return True
