"""Writes candidates by rule: asks passes whether they apply to a task, and composes those that do.

A pass is a Python file (docs/recipes.md). What comes out is an ordinary file with `ModelNew` that
holds the task's own source and the passes' own functions, and needs nothing of Lathe.
"""

import ast
import dataclasses
import json
import os
import re
import select
import shutil
import signal
import symtable
import sys
import types

import torch
import torch._dynamo  # dispatch modes need it: loaded once, not in every fork
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

MOST_DRAFTS = 10
PRECISIONS = ["fp32", "tf32", "half"]  # strictest first
ALLOWED = {"fp32": "fp32", "kernelbench": "fp32", "tf32": "tf32", "half": "half", "pike": "half"}

sys.modules.setdefault("recipes", sys.modules[__name__])  # `applies` may import from here


class Refused(Exception):
    """Why a pass, or a combination of passes, gives no draft."""


def compose(task_source, passes, wanted, mode, tolerance="fp32", seconds=60.0):
    """Returns (drafts, declined) for the task under `mode` ("eval" or "train").

    `passes` maps a pass's name to its source text, `wanted` says which to try and in which order.
    A draft is {"label": "fold+compile", "source": ...}; `declined` has a line for each pass or
    combination that was left out. `seconds` is what one pass may take to answer. Raises only what
    the task itself raises when it is loaded and built.
    """
    model, inputs = build(task_source, mode)
    usable, declined = {}, []
    for name in dict.fromkeys(wanted):
        try:
            candidate = parse(name, passes)
            admit(candidate, tolerance)
            reason = ask(candidate, model, inputs, mode, seconds)
            if reason:
                raise Refused(reason)
            usable[name] = candidate
        except Refused as refusal:
            declined.append(f"{name}: {refusal}")
    drafts = []
    for chain in chains(usable):
        label = "+".join(x.name for x in chain)
        if len(drafts) == MOST_DRAFTS:
            declined.append(f"{label}: left out, {MOST_DRAFTS} drafts are enough")
            continue
        try:
            drafts.append({"label": label, "source": write(task_source, chain, mode)})
        except Refused as refusal:
            declined.append(f"{label}: {refusal}")
    return drafts, declined


# -- the task ------------------------------------------------------------------------------------


def build(task_source, mode):
    """Returns the task's model and one draw of its inputs."""
    # One thread: the processes forked by `ask` would wait for ever for an OpenMP team of this one.
    torch.set_num_threads(1)
    module = load("task", task_source)
    torch.manual_seed(0)
    model = module.Model(*module.get_init_inputs())
    model.train(mode == "train")
    return model, module.get_inputs()


def load(name, source):
    module = types.ModuleType(name)
    module.__file__ = f"{name}.py"
    sys.modules[name] = module
    exec(compile(source, module.__file__, "exec"), module.__dict__)
    return module


# -- passes --------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Pass:
    name: str
    source: str
    tree: ast.Module
    summary: str  # the docstring's first line
    precision: str
    after: list  # lists of names: what this pass is worth applying after


def parse(name, passes):
    """Reads what a pass says of itself, without running it."""
    if name not in passes:
        raise Refused("there is no such pass")
    if not name.isidentifier():
        raise Refused("a pass's name has to be a Python identifier")
    source = passes[name]
    try:
        tree = ast.parse(source)
        constants = {
            name: ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign)
            for name in defined(node) & {"PRECISION", "AFTER"}
        }
    except (SyntaxError, ValueError) as problem:
        raise Refused(f"cannot be read: {problem}") from None
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for function in ("applies", "rewrite"):
        if function not in functions:
            raise Refused(f"has no function {function}")
    precision = constants.get("PRECISION")
    if precision not in PRECISIONS:
        raise Refused(f"PRECISION has to be one of {', '.join(PRECISIONS)}")
    after = constants.get("AFTER", [])
    if not isinstance(after, list) or not all(is_chain(x) for x in after):
        raise Refused("AFTER has to be a list of lists of names")
    summary = (ast.get_docstring(tree) or name).splitlines()[0]
    return Pass(name, source, tree, summary, precision, after)


