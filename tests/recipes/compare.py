"""compare.py DEVICE FOLDER...: prints, as JSON, how far each draft in a folder is from its task.py.

Runs in an interpreter of its own that knows nothing of Lathe, as a user's would. The figure is the
worst error over two draws of weights and inputs, in units of the expected output's spread; a
sentence stands in its place where the two differ in kind.
"""

import importlib.util
import json
import pathlib
import sys

import torch


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def tensors(value):
    if isinstance(value, torch.Tensor):
        return [value]
    values = value.values() if isinstance(value, dict) else value
    return [x for y in values for x in tensors(y)]


def error(got, expected):
    if type(got) is not type(expected):
        return f"{type(got).__name__} instead of {type(expected).__name__}"
    worst = 0.0
    for a, b in zip(tensors(got), tensors(expected), strict=True):
        if type(a) is not torch.Tensor or a.is_inference() or a.layout is not torch.strided:
            return "not an ordinary tensor"
        if (a.dtype, a.shape, a.stride()) != (b.dtype, b.shape, b.stride()):
            return f"{a.dtype} {a.shape} {a.stride()} instead of {b.dtype} {b.shape} {b.stride()}"
        worst = max(worst, ((a - b).abs().max() / b.std()).item())
    return worst


def on_device(inputs):
    return [x.to(DEVICE) if torch.is_tensor(x) else x for x in inputs]


def differ(task, draft):
    worst = 0.0
    for seed in (1, 2):
        torch.manual_seed(seed)
        arguments = task.get_init_inputs()
        torch.manual_seed(seed)
        reference = task.Model(*arguments).eval().to(DEVICE)
        torch.manual_seed(seed)
        model = draft.ModelNew(*arguments).eval().to(DEVICE)
        first, second = (on_device(task.get_inputs()) for _ in range(2))
        early = model(*first)
        later = model(*second)
        for inputs, got in ((first, early), (second, later)):
            result = error(got, reference(*inputs))
            if isinstance(result, str):
                return result
            worst = max(worst, result)
    return worst


def compare(folder):
    task = load(folder / "task.py", f"{folder.name}_task")
    drafts = sorted(set(folder.glob("*.py")) - {folder / "task.py"})
    return {x.stem: differ(task, load(x, f"{folder.name}_{x.stem}")) for x in drafts}


DEVICE, *FOLDERS = sys.argv[1:]
torch.set_num_threads(1)
with torch.no_grad():
    print(json.dumps({x: compare(pathlib.Path(x)) for x in FOLDERS}))
