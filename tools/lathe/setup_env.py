"""Builds the native part of the evaluation processes for the Python that runs this file.

`lathe setup-env PYTHON` runs it: the module `lathe_native` is made for that Python and
`lathe-verifier` for its torch. Calls g++ directly, because a GPU host has a compiler and often
nothing else.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import glob
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterable

# What is built, relative to the sources: a file that matches belongs to it, no list to keep.
NATIVE = "gpu/processes/native*.cpp"
INTEGRITY = "gpu/processes/integrity*.cpp"
# By the native module and `lathe`.
SHARED = ("gpu/processes/call_guidance.cpp", "gpu/processes/input_lock.cpp",
          "gpu/processes/reply_seal.cpp")
VERIFIER = "gpu/verifier/*.cpp"
NOT_VERIFIER = {"verifier_pool.cpp"}  # the other end of its socket
SCRIPTS = "gpu/processes/*.py"
TOOLCHAIN = "gpu/processes/toolchain"
HEADERS = ("gpu/processes/native*.hpp", "gpu/processes/integrity*.hpp",
           *(path.replace(".cpp", ".hpp") for path in SHARED), "gpu/processes/hex_words.hpp",
           "gpu/verifier/*.hpp", "messages/enum_names.hpp")
SHARED_LIBRARIES = "lib/libsimdjson.so.*"  # that the verifier needs, in a bundle

CUDA_HEADERS = ("cuda.h", "cupti.h", "crt/host_defines.h")  # the last: pip may leave it out
OLDEST_COMPILER = 12
ENVIRONMENT_LACKS = 3


class Lacking(Exception):
    """Something is missing on this machine. One sentence."""


@dataclass
class Product:
    """A file to link from sources."""

    name: str
    path: Path
    sources: list[Path]
    compile: list[str]
    link: list[str]
    objects: list[Path] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", type=Path, required=True, help="root of Lathe's sources")
    parser.add_argument("--into", type=Path, required=True, help="where environments are kept")
    parser.add_argument("--link", required=True, help="name there of the one to use")
    arguments = parser.parse_args()
    try:
        set_up(arguments.source, arguments.into, arguments.link)
    except Lacking as lacking:
        sys.exit(fail(str(lacking)))
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(fail(f"{error.filename or arguments.into}: {error.strerror}"))


def fail(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return ENVIRONMENT_LACKS


def set_up(source: Path, into: Path, link: str) -> None:
    start = time.monotonic()
    torch_version, torch = find_torch()
    python = ".".join(str(part) for part in sys.version_info[:3])
    say("Python and torch", f"{python}, {torch_version}")
    place = into / f"env-{fingerprint(source, torch_version, torch)}"
    if (place / "python").exists():
        say("native part", "already there")
    else:
        build(source, place, torch)
    choose(place, into / link)
    print(f"{place}: ready for {sys.executable} after {time.monotonic() - start:.1f} s", flush=True)


def say(what: str, outcome: str) -> None:
    print(f"{what} ".ljust(32, ".") + f" {outcome}", flush=True)


# -- what is there -----------------------------------------------------------------------


def find_torch() -> tuple[str, Path]:
    """Returns the version and the folder of torch, without the seconds that importing it takes."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        raise Lacking(f"{sys.executable} has no torch: name a Python that can import it")
    folder = Path(spec.origin).parent
    version: dict[str, object] = {}
    try:
        exec((folder / "version.py").read_text(), version)  # torch/__init__.py does the same
    except OSError:
        raise Lacking(f"the torch in {folder} is incomplete: install it again") from None
    if not (folder / "include/ATen/ATen.h").exists():
        raise Lacking(f"the torch in {folder} has no C++ headers: install the official wheel")
    return str(version["__version__"]), folder


def find_compiler() -> str:
    """Returns a C++20 compiler: $CXX, or the g++ on the path."""
    compiler = shutil.which(os.environ.get("CXX") or "g++")
    if compiler is None:
        raise Lacking(f"there is no C++ compiler: install g++ {OLDEST_COMPILER} or newer, "
                      "or set CXX")
    asked = subprocess.run([compiler, "-dumpfullversion"], capture_output=True, text=True)
    version = asked.stdout.strip()  # clang does not know this switch
    if asked.returncode == 0 and int(version.partition(".")[0]) < OLDEST_COMPILER:
        raise Lacking(f"{compiler} is version {version}: g++ {OLDEST_COMPILER} or newer is needed")
    return compiler