def is_chain(value):
    return isinstance(value, list) and value and all(isinstance(x, str) for x in value)


def admit(candidate, tolerance):
    allowed = ALLOWED.get(tolerance, "fp32")
    if PRECISIONS.index(candidate.precision) > PRECISIONS.index(allowed):
        raise Refused(f"{candidate.precision} precision; tolerance '{tolerance}' wants {allowed}")


def ask(candidate, model, inputs, mode, seconds):
    """Returns why the pass does not apply, or "".

    The question is put in a forked process, so a pass may change its model, crash or hang.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, json.dumps(answer(candidate, model, inputs, mode)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    try:
        if not select.select([reader], [], [], seconds)[0]:
            return f"gave no answer in {seconds:g} s"
        reply = os.read(reader, select.PIPE_BUF)
        return json.loads(reply) if reply else "its process died"
    finally:
        os.close(reader)
        os.kill(child, signal.SIGKILL)  # not reaped yet, so the number is still this child's
        os.waitpid(child, 0)


def answer(candidate, model, inputs, mode):
    try:
        module = load(candidate.name + "_pass", candidate.source)
        with torch.no_grad():
            reason = module.applies(model, inputs, mode)
        if not isinstance(reason, str):
            reason = f"applies() returned {reason!r}, not a reason"
    except BaseException as problem:
        reason = f"raised {type(problem).__name__}: {problem}"
    return reason.strip().split("\n")[0][:500]


def chains(usable):
    """Returns each pass alone, then the combinations that passes ask for: everyone's first, ..."""
    result = [[x] for x in usable.values()]
    rounds = max((len(x.after) for x in usable.values()), default=0)
    for i in range(rounds):
        for last in usable.values():
            before = last.after[i] if i < len(last.after) else [None]
            if all(name in usable for name in before):
                result.append([usable[name] for name in before] + [last])
    return result


# -- questions that passes may ask in `applies` ----------------------------------------------------


def operators(model, inputs):
    """Returns the names of the tensor operations that one call of `model` runs: {"addmm", "relu"}.

    Reading values into Python shows as "_local_scalar_dense", "tolist" or "numpy".
    """
    seen = set()

    class Dispatched(TorchDispatchMode):
        def __torch_dispatch__(self, function, kinds, args=(), kwargs=None):
            seen.add(function.overloadpacket.__name__)
            return function(*args, **(kwargs or {}))

    class Called(TorchFunctionMode):
        def __torch_function__(self, function, kinds, args=(), kwargs=None):
            if function in (torch.Tensor.tolist, torch.Tensor.numpy):
                seen.add(function.__name__)
            return function(*args, **(kwargs or {}))

    with Called(), Dispatched():
        model(*inputs)
    return seen


def multiplies(model, inputs):
    """Says whether `model` runs matrix products or convolutions."""
    return bool(operators(model, inputs) & {"addmm", "mm", "bmm", "baddbmm", "convolution"})


def compiler_missing():
    """Returns why Inductor cannot compile for the CPU, or ""."""
    compiler = os.environ.get("CXX", "g++")
    return "" if shutil.which(compiler) else f"no C++ compiler ({compiler})"


# -- writing -------------------------------------------------------------------------------------


def write(task_source, chain, mode):
    """Returns the text of a candidate that applies the passes of `chain` in order."""
    task = strip_inputs(task_source.removeprefix("\ufeff"))
    imports, definitions = collect(task, chain)
    precision = max((x.precision for x in chain), key=PRECISIONS.index)
    header = ["# ModelNew is Model after these passes, in this order:"]
    header += [f"#   {x.name}: {x.summary}" for x in chain]
    header += [f"# Made for {mode} mode; precision class {precision}."]
    marker = "# -- passes ----------------------------------------------------------------"
    parts = [marker + "\n\n" + "\n".join(imports)] if imports else [marker]
    parts = ["\n".join(header) + "\n\n" + task.strip(), *parts, *definitions]
    source = "\n\n\n".join(parts + [model_new(chain, mode)]) + "\n"
    try:
        compile(source, "candidate.py", "exec")
    except SyntaxError as problem:
        raise Refused(f"the file it gives does not parse: {problem}") from None
    return source


