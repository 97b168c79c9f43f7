"""What `lathe setup-env` does on a machine that has everything, and on one that lacks something.

Builds a source tree of two tiny files: the real one takes a minute.
"""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

SCRIPT = Path(__file__).resolve().parents[2] / "tools/lathe/setup_env.py"
sys.path.insert(0, str(SCRIPT.parent))
import setup_env  # noqa: E402

ENVIRONMENT_LACKS = 3

MODULE = """
#include <Python.h>
static PyModuleDef module = {PyModuleDef_HEAD_INIT, "lathe_native"};
PyMODINIT_FUNC PyInit_lathe_native() { return PyModule_Create(&module); }
"""


class SetupEnvCase(unittest.TestCase):
    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory(prefix="lathe-setup-env-")
        self.addCleanup(place.cleanup)
        self.folder = Path(place.name)
        self.into = self.folder / "into"
        self.write("source/gpu/processes/native.cpp", MODULE)
        self.write("source/gpu/processes/zygote.py", "")
        self.write("source/gpu/processes/toolchain/nvcc", "")
        self.write("source/gpu/verifier/main.cpp", "int main() {}")

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def set_up(self, *switches: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, *switches, SCRIPT, "--source", self.folder / "source", "--into",
             self.into, "--link", "environment"],
            env={**os.environ, **environment}, capture_output=True, text=True)

    def environments(self) -> list[str]:
        return sorted(path.name for path in self.into.glob("*") if path.name != "environment")

    def assert_lacks(self, ended: "subprocess.CompletedProcess[str]", *parts: str) -> None:
        self.assertEqual(ended.returncode, ENVIRONMENT_LACKS, ended.stderr)
        self.assertEqual(len(ended.stderr.strip().splitlines()), 1, ended.stderr)
        for part in parts:
            self.assertIn(part, ended.stderr)


class Complete(SetupEnvCase):
    def test_what_is_built_is_used_until_the_sources_change(self) -> None:
        first = self.set_up()
        self.assertEqual(first.returncode, 0, first.stderr)
        chosen = self.into / "environment"
        self.assertEqual((chosen / "python").read_text().strip(), sys.executable)
        self.assertTrue((chosen / "processes/zygote.py").exists())
        self.assertTrue((chosen / "processes/toolchain/nvcc").exists())
        self.assertTrue(os.access(chosen / "lathe-verifier", os.X_OK))

        again = self.set_up(CXX="/nowhere/g++")  # needs no compiler
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("already there", again.stdout)
        self.assertEqual(self.environments(), [chosen.resolve().name])

        self.write("source/gpu/verifier/main.cpp", "int main() { return wrong; }")
        before = chosen.resolve()
        self.assert_lacks(self.set_up(), "main.cpp", "'wrong' was not declared")
        self.assertEqual(chosen.resolve(), before)

        self.write("source/gpu/verifier/main.cpp", "int main() { return 0; }")
        changed = self.set_up()
        self.assertEqual(changed.returncode, 0, changed.stderr)
        self.assertNotEqual(chosen.resolve(), before)

    def test_a_changed_toolchain_is_a_new_environment(self) -> None:
        self.set_up()
        before = (self.into / "environment").resolve()
        self.write("source/gpu/processes/toolchain/lean/torch/all.h", "#pragma once")
        self.set_up()
        self.assertNotEqual((self.into / "environment").resolve(), before)

    def test_bindings_of_extensions_are_compiled_beforehand_where_that_works(self) -> None:
        toolchain = self.into / "environment/processes/toolchain"
        script = self.write("source/gpu/processes/toolchain/precompile",
                            '#!/bin/sh\necho "$*" > "$(dirname "$0")/bindings.h.gch"\n')
        script.chmod(0o755)
        ended = self.set_up()
        self.assertEqual(ended.returncode, 0, ended.stderr)
        torch, python = (toolchain / "bindings.h.gch").read_text().split()
        self.assertTrue(Path(torch, "ATen/ATen.h").exists())
        self.assertTrue(Path(python, "Python.h").exists())

        script.write_text("#!/bin/sh\nexit 1\n")
        ended = self.set_up()
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertIn("not compiled beforehand", ended.stdout)
        self.assertFalse((toolchain / "bindings.h.gch").exists())

    def test_a_module_that_does_not_load_is_not_used(self) -> None:
        self.write("source/gpu/processes/native.cpp",
                   MODULE.replace("return", "extern void absent(); absent(); return"))
        self.assert_lacks(self.set_up(), "does not load", "absent")
        self.assertEqual(self.environments(), [])

    def test_a_verifier_that_does_not_start_is_not_used(self) -> None:
        self.write("source/gpu/verifier/main.cpp", "int main() { return 9; }")
        self.assert_lacks(self.set_up(), "the verifier does not start", "9")
        self.assertEqual(self.environments(), [])


