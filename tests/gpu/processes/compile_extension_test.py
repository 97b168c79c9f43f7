"""The compilers that torch builds extensions with: few headers first, all of them when that fails."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import unittest
from pathlib import Path

TOOLCHAIN = Path(__file__).resolve().parents[3] / "gpu/processes/toolchain"

# Says what it was called with, and fails as often as it is told to.
COMPILER = """#!/bin/sh
echo "$0 $*" >> "$CALLS"
nice > "$CALLS.nice"
if [ $(wc -l < "$CALLS") -le "$FAILURES" ]; then
  echo "$SAID number $(wc -l < "$CALLS")" >&2
  exit 1
fi
echo "warning: all of it compiles" >&2
"""
FACTORIES = """#include <ATen/core/Tensor.h>
#include <torch/csrc/api/include/torch/detail/TensorDataContainer.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
namespace torch {
inline at::Tensor tensor(detail::TensorDataContainer container) {
  return container.convert();
}
inline at::Tensor empty(at::IntArrayRef size) {
  return at::empty(size);
}
inline at::Tensor empty_symint(c10::SymIntArrayRef size) {
  return at::empty_symint(size);
}
inline at::Tensor zeros(at::IntArrayRef size) {
  return at::zeros(size);
}
} // namespace torch
"""
GENERATED = "torch/csrc/autograd/generated/variable_factories.h"
EXTENSION = ["-DTORCH_EXTENSION_NAME=kernels", "-isystem", "torch", "-c", "kernels.cu", "-o",
             "kernels.o"]
BINDINGS = """#include <torch/extension.h>
torch::Tensor twice(torch::Tensor x) { return torch::add(x, x) + torch::zeros_like(x); }
torch::Tensor weight() { return torch::ones({2}, torch::TensorOptions().requires_grad(true)); }
bool is_on_cpu(torch::Tensor x) { return at::device_of(x)->is_cpu(); }
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("is_on_cpu", is_on_cpu);
  m.def("twice", torch::wrap_pybind_function(twice));
  m.def("weight", torch::wrap_pybind_function(weight));
}
"""
CALLS = """import torch, twice
weight = twice.weight()
twice.twice(weight).sum().backward()
print(twice.twice(torch.ones(1)).item(), weight.requires_grad, weight.is_leaf, weight.grad.tolist())
"""


class Case(unittest.TestCase):
    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = Path(place.name)
        self.toolchain = self.folder / "toolchain"
        shutil.copytree(TOOLCHAIN, self.toolchain, symlinks=True,
                        ignore=shutil.ignore_patterns("*.gch"))

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


class CompileExtension(Case):
    def setUp(self) -> None:
        super().setUp()
        for name in ("nvcc", "g++"):
            self.write(f"bin/{name}", COMPILER).chmod(0o755)
        for name in ("empty", "exp", "relu", "std", "tensor", "zeros"):
            self.write(f"torch/ATen/ops/{name}.h", "")
        self.write(f"torch/{GENERATED}", FACTORIES)
        self.write("kernels.cu", "#include <torch/extension.h>\nauto y = torch::relu(x);\n")

    def compile(self, compiler: str, arguments: list[str], failures: int = 0, said: str = "error"
                ) -> tuple[subprocess.CompletedProcess[str], list[str]]:
        calls = self.folder / "calls"
        calls.unlink(missing_ok=True)
        environment = {"PATH": f"{self.folder}/bin:{os.environ['PATH']}", "CALLS": str(calls),
                       "FAILURES": str(failures), "SAID": said}
        ended = subprocess.run([self.toolchain / compiler, *arguments], env=environment,
                               cwd=self.folder, capture_output=True, text=True, check=False)
        return ended, calls.read_text().splitlines() if calls.exists() else []

    def declared(self, text: str) -> tuple[str, str]:
        """Returns the headers of operators and factories that a file with this text gets."""
        self.write("kernels.cu", text)
        self.compile("nvcc", EXTENSION)
        headers = self.folder / "kernels.o.headers"
        return (headers / "ATen/Functions.h").read_text(), (headers / GENERATED).read_text()

    def test_an_extension_is_compiled_with_few_headers(self) -> None:
        for compiler in ("nvcc", "g++"):
            with self.subTest(compiler=compiler):
                ended, calls = self.compile(compiler, EXTENSION)
                self.assertEqual(ended.returncode, 0)
                self.assertEqual(ended.stderr, "warning: all of it compiles\n")
                self.assertEqual(len(calls), 1)
                self.assertIn(f"/{compiler} ", calls[0])
                self.assertIn(" -DAT_PER_OPERATOR_HEADERS -Ikernels.o.headers ", calls[0])
                self.assertIn(f" -I{self.toolchain}/lean ", calls[0])
                self.assertTrue(calls[0].endswith(" ".join(EXTENSION)))

    def test_who_asks_once_more_for_what_failed_is_told_at_once(self) -> None:
        first, calls = self.compile("nvcc", EXTENSION, failures=2)
        self.assertEqual((first.returncode, len(calls)), (1, 2))
        again, calls = self.compile("nvcc", EXTENSION)
        self.assertEqual((again.returncode, again.stderr, calls), (1, first.stderr, []))
        other, calls = self.compile("nvcc", [*EXTENSION, "-O3"])
        self.assertEqual((other.returncode, len(calls)), (0, 1))
        self.write("kernels.cu", "int x;\n")
        other, calls = self.compile("nvcc", EXTENSION)
        self.assertEqual((other.returncode, len(calls)), (0, 1))

    def test_who_failed_for_want_of_room_or_a_file_is_compiled_once_more(self) -> None:
        for said in ("cc1plus: out of memory allocating 8 bytes", "Killed signal terminated program",
                     "fatal error: own.h: No such file or directory"):
            self.compile("nvcc", EXTENSION, failures=2, said=said)
            _, calls = self.compile("nvcc", EXTENSION)
            self.assertEqual(len(calls), 1)

    def test_what_it_writes_for_an_object_is_no_newer_than_the_source(self) -> None:
        # ninja builds again what was begun before any of its inputs were written (since 1.12).
        self.write("kernels.cu", "at::OptionalDeviceGuard guard(at::device_of(x));\n")
        os.utime(self.folder / "kernels.cu", (1e9, 1e9))
        self.compile("nvcc", EXTENSION)
        written = {str(path.relative_to(self.folder / "kernels.o.headers")): path.stat().st_mtime
                   for path in (self.folder / "kernels.o.headers").rglob("*.h")}
        self.assertEqual(written, dict.fromkeys(
            ("ATen/DeviceGuard.h", "ATen/Functions.h", GENERATED), 1e9))

    @unittest.skipIf(os.nice(0) >= 10, "everything here makes way")
    def test_compilers_make_way_for_everybody_else(self) -> None:
        for arguments in (EXTENSION, ["kernels.o", "-shared", "-o", "kernels.so"]):
            with self.subTest(arguments=arguments):
                self.compile("g++", arguments)
                nice = int((self.folder / "calls.nice").read_text())
                self.assertGreaterEqual(nice, 10)

    def test_operators_are_declared_whose_names_are_in_the_file(self) -> None:
        operators, _ = self.declared("auto y = torch::relu(x).exp();")
        self.assertIn("<ATen/ops/relu.h>", operators)
        self.assertIn("<ATen/ops/exp.h>", operators)
        self.assertNotIn("zeros", operators)

    def test_operators_that_need_all_headers_are_not_declared(self) -> None:
        operators, factories = self.declared("auto y = at::std(torch::tensor({1.0f}));")
        self.assertNotIn("std", operators)
        self.assertNotIn("tensor.h", operators)
        self.assertNotIn("tensor(", factories)
        self.assertNotIn("TensorDataContainer", factories)

    def test_factories_are_those_of_the_file_as_torch_has_them(self) -> None:
        _, factories = self.declared("auto y = torch::empty({2});")
        start, end = FACTORIES.index("inline at::Tensor empty("), FACTORIES.index("inline at::Tensor zeros")
        self.assertIn(FACTORIES[start:end], factories)
        self.assertNotIn("zeros", factories)
        _, factories = self.declared("auto y = torch::zeros({2});")
        self.assertIn("inline at::Tensor zeros(", factories)

    def test_guards_of_a_tensor_s_device_are_torch_s_own(self) -> None:
        guard = self.write("torch/ATen/DeviceGuard.h", "")
        lean = self.folder / "kernels.o.headers/ATen/DeviceGuard.h"
        self.declared("auto y = torch::relu(x);")
        self.assertFalse(lean.exists())
        self.declared("at::cuda::OptionalCUDAGuard guard(at::device_of(x));")
        self.assertIn(f'#include "{guard}"', lean.read_text())

    def test_kernels_with_complex_numbers_have_thrust(self) -> None:
        for text, has in (("c10::complex<float> x;", True), ("AT_DISPATCH_COMPLEX_TYPES", True),
                          ("float x;", False)):
            with self.subTest(text=text):
                self.write("kernels.cu", text)
                _, calls = self.compile("nvcc", EXTENSION)
                self.assertEqual("lean_without_complex" not in calls[0], has)

    def test_what_is_compiled_beforehand_is_for_bindings_that_begin_with_it(self) -> None:
        used = f" -include {self.toolchain}/bindings.h "
        _, calls = self.compile("g++", EXTENSION)
        self.assertNotIn(used, calls[0], "there is none")
        self.write("toolchain/bindings.h.gch", "")
        _, calls = self.compile("g++", EXTENSION)
        self.assertIn(used, calls[0])
        _, calls = self.compile("nvcc", EXTENSION)
        self.assertNotIn(used, calls[0])
        self.write("kernels.cu", "#define NDEBUG\n#include <torch/extension.h>\n")
        _, calls = self.compile("g++", EXTENSION)
        self.assertNotIn(used, calls[0])

    def test_what_fails_is_compiled_with_all_of_them_and_only_that_is_heard_of(self) -> None:
        ended, calls = self.compile("nvcc", EXTENSION, failures=1)
        self.assertEqual(ended.returncode, 0)
        self.assertEqual(ended.stderr, "warning: all of it compiles\n")
        self.assertEqual(len(calls), 2)
        self.assertEqual(calls[1].split("nvcc ", 1)[1], " ".join(EXTENSION))

    def test_what_cannot_be_compiled_fails_with_the_second_errors(self) -> None:
        ended, calls = self.compile("g++", EXTENSION, failures=2)
        self.assertEqual(ended.returncode, 1)
        self.assertEqual(ended.stderr, "error number 2\n")
        self.assertEqual(len(calls), 2)
        self.assertFalse((self.folder / "kernels.o.headers").exists())

    def test_where_nothing_can_be_written_all_headers_are_used(self) -> None:
        self.write("kernels.o.headers", "a file")
        ended, calls = self.compile("g++", EXTENSION)
        self.assertEqual(ended.returncode, 0)
        self.assertEqual([call.split("g++ ", 1)[1] for call in calls], [" ".join(EXTENSION)])

    def test_links_and_other_files_are_handed_through(self) -> None:
        for arguments in (["kernels.o", "-shared", "-o", "kernels.so"], ["-c", "other.cpp"], ["-v"],
                          ["-DTORCH_EXTENSION_NAME=kernels", "-c", "kernels.cu", "-o", "kernels.o"],
                          ["-isystem", "torch", "-c", "kernels.cu", "-o", "kernels.o"]):
            with self.subTest(arguments=arguments):
                _, calls = self.compile("g++", arguments)
                self.assertEqual([call.split("g++ ", 1)[1] for call in calls],
                                 [" ".join(arguments)])


@unittest.skipUnless(os.environ.get("LATHE_TEST_TORCH_HEADERS"),
                     "half a minute: LATHE_TEST_TORCH_HEADERS=1 compiles with torch's own headers")
class RealHeaders(Case):
    def test_bindings_need_one_try_and_what_was_compiled_beforehand_fits(self) -> None:
        torch = f"{Path(importlib.util.find_spec('torch').origin).parent}/include"
        python = sysconfig.get_path("include")
        subprocess.run([self.toolchain / "precompile", torch, python], check=True)
        moved = self.toolchain.rename(self.folder / "elsewhere")  # as setup_env.py does
        self.write("main.cpp", BINDINGS)
        for optimization in ("-O0", "-O3"):
            with self.subTest(optimization=optimization):
                ended = subprocess.run(
                    [moved / "g++", "-Winvalid-pch", "-DTORCH_EXTENSION_NAME=twice",
                     "-DTORCH_API_INCLUDE_EXTENSION_H", "-isystem", torch, "-isystem",
                     f"{torch}/torch/csrc/api/include", "-isystem", python, "-fPIC", "-std=c++17",
                     optimization, "-c", "main.cpp", "-o", "main.o"],
                    cwd=self.folder, capture_output=True, text=True, check=False)
                self.assertEqual(ended.returncode, 0, ended.stderr)
                self.assertTrue((self.folder / "main.o.headers").exists(), "all headers were needed")
                self.assertEqual("not used" in ended.stderr, optimization == "-O3", ended.stderr)
                self.assertEqual(self.calls(Path(torch).parent / "lib"), "2.0 True True [2.0, 2.0]")

    def calls(self, libraries: Path) -> str:
        """Links the bindings and returns what their calls print."""
        subprocess.run(["g++", "-shared", "main.o", f"-L{libraries}", "-lc10", "-ltorch_cpu",
                        "-ltorch", "-ltorch_python", "-o", "twice.so"], cwd=self.folder, check=True)
        return subprocess.run([sys.executable, "-c", CALLS], cwd=self.folder, check=True,
                              capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    unittest.main()
