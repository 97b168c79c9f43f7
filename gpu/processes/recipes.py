"""Writes candidates by rule: asks passes whether they apply to a task, and composes those that do.

A pass is a Python file (docs/recipes.md). What comes out is an ordinary file with `ModelNew` that
holds the task's own source and the passes' own functions, and needs nothing of Lathe.
"""

import ast
import copy
import dataclasses
import io
import json
import linecache
import os
import re
import select
import shutil
import signal
import symtable
import sys
import time
import tokenize
import types

import torch
import torch._dynamo  # dispatch modes need it: loaded once, not in every fork
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

import recipe_chains

PRECISIONS = ["fp32", "tf32", "half"]  # strictest first
DEVICES = ["cpu", "cuda"]
DATA_TAGS = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
MASKED = "index by a mask"  # its outputs' shapes depend on data, other indices' do not
# What torch does not tag although it decides by data.
UNTAGGED = {"_pack_padded_sequence", "_to_sparse", "_nested_tensor_from_mask_left_aligned", MASKED}
# Functions that read values and run no operator that would show it; on a GPU those of ADDRESSES
# give a kernel its operands, and Python can read nothing there.
READS = {"tolist", "numpy", "__array__", "__repr__", "__str__", "__format__", "__bool__", "__int__",
         "__float__", "__complex__", "__index__"}
MAKERS = {"tensor", "as_tensor", "asarray", "new_tensor"}  # they read what a list holds
ADDRESSES = {"data_ptr", "storage", "untyped_storage", "__dlpack__"}
CHECKED = {"quantile", "nanquantile"}  # they compare their q with what is allowed, by `equal`
PRODUCTS = {"addmm", "mm", "bmm", "baddbmm", "convolution"}
FAR = 0.1  # of the output: no rounding explains that
SLICE = 0.2  # [seconds] that are waited at a time
CANNOT_GO_ON = b"null"  # what a process says whose GPU is broken
ALLOWED = {"fp32": "fp32", "kernelbench": "fp32", "tf32": "tf32", "half": "half", "pike": "half"}

sys.modules.setdefault("recipes", sys.modules[__name__])  # `applies` may import from here


class Refused(Exception):
    """Why a pass, or a combination of passes, gives no draft."""


def compose(task_source, passes, wanted, mode, tolerance="fp32", device="cpu", most=10,
            seconds=60.0, around=""):
    """Returns a book: the first drafts for the task under `mode` ("eval" or "train").

    `passes` maps a pass's name to its source text, `wanted` says which to try and in which order.
    The book is {"drafts": [{"label": "fold+compile", "source": ...}], "declined": [a line for each
    pass or combination that was left out], "usable": [names of passes that apply], "took": {pass:
    seconds until it answered}}, with at most so many drafts. Passes are asked on `device`; `seconds`
    is what one of them may take to answer. `around` is the source of a candidate that they are to
    work on in place of the task's model: only those are asked that say they can. Raises only what
    the task itself raises when it is loaded and built.
    """
    sources = Sources.of(task_source, around)
    took = {}
    made = None
    if device == "cpu" and not around:
        began = time.monotonic()
        made = build(sources, mode)
        took["build"] = time.monotonic() - began
    if around:
        seconds *= 5  # it may compile kernels, which is not done yet
    admitted, declined = {}, []
    for name in dict.fromkeys(wanted):
        try:
            one = parse(name, passes)
            if one.around or not around:
                admit(one, tolerance)
                admitted[name] = one
        except Refused as refusal:
            declined.append(f"{name}: {refusal}")
    usable = {}
    answers = ask(list(admitted.values()), sources, made, mode, device, seconds)
    for one, (reason, took[one.name]) in zip(admitted.values(), answers, strict=True):
        if reason:
            declined.append(f"{one.name}: {reason}")
        else:
            usable[one.name] = one
    chains = recipe_chains.first(usable, device)
    for chain in chains[most:]:
        declined.append(f"{'+'.join(chain)}: left out, {most} drafts are enough")
    return {**book(sources, chains[:most], usable, declined, mode, most), "took": took}


def go_on(task_source, passes, usable, tried, mode, most=10):
    """Returns a book with drafts next to the fastest that was `tried`, as `compose` does.

    `usable` are names of passes that apply; `tried` maps labels to speed-ups over the unchanged
    model, 0 for drafts that were not correct. No draft means that there is nothing left to try.
    """
    known = {name: parse(name, passes) for name in usable}
    speeds = {tuple(label.split("+")): speed for label, speed in tried.items()}
    speeds = {chain: x for chain, x in speeds.items() if all(name in known for name in chain)}
    chains = recipe_chains.following(known, speeds)
    return book(Sources.of(task_source), chains, known, [], mode, min(most, recipe_chains.ROUND))


