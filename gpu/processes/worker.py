"""The worker: runs a task's reference or one candidate, inside its sandbox, as `lathe` asks.

One request, one reply, over the socket at descriptor 3; docs/evaluation_protocol.md says which, and
what the native code of timed calls asks in between.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import mmap
import os
import platform
import socket
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import lathe_native
import torch

import devices
import extensions
import failures
import integrity
import triton_tuning
import values
from compiled import Compiled
from devices import DEVICES, copy_of
from failures import BadRequest, Failure, describe
from inputs import Inputs, differ, laid_out

MESSAGE_SIZE = 128 * 1024
TRACE_PATIENCE = 5_000_000  # [ns] for device work that comes after a call
# Done without a context on the device.
HOST_WORK = ("unpack", "extensions", "build", "load", "pack", "recipes")
Reply = dict[str, Any]


def main(fd: int, threads: int, device: str) -> int:
    """Serves requests until the other side is gone."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch.set_num_threads(threads)
    # The ones that were inherited believe that they write to the warm process's log.
    sys.stdout = sys.__stdout__ = open(1, "w", buffering=1, errors="replace", closefd=False)
    sys.stderr = sys.__stderr__ = open(2, "w", buffering=1, errors="replace", closefd=False)
    leave_out_logs()
    lathe_native.take_key(fd)
    if device == "cuda":
        lathe_native.load_driver()  # before foreign code could bring one of its own
    worker = Worker(device)
    with socket.socket(fileno=fd) as channel:
        while True:
            message, fds, _, _ = socket.recv_fds(channel, MESSAGE_SIZE, 8)
            if not message:
                return 0
            request = json.loads(message)
            lathe_native.begin_request(request["id"])
            reply, made = worker.serve(request, fds)
            answer = lathe_native.sealed(json.dumps({"id": request["id"], **reply}).encode())
            socket.send_fds(channel, [answer], made)
            for done in [*fds, *made]:
                os.close(done)


def leave_out_logs() -> None:
    """Leaves out what would stand after a compiler's errors and has nothing to do with them: builds
    have no GPU."""
    logger = logging.getLogger("torch.utils.cpp_extension")
    logger.addFilter(lambda x: "No CUDA runtime" not in x.getMessage())