def model_new(chain, mode):
    steps = "\n".join(f"        model = apply_{x.name}(model)" for x in chain)
    prepare = "" if mode == "train" else ".eval()"
    return f'''class ModelNew(torch.nn.Module):
    def __init__(self, *args, **kwargs):
        super().__init__()
        model = Model(*args, **kwargs){prepare}
{steps}
        self.model = model

    def forward(self, *inputs):
        return self.model(*inputs)'''


def strip_inputs(task_source):
    """Drops get_inputs and get_init_inputs where nothing else in the file uses them."""
    tree = ast.parse(task_source)
    names = {"get_inputs", "get_init_inputs"}
    if any(isinstance(x, ast.Name) and x.id in names for x in ast.walk(tree)):
        return task_source
    lines = task_source.split("\n")  # splitlines also splits where Python does not
    for node in reversed(tree.body):
        if isinstance(node, ast.FunctionDef) and node.name in names:
            del lines[first_line(node) - 1 : node.end_lineno]
    return "\n".join(lines)


def collect(task, chain):
    """Returns the import lines and the definitions that the passes add to the task."""
    symbols = symtable.symtable(task, "task", "exec").get_symbols()
    bound = {x.get_name(): None for x in symbols if x.is_assigned() or x.is_imported()}
    bound |= {name: target for name, target, _ in imported(ast.parse(task))}
    imports, definitions = [], []

    def add(owner, name, identity, text, to):
        if name in bound and bound[name] != identity:
            raise Refused(f"{name}, which {owner} uses, means something else in the file")
        if name not in bound and text not in to:
            to.append(text)
        bound[name] = identity

    if "ModelNew" in bound:
        raise Refused("the task has a ModelNew of its own")
    add("torch", "torch", "torch", "import torch", imports)
    for one in chain:
        needed = reach(one)
        for name, target, text in imported(one.tree):
            if name in needed:
                if target.split(".")[0] in ("recipes", "__future__"):
                    raise Refused(f"rewrite cannot use '{text}'")
                add(one.name, name, target, text, imports)
        for node in one.tree.body:
            for name in sorted(defined(node) & needed):
                text = text_of(one.source, node)
                if name == "rewrite":
                    name = f"apply_{one.name}"
                    text = re.sub(r"^def +rewrite\b", f"def {name}", text, flags=re.MULTILINE)
                add(one.name, name, text, text, definitions)
    return imports, definitions


def reach(one):
    """Returns the names that `rewrite` uses, directly or through others of its file."""
    uses = {}
    for node in one.tree.body:
        for name in defined(node):
            uses[name] = {x.id for x in ast.walk(node) if isinstance(x, ast.Name)} - defined(node)
    needed, new = set(), {"rewrite"}
    while new:
        needed |= new
        new = set().union(*(uses.get(name, set()) for name in new)) - needed
    return needed


def defined(node):
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return {x.id for target in targets for x in ast.walk(target) if isinstance(x, ast.Name)}
    return set()


def imported(tree):
    """Yields (name, what it means, statement) for each import at the file's top level."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            for x in node.names:
                name = x.asname or x.name.split(".")[0]
                yield name, x.name if x.asname else name, f"import {ast.unparse(x)}"
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for x in node.names:
                text = f"from {module} import {ast.unparse(x)}"
                yield x.asname or x.name, f"{module}.{x.name}", text


def first_line(node):
    return min([node.lineno] + [x.lineno for x in getattr(node, "decorator_list", [])])


def text_of(source, node):
    """Returns a statement's text with the comment lines right above it."""
    lines = source.split("\n")
    first = first_line(node) - 1
    while first > 0 and lines[first - 1].startswith("#"):
        first -= 1
    return "\n".join(lines[first : node.end_lineno])