class Lacking(SetupEnvCase):
    def test_no_compiler(self) -> None:
        self.assert_lacks(self.set_up(CXX="/nowhere/g++"), "no C++ compiler", "g++")
        self.assertEqual(self.environments(), [])

    def test_a_compiler_that_is_too_old(self) -> None:
        old = self.write("g++", "#!/bin/sh\necho 9.4.0\n")
        old.chmod(0o755)
        self.assert_lacks(self.set_up(CXX=str(old)), "9.4.0", "newer")

    def test_no_torch(self) -> None:
        self.assert_lacks(self.set_up("-S"), "has no torch", sys.executable)

    def test_no_python_headers(self) -> None:
        with mock.patch.object(setup_env.sysconfig, "get_path", return_value=str(self.folder)):
            with self.assertRaisesRegex(setup_env.Lacking, r"no Python\.h.*-dev"):
                setup_env.find_python_headers()

    def test_a_place_that_cannot_be_written(self) -> None:
        self.into.write_text("a file")
        self.assert_lacks(self.set_up(), str(self.into))


class Cuda(SetupEnvCase):
    def headers(self, **environment: str) -> list[str]:
        torch = self.folder / "site/torch"
        with mock.patch.dict(os.environ, {"CUDA_PATH": "", "CUDA_HOME": "", **environment}):
            with mock.patch.object(setup_env.shutil, "which", return_value=None):
                return setup_env.find_cuda_headers(torch)

    def test_headers_beside_torch_come_before_the_toolkit(self) -> None:
        toolkit = self.folder / "toolkit"
        self.write("toolkit/include/cuda.h", "")
        self.write("toolkit/include/crt/host_defines.h", "")
        cupti = self.write("toolkit/extras/CUPTI/include/cupti.h", "").parent
        self.assertEqual(self.headers(CUDA_HOME=str(toolkit)),
                         sorted([str(toolkit / "include"), str(cupti)]))
        beside = self.write("site/nvidia/cu13/include/cuda.h", "").parent
        self.write("site/nvidia/cu13/include/cupti.h", "")
        self.assertNotIn(str(beside), self.headers(CUDA_HOME=str(toolkit)), "incomplete")
        self.write("site/nvidia/cu13/include/crt/host_defines.h", "")
        self.assertEqual(self.headers(CUDA_HOME=str(toolkit)), [str(beside)])

    def test_sources_that_need_cuda_give_way_to_those_that_stand_in(self) -> None:
        needs = self.write("native_trace.cpp", "#include <cupti.h>\n")
        stands_in = self.write("native_without_cuda.cpp", "")
        plain = self.write("native_limits.cpp", "")
        for has_cuda, expected in ((True, [needs, plain]), (False, [stands_in, plain])):
            with self.subTest(has_cuda=has_cuda):
                fitting = [x for x in (needs, stands_in, plain) if setup_env.fits(x, has_cuda)]
                self.assertEqual(fitting, expected)


if __name__ == "__main__":
    unittest.main()