def find_python_headers() -> str:
    include = sysconfig.get_path("include")
    if not Path(include, "Python.h").exists():
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise Lacking(f"{include} has no Python.h: install the headers of Python {version}, on "
                      f"Debian and Ubuntu the package python{version}-dev")
    return include


def find_foreign_headers(source: Path) -> list[Path]:
    """Returns the folders of other projects' headers that are not in the compiler's own: a bundle
    brings them all, beside a checkout tools/setup has put CAF."""
    if (source / "include").is_dir():
        return [source / "include"]
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    cache = os.environ.get("LATHE_CACHE") or f"{caches}/lathe"
    return sorted(Path(cache).glob("caf-*.*.[0-9]/include"))


def find_cuda_headers(torch: Path) -> list[str]:
    """Returns the folders that hold CUDA_HEADERS, or nothing unless all are found: those that pip
    installed beside torch, which fit the libraries that torch loads, else those of the toolkit."""
    nvcc = shutil.which("nvcc")
    homes = [os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"),
             str(Path(nvcc).resolve().parent.parent) if nvcc else None, "/usr/local/cuda"]
    places = [sorted(glob.glob(f"{torch.parent}/nvidia/*/include"))]
    places += [[f"{home}/include", f"{home}/extras/CUPTI/include"] for home in homes if home]
    for folders in places:
        found = {header: next((folder for folder in folders if Path(folder, header).exists()), None)
                 for header in CUDA_HEADERS}
        if all(found.values()):
            return sorted({str(folder) for folder in found.values()})
    return []


# -- build -------------------------------------------------------------------------------


def sources_of(root: Path, pattern: str) -> list[Path]:
    return sorted(path for path in root.glob(pattern) if path.name not in NOT_VERIFIER)


def fingerprint(source: Path, torch_version: str, torch: Path) -> str:
    """Differs whenever what would be built may differ."""
    digest = hashlib.sha256()
    for part in (sys.executable, sys.version, torch_version, str(torch)):
        digest.update(part.encode() + b"\0")
    digest.update("\0".join(find_cuda_headers(torch)).encode())
    for pattern in (NATIVE, INTEGRITY, *SHARED, SCRIPTS, VERIFIER, *HEADERS, f"{TOOLCHAIN}/**/*"):
        for path in filter(Path.is_file, sources_of(source, pattern)):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()[:12]


def fits(source: Path, has_cuda: bool) -> bool:
    """Tells whether a source of the native module belongs to a build with or without CUDA."""
    if source.stem.endswith("_without_cuda"):
        return not has_cuda
    text = source.read_text()
    return has_cuda or not any(f"#include <{header}>" in text for header in CUDA_HEADERS)


def products(source: Path, place: Path, torch: Path) -> list[Product]:
    cuda = find_cuda_headers(torch)
    say("CUDA headers", ", ".join(cuda) if cuda else "none: candidates will run on the CPU only")
    native = [path for pattern in (NATIVE, INTEGRITY, *SHARED)
              for path in sources_of(source, pattern) if fits(path, bool(cuda))]
    flags = ["-std=c++20", "-O2", "-DNDEBUG", "-fPIC", f"-I{source}"]
    flags += [part for folder in find_foreign_headers(source) for part in ("-isystem", str(folder))]
    library_flags = [f"-L{source / 'lib'}"]
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    return [
        Product("native module", place / f"processes/lathe_native{suffix}", native,
                [*flags, "-fvisibility=hidden", "-isystem", find_python_headers(),
                 *(part for folder in cuda for part in ("-isystem", folder))],
                ["-shared", *library_flags, "-lseccomp", "-ldl", "-pthread"]),
        Product("verifier", place / "lathe-verifier", sources_of(source, VERIFIER),
                # torch last: it carries other libraries' headers in versions of its own.
                [*flags, "-DFMT_HEADER_ONLY", "-idirafter", str(torch / "include")],
                [*library_flags, "-lboost_json", "-lsimdjson", f"-L{torch / 'lib'}", "-ltorch_cpu",
                 "-lc10", f"-Wl,-rpath,$ORIGIN:{torch / 'lib'}", "-Wl,--allow-shlib-undefined", "-ldl",
                 "-pthread"]),
    ]