class Worker:
    """One task's reference, or one candidate."""

    __slots__ = ("device_name", "device", "module", "source", "shown", "class_name", "evaluate",
                 "arguments", "seed", "model", "exact_model", "timed", "baselines", "inputs",
                 "answered", "kept", "made", "called", "compiled", "traced", "wanted")

    def __init__(self, device: str) -> None:
        self.device_name = device
        self.device = DEVICES["cpu"]()
        self.module: ModuleType | None = None
        self.source = ""  # where the code lies in the sandbox
        self.shown = ""  # how messages call it
        self.class_name = ""
        self.evaluate = True
        self.arguments: list[Any] = []
        self.seed = 0
        self.model: Any = None
        self.exact_model: Any = None  # the same in float64, made when first asked for
        self.timed: Any = None  # what `time` calls: the model, or a baseline made of it
        self.baselines: dict[str, Any] = {}  # that were made so far
        self.inputs = Inputs()
        self.answered: Any = None  # the output that a float64 run is to be compared with
        self.kept: dict[int, Any] = {}  # outputs of timed calls
        self.made: list[int] = []  # descriptors that go out with the reply
        self.called = False
        self.compiled = Compiled()
        self.wanted: list[dict[str, Any]] = []  # extensions, of the builder
        self.traced: dict[str, Any] = {}  # what the device did for a call

    def serve(self, request: dict[str, Any], fds: list[int]) -> tuple[Reply, list[int]]:
        """Returns the reply and the descriptors that go with it."""
        self.made = []
        try:
            operation = OPERATIONS.get(request["op"])
            if operation is None:
                raise BadRequest(f"unknown request '{request['op']}'")
            if self.device.name != self.device_name and request["op"] not in HOST_WORK:
                self.device = self.find_device()
            return {"ok": True, **operation(self, request, fds)}, self.made
        except BaseException as error:  # SystemExit in foreign code is a failure like any other
            return {"ok": False, **describe(error, self.source, self.shown)}, []

    def find_device(self) -> Any:
        """Makes a context on the device, which no foreign code has a part in."""
        try:
            return DEVICES[self.device_name]()
        except RuntimeError as error:
            raise Failure("out_of_memory", f"there is no room on the device: {error}") from None

    # -- code ---------------------------------------------------------------------------

    def load(self, request: dict[str, Any], fds: list[int]) -> Reply:
        self.class_name = request["class"]
        self.evaluate = request["mode"] == "eval"
        self.shown = request["path"]
        name = "task" if self.class_name == "Model" else "candidate"
        self.source = os.path.join(os.environ["TMPDIR"], name + ".py")
        with open(self.source, "wb") as file:
            file.write(read_bytes(fds[0]))
        integrity.seal(self.source, enforce=name == "candidate")
        try:
            self.module = lathe_native.foreign_call(import_file, (name, self.source))
        except BaseException as error:
            raise Failure("build_failed", "it does not import") from error
        triton_tuning.speed_up()
        if "otherwise" in request and not hasattr(self.module, self.class_name):
            self.class_name = request["otherwise"]
        self.find(self.class_name)
        if name == "task":
            self.find("get_inputs")
        return {}

    def find(self, name: str) -> Any:
        found = getattr(self.module, name, None)
        if found is None:
            kind = "function" if name.startswith("get_") else "class"
            raise Failure("build_failed", f"{self.shown} defines no {kind} {name}")
        if not callable(found):
            raise Failure("build_failed", f"{name} in {self.shown} cannot be called")
        return found

    # -- the task's data ----------------------------------------------------------------

    def draw(self, request: dict[str, Any], fds: list[int]) -> Reply:
        """Draws on the device if asked to, where the inputs' own code allows: gigabytes of random
        numbers take a processor seconds. Keeps them, too, under the name that is given. With a key
        the file is locked."""
        if request.get("on_device", False):
            try:
                with self.device.as_default():
                    inputs = self.drawn(request["seed"])
                return {"on_device": True, **self.hand_out(inputs, request)}
            except Exception:  # it wants tensors on the host; whatever else is wrong shows again
                pass
        inputs = self.drawn(request["seed"])
        return {"on_device": False, **self.hand_out(inputs, request)}

    def hand_out(self, inputs: list[Any], request: dict[str, Any]) -> Reply:
        if "name" in request:
            self.inputs.copy(request["name"], inputs, self.device.place)
        if "key" in request:
            inputs = values.locked(inputs, request["key"])
        return self.give(inputs)  # last: a reply takes one file along

    def drawn(self, seed: int) -> list[Any]:
        torch.manual_seed(seed)
        return self.listed("get_inputs")

    def trial_seeds(self, request: dict[str, Any], fds: list[int]) -> Reply:
        torch.manual_seed(request["seed"])
        draw = lambda: torch.randint(0, 2**32 - 1, (1,)).item()
        return {"seeds": [draw() for _ in range(request["count"])]}

    def give_arguments(self, request: dict[str, Any], fds: list[int]) -> Reply:
        torch.manual_seed(request["seed"])
        known = hasattr(self.module, "get_init_inputs")
        return self.give(self.listed("get_init_inputs") if known else [])

    def listed(self, name: str) -> list[Any]:
        result = self.find(name)()
        if not isinstance(result, (list, tuple)):
            raise Failure("build_failed", f"{name}() in {self.shown} gives a "
                          f"{type(result).__name__}, not a list")
        return list(result)

    def give(self, value: Any, file: int | None = None) -> Reply:
        """Writes `value` to `file`, or to a new one that goes out with the reply."""
        if file is not None:
            return {"bytes": values.write(file, value)}
        fd, size = values.make_file(value)
        self.made.append(fd)
        return {"bytes": size}

    def keep_inputs(self, request: dict[str, Any], fds: list[int]) -> Reply:
        self.inputs.read(request["name"], fds[0], self.device.place, request.get("key", ""))
        return {}

    def trim(self, request: dict[str, Any], fds: list[int]) -> Reply:
        """Gives back what is not needed any more: memory of the device is everybody's. Returns what
        it has left."""
        self.inputs.forget_all_but(request["inputs"])
        self.answered = self.exact_model = None
        lathe_native.forget_files()
        self.device.trim()
        return self.device.memory()

    def memory(self, request: dict[str, Any], fds: list[int]) -> Reply:
        if request.get("trim", False):
            self.device.trim()
        return self.device.memory()

    def reserve(self, request: dict[str, Any], fds: list[int]) -> Reply:
        self.kept.clear()  # a reference's, of the last race
        self.inputs.reserve(request["inputs"], request["names"])
        return {}

    # -- the model ----------------------------------------------------------------------

    def construct(self, request: dict[str, Any], fds: list[int]) -> Reply:
        # The last one's memory first, and its inputs'.
        self.model = self.exact_model = self.timed = self.answered = None
        self.baselines.clear()
        self.inputs.forget_all_but([])
        self.arguments = values.read(fds[0], self.device.place)
        self.seed = request["seed"]
        self.model = self.timed = lathe_native.foreign_call(self.build, ())
        parameters = lathe_native.foreign_call(count_parameters, (self.model,))
        integrity.settle()
        self.called = False
        return {"parameters": parameters}

    def build(self) -> Any:
        create = self.find(self.class_name)
        torch.manual_seed(self.seed)
        model = create(*copy_of(self.arguments))
        if isinstance(model, torch.nn.Module):
            model.train(not self.evaluate)
        model = self.device.adopt(model)
        self.device.settle()
        return model

    def constructed(self) -> Any:
        if self.model is None:
            raise BadRequest("nothing was constructed yet")
        return self.model

    def run(self, request: dict[str, Any], fds: list[int]) -> Reply:
        model = self.constructed()
        pristine = self.inputs[request["inputs"]]
        if "seed" in request:
            torch.manual_seed(request["seed"])
        arguments = copy_of(pristine)
        room = os.fstat(fds[0]).st_size if fds else 0
        with torch.no_grad():
            output = self.device.call_poisoned(model, arguments, room)
        if not self.called:  # the first call may still compile and tune
            integrity.settle()
        self.called = True
        integrity.look_at_flags()
        changed = differ(pristine, arguments)
        if request.get("remember", False):
            self.answered = output
        return {"inputs_changed": changed, **self.give(output, fds[0] if fds else None)}

    def correct(self, request: dict[str, Any], fds: list[int]) -> Reply:
        with torch.no_grad(), self.device.unmeasured():
            return self.give(self.correction(self.inputs[request["inputs"]]))

    def correction(self, pristine: Any) -> Any:
        """Returns what a float64 run adds to the output that was remembered. The difference of the
        two is small, and bfloat16 enough for it."""
        answered, self.answered = self.answered, None
        if answered is None:
            raise BadRequest("no output was remembered")
        exact = self.call_exact(values.widened(pristine))
        return values.difference(exact, answered)

    def call_exact(self, arguments: list[Any]) -> Any:
        """Calls a float64 twin of the model; new tensors made in the call are float64, too."""
        if self.exact_model is None:
            self.exact_model = self.build().double()
        torch.set_default_dtype(torch.float64)
        try:
            return self.exact_model(*arguments)
        finally:
            torch.set_default_dtype(torch.float32)

    # -- speed --------------------------------------------------------------------------

    def time(self, request: dict[str, Any], fds: list[int]) -> Reply:
        self.constructed()
        sequence = [self.inputs[name] for name in request["sequence"]]
        shifted = self.device.shift()  # other addresses than in the last block, the same within one
        calls = laid_out(sequence)
        lathe_native.enter_phase("timed")
        with torch.no_grad():
            nanoseconds, after, changed = lathe_native.timed_calls(
                self.timed, calls, request.get("flush", 0), self.device.name == "cuda",
                request.get("guided", False))
        lathe_native.enter_phase("check")
        integrity.look_at_flags()
        del shifted
        return {"ns": nanoseconds, "after_ns": after, "inputs_changed": changed,
                "kept": lathe_native.captured_call(), "compiled": lathe_native.compiled()}

    def keep(self, request: dict[str, Any], fds: list[int]) -> Reply:
        self.kept[request["slot"]] = lathe_native.captured()
        return {}

    def fetch(self, request: dict[str, Any], fds: list[int]) -> Reply:
        lathe_native.look_at_kernels()
        output = self.kept.pop(request["slot"])
        lathe_native.open_kept(output)
        return self.give(output, fds[0])

    def baseline(self, request: dict[str, Any], fds: list[int]) -> Reply:
        model = self.constructed()
        name, _, mode = request["name"].partition(":")
        if name not in ("eager", "compile"):
            raise BadRequest(f"there is no baseline '{request['name']}'")
        if request["name"] not in self.baselines:
            made = model if name == "eager" else torch.compile(model, mode=mode or "default")
            self.baselines[request["name"]] = made
        self.timed = self.baselines[request["name"]]
        if "inputs" in request:  # compiles now, not in the first timed call
            with torch.no_grad():
                for _ in range(3):  # graphs are captured in the second call
                    self.timed(*copy_of(self.inputs[request["inputs"]]))
            self.device.settle()
        return {}

    def record(self, inputs: str, events: int) -> None:
        model = self.constructed()
        arguments = copy_of(self.inputs[inputs])
        with torch.no_grad():
            self.traced = lathe_native.traced_call(model, tuple(arguments), TRACE_PATIENCE, events)

    def trace(self, request: dict[str, Any], fds: list[int]) -> Reply:
        self.record(request["inputs"], request.get("events", 0))
        attached = request.get("detach", False) and not detached()
        told = ("kernels", "busy_ns", "late_ns", "own_ns", "library_ns", "framework_ns", "graphs")
        return {"attached": attached, **{name: self.traced[name] for name in told}}

    def perturb(self, request: dict[str, Any], fds: list[int]) -> Reply:
        model = self.constructed()
        changed = lathe_native.foreign_call(change_weights, (model,))
        if changed == 0:
            return {"changed": 0}
        arguments = copy_of(self.inputs[request["inputs"]])
        with torch.no_grad():
            output = self.device.call_poisoned(model, arguments, os.fstat(fds[0]).st_size)
        integrity.look_at_flags()
        return {"changed": changed, **self.give(output, fds[0])}

    # -- the roofline -------------------------------------------------------------------

    def count(self, request: dict[str, Any], fds: list[int]) -> Reply:
        import roofline  # brings more of torch along than other requests need

        with self.device.unmeasured():
            return roofline.count(self.constructed(), copy_of(self.inputs[request["inputs"]]))

    def needs(self, request: dict[str, Any], fds: list[int]) -> Reply:
        import roofline

        model = self.constructed()

        def run(inputs: Any) -> Any:
            torch.manual_seed(self.seed)
            return model(*copy_of(inputs))

        def run_exact(inputs: Any) -> Any:
            torch.manual_seed(self.seed)
            return self.call_exact(values.widened(inputs))

        with torch.no_grad(), self.device.unmeasured():
            first = copy_of(self.inputs[request["inputs"]])
            return roofline.needs(model, run, run_exact, first, self.inputs[request["others"]])

    def peaks(self, request: dict[str, Any], fds: list[int]) -> Reply:
        import roofline

        place = "cuda" if self.device.name == "cuda" else "cpu"
        return roofline.peaks(place, self.device.settle, request["cache"],
                              self.device.facts().get("memory", 0))

    def profile(self, request: dict[str, Any], fds: list[int]) -> Reply:
        import call_profile  # for few

        if self.device.name == "cuda":
            if not self.traced.get("events"):  # not every judge has traces made
                self.record(request["inputs"], call_profile.MOST_EVENTS)
            profile = call_profile.of_device(self.traced)
        else:
            pristine = self.inputs[request["inputs"]]
            profile = call_profile.of_host(self.constructed(), lambda: copy_of(pristine))
        return self.hand_over(profile)

    def code(self, request: dict[str, Any], fds: list[int]) -> Reply:
        import call_profile

        return self.hand_over(call_profile.code_of(self.traced.get("events", [])))

    def hand_over(self, document: Any) -> Reply:
        content = json.dumps(document).encode()
        self.made.append(values.sealed_file(content))
        return {"bytes": len(content)}

    def recipes(self, request: dict[str, Any], fds: list[int]) -> Reply:
        import recipes  # brings more of torch along than other roles need

        self.source, self.shown = "task.py", request.get("path", "task.py")
        task = read_bytes(fds[0]).decode()
        passes = json.loads(read_bytes(fds[1]))
        if request["tried"]:
            made = recipes.go_on(task, passes, request["passes"], request["tried"],
                                 request["mode"], request["drafts"])
        else:
            made = recipes.compose(task, passes, request["passes"], request["mode"],
                                   request["tolerance"], self.device_name, request["drafts"],
                                   around=request["around"])
        return self.hand_over(made)

    def unpack(self, request: dict[str, Any], fds: list[int]) -> Reply:
        self.compiled.unpack(read_bytes(fds[0]))
        return {}

    def pack(self, request: dict[str, Any], fds: list[int]) -> Reply:
        archive = self.compiled.pack(request["most"])
        if archive:
            self.made.append(values.sealed_file(archive))
        return {"bytes": len(archive)}

    def find_extensions(self, request: dict[str, Any], fds: list[int]) -> Reply:
        self.wanted = extensions.asked_for(read_bytes(fds[0]).decode(errors="replace"))
        return {"key": extensions.key_of(self.wanted), "like": extensions.key_of_like(self.wanted)}

    def build_extensions(self, request: dict[str, Any], fds: list[int]) -> Reply:
        self.compiled = Compiled()  # what came from others goes on with it
        built, more = extensions.build(self.wanted)
        return {"built": built, "more": more}

    def wait_until_quiet(self, request: dict[str, Any], fds: list[int]) -> Reply:
        return {"quiet": self.device.is_quiet(request["patience_ns"])}

    def describe(self, request: dict[str, Any], fds: list[int]) -> Reply:
        return {"python": platform.python_version(), "torch": torch.__version__,
                "cpu": cpu_name(), **self.device.facts()}