def book(sources, chains, usable, declined, mode, most):
    drafts = []
    for chain in chains:
        if len(drafts) == most:
            break
        label = "+".join(chain)
        try:
            source = write(sources, [usable[name] for name in chain], mode)
            drafts.append({"label": label, "source": source})
        except Refused as refusal:
            declined.append(f"{label}: {refusal}")
    return {"drafts": drafts, "declined": declined, "usable": list(usable)}


# -- the task ------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Sources:
    task: str
    candidate: str = ""  # what passes work on; empty: the task's model

    @staticmethod
    def of(*texts):
        return Sources(*[x.removeprefix("\ufeff") for x in texts])  # a byte order mark


def build(sources, mode):
    """Returns the model and one draw of its inputs."""
    # One thread: the processes forked by `ask` would wait for ever for an OpenMP team of this one.
    torch.set_num_threads(1)
    task = load("task", sources.task)
    return build_model(sources, task, mode), task.get_inputs()


def build_model(sources, task, mode):
    kind = load("candidate", sources.candidate).ModelNew if sources.candidate else task.Model
    torch.manual_seed(0)
    return kind(*task.get_init_inputs()).train(mode == "train")


def load(name, source):
    module = types.ModuleType(name)
    module.__file__ = f"{name}.py"
    sys.modules[name] = module
    # Triton and TorchScript read the source of functions where tracebacks read it.
    lines = source.splitlines(keepends=True)
    linecache.cache[module.__file__] = (len(source), None, lines, module.__file__)
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
    slots: list  # what it changes, of recipe_chains.SLOTS
    after: list  # lists of names: what it is worth applying after; "name?" where that applies
    first_on: list  # kinds of devices on which it is among the first to be tried
    around: bool  # whether it may work on a candidate, too