def build(source: Path, place: Path, torch: Path) -> None:
    """Makes `place` with all in it, or nothing."""
    compiler = find_compiler()
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{place.name}-", dir=place.parent) as work_name:
        work = Path(work_name)
        new = work / "env"
        (new / "processes").mkdir(parents=True)
        for script in source.glob(SCRIPTS):
            shutil.copy(script, new / "processes")
        shutil.copytree(source / TOOLCHAIN, new / "processes/toolchain", symlinks=True)
        for library in source.glob(SHARED_LIBRARIES):
            shutil.copy(library, new)
        all_products = products(source, new, torch)
        with concurrent.futures.ThreadPoolExecutor(1) as aside:
            aside.submit(precompile, new / "processes/toolchain", torch)
            compile_and_link(compiler, all_products, work)
        check(new)
        (new / "python").write_text(sys.executable + "\n")
        try:
            new.rename(place)
        except OSError:
            if not (place / "python").exists():  # else somebody else was faster
                raise


def precompile(toolchain: Path, torch: Path) -> None:
    """Compiles beforehand what the bindings of all extensions of torch include. Extensions do
    without when it fails: theirs is the compiler that workers find, which may be none."""
    script = toolchain / "precompile"
    if not script.exists():
        return
    start = time.monotonic()
    python = Path(sys.executable).parent
    ended = subprocess.run([script, torch / "include", find_python_headers()], capture_output=True,
                           env={"PATH": f"{python}:/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"})
    took = f"{time.monotonic() - start:.1f} s"
    say("bindings of extensions", took if ended.returncode == 0 else "not compiled beforehand")


def compile_and_link(compiler: str, all_products: Iterable[Product], work: Path) -> None:
    """Compiles all sources of all products side by side, and links each product when it can be."""
    start = time.monotonic()
    cores = len(os.sched_getaffinity(0))
    with concurrent.futures.ThreadPoolExecutor(cores) as pool:
        waiting = []
        for product in all_products:
            jobs = []
            for source in product.sources:
                compiled = work / f"{product.path.name}-{source.stem}.o"
                product.objects.append(compiled)
                jobs.append(pool.submit(run, [compiler, *product.compile, "-c", str(source), "-o",
                                              str(compiled)]))
            waiting.append((product, jobs))
        try:
            for product, jobs in waiting:
                for job in jobs:
                    job.result()
                objects = [str(path) for path in product.objects]
                run([compiler, "-o", str(product.path), *objects, *product.link])
                say(product.name, f"{time.monotonic() - start:.1f} s")
        except Lacking:
            pool.shutdown(cancel_futures=True)
            raise


def run(command: list[str]) -> None:
    ended = subprocess.run(command, capture_output=True, text=True,
                           env={**os.environ, "LC_ALL": "C"})
    if ended.returncode == 0:
        return
    lines = (ended.stderr or ended.stdout).strip().splitlines()
    telling = [line for line in lines if "error" in line or "undefined" in line or "cannot" in line]
    why = (telling or lines or [f"exit code {ended.returncode}"])[0]
    raise Lacking(f"{Path(command[0]).name} failed: {why}")


def check(place: Path) -> None:
    """Starts what was built, so that a library that is missing shows now."""
    module = subprocess.run([sys.executable, "-s", "-E", "-B", "-c", "import lathe_native"],
                            cwd=place / "processes", capture_output=True, text=True)
    if module.returncode != 0:
        raise Lacking(f"the native module does not load: {module.stderr.strip().splitlines()[-1]}")
    # It ends at once: nobody holds the other end of descriptor 3.
    verifier = subprocess.run([place / "lathe-verifier"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
    if verifier.returncode != 0:
        said = verifier.stderr.strip().splitlines() or [f"exit code {verifier.returncode}"]
        raise Lacking(f"the verifier does not start: {said[-1]}")


def choose(place: Path, link: Path) -> None:
    """Makes `place` the environment in use, in one step."""
    with tempfile.TemporaryDirectory(prefix=".link-", dir=link.parent) as work:
        new = Path(work) / "link"
        new.symlink_to(place.name)
        new.replace(link)


if __name__ == "__main__":
    main()