OPERATIONS: dict[str, Callable[[Worker, dict[str, Any], list[int]], Reply]] = {
    "load": Worker.load,
    "draw": Worker.draw,
    "seeds": Worker.trial_seeds,
    "arguments": Worker.give_arguments,
    "construct": Worker.construct,
    "inputs": Worker.keep_inputs,
    "reserve": Worker.reserve,
    "trim": Worker.trim,
    "memory": Worker.memory,
    "run": Worker.run,
    "correct": Worker.correct,
    "time": Worker.time,
    "keep": Worker.keep,
    "fetch": Worker.fetch,
    "baseline": Worker.baseline,
    "trace": Worker.trace,
    "perturb": Worker.perturb,
    "count": Worker.count,
    "needs": Worker.needs,
    "peaks": Worker.peaks,
    "profile": Worker.profile,
    "code": Worker.code,
    "recipes": Worker.recipes,
    "extensions": Worker.find_extensions,
    "build": Worker.build_extensions,
    "unpack": Worker.unpack,
    "pack": Worker.pack,
    "describe": Worker.describe,
    "quiet": Worker.wait_until_quiet,
}


def detached() -> bool:
    try:
        lathe_native.detach_traces()
    except RuntimeError:
        return False
    return True


def read_bytes(fd: int) -> bytes:
    size = os.fstat(fd).st_size
    if size == 0:
        return b""
    with mmap.mmap(fd, size, access=mmap.ACCESS_READ) as memory:
        return bytes(memory)


def import_file(name: str, path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # inspect, pickle and Triton look it up
    spec.loader.exec_module(module)
    return module


def count_parameters(model: Any) -> int:
    if not isinstance(model, torch.nn.Module):
        return 0
    return sum(parameter.numel() for parameter in model.parameters())


def change_weights(model: Any) -> int:
    """Changes every parameter and every floating buffer in place, each element by another factor:
    norms and averages would hide a common one. Returns how many there are."""
    if not isinstance(model, torch.nn.Module):
        return 0
    weights = [x for x in (*model.parameters(), *model.buffers()) if x.is_floating_point()]
    with torch.no_grad():
        for weight in weights:
            weight.mul_(torch.rand_like(weight).add_(0.75)).add_(0.05)  # variances stay positive
    return len(weights)


def cpu_name() -> str:
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