def parse(name, passes):
    """Reads what a pass says of itself, without running it."""
    if name not in passes:
        raise Refused("there is no such pass")
    if not name.isidentifier():
        raise Refused("a pass's name has to be a Python identifier")
    source = passes[name].removeprefix("\ufeff")
    try:
        tree = ast.parse(source)
        constants = {
            name: ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None
            for name in defined(node) & {"PRECISION", "SLOT", "AFTER", "FIRST_ON", "AROUND"}
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
    slots = constants.get("SLOT", "model")
    slots = slots if isinstance(slots, list) else [slots]
    if not slots or not all(x in recipe_chains.SLOTS for x in slots):
        raise Refused(f"SLOT has to be of {', '.join(recipe_chains.SLOTS)}")
    first_on = constants.get("FIRST_ON", DEVICES)
    if not isinstance(first_on, list) or not set(map(str, first_on)) <= set(DEVICES):
        raise Refused(f"FIRST_ON has to be a list of {' and '.join(DEVICES)}")
    summary = (ast.get_docstring(tree) or name).splitlines()[0]
    around = constants.get("AROUND", False) is True
    return Pass(name, source, tree, summary, precision, slots, after, first_on, around)


def is_chain(value):
    return isinstance(value, list) and value and all(isinstance(x, str) for x in value)


def admit(candidate, tolerance):
    allowed = ALLOWED.get(tolerance, "fp32")
    if PRECISIONS.index(candidate.precision) > PRECISIONS.index(allowed):
        raise Refused(f"{candidate.precision} precision; tolerance '{tolerance}' wants {allowed}")


def ask(candidates, sources, made, mode, device, seconds):
    """Returns for each pass why it does not apply, or "", and how long that took [seconds].

    They are asked one after the other in a forked process, and in a new one after a pass that
    crashed, hung or broke its GPU: a pass may do what it likes to the model that it is given.
    `made` is a model and its inputs, or None: what may take the GPU has to be made in the process
    that uses it.
    """
    answers = []
    while len(answers) < len(candidates):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(reader)
                answer(candidates[len(answers) :], sources, made, mode, device, writer)
            finally:
                os._exit(0)
        os.close(writer)
        try:
            answers += heard(reader, len(candidates) - len(answers), seconds)
        finally:
            os.close(reader)
            os.kill(child, signal.SIGKILL)  # not reaped yet, so the number is still this child's
            os.waitpid(child, 0)
    return answers


def heard(reader, most, seconds):
    """Returns the answers that come, and for whoever has none what became of it."""
    answers, text, last = [], b"", time.monotonic()
    while len(answers) < most:
        came = wait_for(reader, seconds)
        more = os.read(reader, 1 << 16) if came else b""
        now = time.monotonic()
        if not more:
            why = "its process died" if came else f"gave no answer in {seconds:g} s"
            return [*answers, (why, now - last)]
        *lines, text = (text + more).split(b"\n")
        for line in lines:
            if line == CANNOT_GO_ON:
                return answers
            answers.append((json.loads(line), now - last))
            last = now
    return answers


def wait_for(reader, seconds):
    """Says whether there is something to read within so many seconds of this process's time: those
    in which all of it is frozen, while others are timed, are not its own."""
    left = seconds
    while left > 0:
        began = time.monotonic()
        if select.select([reader], [], [], min(SLICE, left))[0]:
            return True
        left -= min(time.monotonic() - began, 2 * SLICE)
    return False


def answer(candidates, sources, made, mode, device, writer):
    """Writes a line for each pass, which gets a model and inputs of its own on the device."""
    unchanged = None
    for candidate in candidates:
        try:
            if unchanged is None:
                model, inputs = made or build(sources, mode)
                unchanged = model.to(device), on_device(inputs, device)
            own = copy_or_build(unchanged[0], sources, mode, device), on_device(unchanged[1], device)
            reason = question(candidate, *own, mode)
        except BaseException as problem:
            reason = f"raised {type(problem).__name__}: {problem}"
        own = None
        line = json.dumps(reason.strip().split("\n")[0][:500]) + "\n"
        if device == "cuda" and is_broken_gpu():
            os.write(writer, line.encode() + CANNOT_GO_ON + b"\n")
            return
        os.write(writer, line.encode())


def on_device(inputs, device):
    """Returns a copy of the inputs there."""
    return tree_map_only(torch.Tensor, lambda x: x.to(device, copy=True), inputs)


def copy_or_build(model, sources, mode, device):
    """Returns another model like this one. What a task keeps beside its weights may be such that it
    cannot be copied, or would still be about the first one."""
    try:
        if not keeps_closures(model):
            return copy.deepcopy(model)
    except Exception:
        pass
    return build_model(sources, load("task", sources.task), mode).to(device)


def keeps_closures(model):
    """Says whether modules have functions of their own as attributes, which a copy would share."""
    values = [x for module in model.modules() for x in vars(module).values()]
    return any(isinstance(x, types.FunctionType) and x.__closure__ for x in tree_leaves(values))


def is_broken_gpu():
    """Says whether this process has lost its context; if not, gives back what memory is free."""
    try:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
    except Exception:
        return True
    return False


def question(candidate, model, inputs, mode):
    module = load(candidate.name + "_pass", candidate.source)
    Unchanged.model, Unchanged.inputs = model, inputs
    with torch.no_grad():
        reason = module.applies(model, inputs, mode)
    return reason if isinstance(reason, str) else f"applies() returned {reason!r}, not a reason"


class Unchanged:
    """The model that a pass was given, and its inputs, until it has asked for the first time what
    they run; and the answer, which is the same for all of a process."""

    model = None
    inputs = None
    called = None


# -- questions that passes may ask in `applies` ----------------------------------------------------


def operators(model, inputs):
    """Returns the names of the tensor operations that one call of `model` runs: {"addmm", "relu"}.

    Reading values into Python shows as "_local_scalar_dense", or by the function that does it:
    "tolist", "__array__", "data_ptr". "index" by a mask is "index by a mask".
    """
    return {name for name, _ in calls(model, inputs)}


def products(model, inputs):
    """Returns how many matrix products and convolutions one call of `model` runs that differ in
    their operands' shapes: each is one for a compiler to tune."""
    return sum(name in PRODUCTS for name, _ in calls(model, inputs))


def multiplies(model, inputs):
    """Says whether `model` runs matrix products or convolutions."""
    return products(model, inputs) > 0


def calls(model, inputs):
    """Returns the operators that one call of `model` runs, each with its operands' shapes."""
    unchanged = model is Unchanged.model and inputs is Unchanged.inputs
    Unchanged.model = None  # a pass may change what it was given
    if unchanged and Unchanged.called is not None:
        return Unchanged.called
    seen = set()
    checks = []  # functions of CHECKED that run now

    class Dispatched(TorchDispatchMode):
        def __torch_dispatch__(self, function, kinds, args=(), kwargs=None):
            kwargs = kwargs or {}
            with self:  # in inference mode operators come before they are taken apart
                result = function.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
            name = function.overloadpacket.__name__
            if name == "index" and any(is_mask(x) for x in args[1]):
                name = MASKED
            if not (checks and name == "equal"):
                seen.add((name, tuple(tuple(x.shape) for x in args if torch.is_tensor(x))))
            return function(*args, **kwargs)

    class Called(TorchFunctionMode):
        def __torch_function__(self, function, kinds, args=(), kwargs=None):
            kwargs = kwargs or {}
            name = getattr(function, "__name__", "")
            if reads(name, args, kwargs):
                seen.add((name, ()))
            if name not in CHECKED:
                return function(*args, **kwargs)
            checks.append(name)
            try:
                return function(*args, **kwargs)
            finally:
                checks.pop()

    with Called(), Dispatched():
        model(*inputs)
    if unchanged:
        Unchanged.called = frozenset(seen)
    return seen


def is_mask(index):
    return torch.is_tensor(index) and index.dtype in (torch.bool, torch.uint8)


def reads(name, args, options):
    """Says whether a function reads a tensor's values where no operator shows it."""
    if name == "tensor_split":
        return any(torch.is_tensor(x) for x in (*args[1:], *options.values()))
    if name in MAKERS:
        given = [x for x in (*args, *options.values()) if isinstance(x, (list, tuple))]
        return any(torch.is_tensor(x) for x in tree_leaves(given))
    if name in ADDRESSES:
        return torch.is_tensor(args[0]) and args[0].is_cpu
    return name in READS


def on_gpu(inputs):
    """Says whether the model runs on a GPU: whether its first tensor is there."""
    tensors = [x for x in tree_leaves(inputs) if isinstance(x, torch.Tensor)]
    return bool(tensors) and tensors[0].is_cuda


def compiler_missing():
    """Returns why Inductor cannot compile, or ""."""
    compiler = os.environ.get("CXX", "g++")
    return "" if shutil.which(compiler) else f"no C++ compiler ({compiler})"


def data_dependence(called):
    """Returns why a call that runs these operators may take another way for other data, or ""."""
    found = sorted(x for x in called if depends_on_data(x))
    return f"control flow or shapes depend on data ({', '.join(found)})" if found else ""


def depends_on_data(name):
    if name == "index":
        return False
    packet = getattr(torch.ops.aten, name, None)
    overloads = packet.overloads() if isinstance(packet, torch._ops.OpOverloadPacket) else []
    tagged = any(DATA_TAGS & set(getattr(packet, x).tags) for x in overloads)
    return tagged or name in UNTAGGED | READS | ADDRESSES | MAKERS | {"tensor_split"}


def moved(inputs):
    """Returns the same values elsewhere in the tensors: still valid, but other outputs come of
    them, and other branches."""
    return [x.flatten().flip(0).view(x.shape) if torch.is_tensor(x) else x for x in inputs]


def half_precision_fails(outputs, expected):
    """Returns why outputs in float16 are not those in float32, rounded, or ""."""
    for got, wanted in zip(floats(outputs), floats(expected)):
        if not got.isfinite().all():
            return "outputs leave the range of float16"
        if not (got - wanted).norm() <= FAR * wanted.norm():
            return "outputs are far from float32's: something within leaves the range of float16"
    return ""


def floats(outputs):
    tensors = [x for x in tree_leaves(outputs) if isinstance(x, torch.Tensor)]
    return [x.float() for x in tensors if x.is_floating_point()]


def outputs_differ(got, expected):
    """Says whether outputs differ by more than another order of float32 operations explains."""
    try:
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4, equal_nan=True)
    except AssertionError:
        return True
    return type(got) is not type(expected)


# -- writing -------------------------------------------------------------------------------------


def write(sources, chain, mode):
    """Returns the text of a candidate that applies the passes of `chain` in order."""
    if sources.candidate:
        base = "ModelGiven"
        task = renamed(sources.candidate, "ModelNew", base)
    else:
        base = "Model"
        task = strip_inputs(sources.task)
    imports, definitions = collect(task, chain)
    precision = max((x.precision for x in chain), key=PRECISIONS.index)
    header = [f"# ModelNew is {base} after these passes, in this order:"]
    header += [f"#   {x.name}: {x.summary}" for x in chain]
    header += [f"# Made for {mode} mode; precision class {precision}."]
    marker = "# -- passes ----------------------------------------------------------------"
    parts = [marker + "\n\n" + "\n".join(imports)] if imports else [marker]
    parts = ["\n".join(header) + "\n\n" + task.strip(), *parts, *definitions]
    source = "\n\n\n".join(parts + [model_new(chain, mode, base)]) + "\n"
    try:
        compile(source, "candidate.py", "exec")
    except SyntaxError as problem:
        raise Refused(f"the file it gives does not parse: {problem}") from None
    return source


def model_new(chain, mode, base):
    steps = "\n".join(f"        model = apply_{x.name}(model)" for x in chain)
    prepare = "" if mode == "train" else ".eval()"
    return f'''class ModelNew(torch.nn.Module):
    def __init__(self, *args, **kwargs):
        super().__init__()
        model = {base}(*args, **kwargs){prepare}
{steps}
        self.model = model

    def forward(self, *inputs):
        return self.model(*inputs)'''


def renamed(source, name, new):
    """Gives a name in a program another one, wherever it stands outside of texts and comments."""
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    if any(x.string == new for x in tokens):
        raise Refused(f"the candidate has a {new} of its own")
    lines = source.split("\n")
    for x in reversed(tokens):
        if x.type == tokenize.NAME and x.string == name:
            row, column = x.start[0] - 1, x.start[1]
            lines[row] = lines[row][:column] + new + lines[row][column + len(name) :]
    return "\n".join(lines)


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
