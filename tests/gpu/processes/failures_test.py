"""How foreign code's exceptions are told: what compilers say, without what is around it."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, sys.argv.pop(1))  # the folder of the evaluation processes

import failures  # noqa: E402

FOLDER = "/tmp/extensions/mine/"
GXX = f"/usr/bin/g++ -MMD -MF main.o.d -DTORCH_API_INCLUDE_EXTENSION_H -c {FOLDER}main.cpp"
NVCC = "/usr/local/cuda/bin/nvcc --generate-dependencies-with-compile -c cuda.cu -o cuda.cuda.o"

MISSING_HEADER = f"""[1/2] {GXX}
FAILED: main.o 
{GXX}
{FOLDER}main.cpp:3:10: fatal error: no_such_header.h: No such file or directory
    3 | #include <no_such_header.h>
      |          ^~~~~~~~~~~~~~~~~~
compilation terminated.
ninja: build stopped: subcommand failed.
"""

SEVERAL = f"""[1/3] {GXX}
FAILED: [code=1] main.o 
{GXX}
No CUDA runtime is found, using CUDA_HOME='/usr/local/cuda'
{FOLDER}main.cpp: In function ‘at::Tensor f(at::Tensor)’:
{FOLDER}main.cpp:5:44: error: ‘undefined_name’ was not declared in this scope
    5 | torch::Tensor f(torch::Tensor x) {{ int y = undefined_name; return x * z; }}
      |                                            ^~~~~~~~~~~~~~
{FOLDER}main.cpp:5:71: error: ‘z’ was not declared; did you mean ‘c10::attr::z’?
    5 | torch::Tensor f(torch::Tensor x) {{ int y = undefined_name; return x * z; }}
      |                                                                       ^
      |                                                                       c10::attr::z
In file included from {failures.PACKAGES}torch/include/torch/csrc/jit/ir/ir.h:19,
                 from {failures.PACKAGES}torch/include/torch/extension.h:6,
                 from {FOLDER}main.cpp:1:
{failures.PACKAGES}torch/include/ATen/core/interned_strings.h:353:1: note: declared here
  353 | FORALL_NS_SYMBOLS(DEFINE_SYMBOL)
      | ^~~~~~~~~~~~~~~~~
ninja: build stopped: subcommand failed.
"""

TEMPLATE = f"""[1/2] {GXX}
In file included from /usr/include/c++/12/algorithm:60,
                 from {FOLDER}main.cpp:2:
/usr/include/c++/12/bits/stl_algo.h:4820:18:   required from ‘void std::sort(_RAIter, _RAIter)’
{FOLDER}main.cpp:5:57:   required from here
/usr/include/c++/12/bits/ops.h:45:23: error: no match for ‘operator<’
   45 |       {{ return *__it1 < *__it2; }}
      |                ~~~~~~~^~~~~~~~
"""

CUDA = f"""[1/3] {NVCC}
FAILED: cuda.cuda.o 
{NVCC}
{FOLDER}cuda.cu(12): warning #177-D: variable "unused" was declared but never referenced
      int unused = 1;
          ^

Remark: The warnings can be suppressed with "-diag-suppress <warning-number>"

{FOLDER}cuda.cu(14): error: identifier "oops" is undefined
      y[i] = oops;
             ^

{FOLDER}cuda.cu(15): error: expected a ";"
  }}
  ^

2 errors detected in the compilation of "{FOLDER}cuda.cu".
[2/3] {GXX}
ninja: build stopped: subcommand failed.
"""

LINKER = f"""[1/2] {GXX}
[2/2] /usr/bin/g++ main.o -shared -lmine -o mine.so
FAILED: mine.so 
/usr/bin/g++ main.o -shared -lmine -o mine.so
/usr/bin/ld: main.o: in function `f(at::Tensor)':
main.cpp:(.text+0x1a): undefined reference to `missing_fn(int)'
collect2: error: ld returned 1 exit status
ninja: build stopped: subcommand failed.
"""

PTXAS = f"""[1/2] {NVCC}
FAILED: cuda.cuda.o 
{NVCC}
ptxas info    : 0 bytes gmem
ptxas {FOLDER}cuda.ptx, line 33; error   : Unknown modifier '.bulky'
ptxas fatal   : Ptx assembly aborted due to errors
ninja: build stopped: subcommand failed.
"""

SHARED_MEMORY = f"""[1/2] {NVCC}
FAILED: cuda.cuda.o 
{NVCC}
ptxas error   : Entry function '_Z1kv' uses too much shared data (0x20000 bytes, 0xc000 max)
"""


def building(log, name="mine"):
    """What torch raises, with the exceptions before it."""
    try:
        try:
            raise subprocess.CalledProcessError(1, ["ninja", "-v"])
        except subprocess.CalledProcessError as error:
            told = log and f": {log}"
            raise RuntimeError(f"Error building extension '{name}'{told}") from error
    except RuntimeError as error:
        return failures.describe(error, __file__, "mine.py")


def summary(log):
    found = building(log)["summary"]
    where, _, rest = found.partition(": ")
    assert where.startswith("mine.py:"), found
    return rest


class compilers_errors(unittest.TestCase):
    def test_the_summary_is_the_first_error(self):
        for log, expected in {
            MISSING_HEADER:
                "main.cpp:3:10: fatal error: no_such_header.h: No such file or directory",
            SEVERAL: "main.cpp:5:44: error: ‘undefined_name’ was not declared in this scope",
            TEMPLATE:
                "/usr/include/c++/12/bits/ops.h:45:23: error: no match for ‘operator<’",
            CUDA: 'cuda.cu(14): error: identifier "oops" is undefined',
            LINKER: "main.cpp:(.text+0x1a): undefined reference to `missing_fn(int)'",
            PTXAS: "ptxas cuda.ptx, line 33; error   : Unknown modifier '.bulky'",
            SHARED_MEMORY: "ptxas error   : Entry function '_Z1kv' uses too much shared data "
                           "(0x20000 bytes, 0xc000 max)",
            "/usr/bin/ld: cannot find -lmine: No such file or directory\ncollect2: error: ld":
                "/usr/bin/ld: cannot find -lmine: No such file or directory",
            "nvcc fatal   : Unsupported gpu architecture 'compute_999'\n":
                "nvcc fatal   : Unsupported gpu architecture 'compute_999'",
            f"{FOLDER}cuda.cu(2): catastrophic error: cannot open source file \"x.h\"\n  #include":
                'cuda.cu(2): catastrophic error: cannot open source file "x.h"',
            "g++: fatal error: Killed signal terminated program cc1plus\n":
                "g++: fatal error: Killed signal terminated program cc1plus",
        }.items():
            with self.subTest(expected):
                self.assertEqual(expected, summary(log))

    def test_the_message_is_the_errors_with_their_lines_and_nothing_else(self):
        found = building(SEVERAL)["message"]
        self.assertEqual(["RuntimeError: Error building extension 'mine'",
                          *[x.replace(FOLDER, "") for x in SEVERAL.splitlines()[5:12]]],
                         found.splitlines())
        found = building(CUDA)["message"]
        self.assertEqual("""RuntimeError: Error building extension 'mine'
cuda.cu(14): error: identifier "oops" is undefined
      y[i] = oops;
             ^
cuda.cu(15): error: expected a ";"
  }
  ^""", found)

    def test_an_error_that_repeats_is_told_once_in_its_place(self):
        first, second = (f"{FOLDER}cuda.cu({i}): error: no {i}\n" for i in (1, 2))
        self.assertEqual("cuda.cu(1): error: no 1\ncuda.cu(2): error: no 2",
                         building(first + second + first)["message"].partition("\n")[2])

    def test_an_error_in_a_library_is_told_with_the_line_that_asked_for_it(self):
        self.assertEqual("""RuntimeError: Error building extension 'mine'
/usr/include/c++/12/bits/ops.h:45:23: error: no match for ‘operator<’
   45 |       { return *__it1 < *__it2; }
      |                ~~~~~~~^~~~~~~~
main.cpp:5:57:   required from here""", building(TEMPLATE)["message"])

    def test_what_only_follows_from_an_error_is_told_where_there_is_no_other(self):
        aborted = "ptxas fatal   : Ptx assembly aborted due to errors"
        self.assertNotIn(aborted, building(PTXAS)["message"])
        self.assertEqual(aborted, summary(f"[1/2] {NVCC}\nFAILED: x.o \n{NVCC}\n{aborted}\n"))
        self.assertNotIn("collect2", building(LINKER)["message"])
        self.assertEqual("collect2: error: ld returned 1 exit status",
                         summary("collect2: error: ld returned 1 exit status"))

    def test_many_errors_are_cut_and_counted(self):
        log = "".join(f"{FOLDER}main.cpp:{i}:1: error: no {i}\n  {i} | x\n    | ^\n"
                      for i in range(99))
        lines = building(log)["message"].splitlines()
        self.assertLessEqual(len(lines), failures.LINE_COUNT)
        self.assertEqual("main.cpp:0:1: error: no 0", lines[1])
        shown = sum("error:" in x for x in lines)
        self.assertEqual(f"[{99 - shown} more errors]", lines[-1])

    def test_an_error_with_an_endless_line_or_context_is_cut(self):
        log = f"{FOLDER}main.cpp:1:1: error: {'x' * 9999}\n" + "  | y\n" * 999
        found = building(log)
        self.assertLess(len(found["message"]), 3 * failures.LINE_LENGTH)
        self.assertLess(len(found["summary"]), 2 * failures.LINE_LENGTH)

    def test_a_log_without_an_error_says_what_failed_and_how_it_ended(self):
        cut = f"[1/2] {GXX}\nFAILED: main.o \n{GXX}\nsomething odd\nninja: build stopped.\n"
        failed = "RuntimeError: Error building extension 'mine'"
        self.assertEqual("FAILED: main.o", summary(cut))
        self.assertEqual(f"{failed}\nFAILED: main.o\nsomething odd", building(cut)["message"])
        self.assertEqual(failed, summary(""))
        self.assertEqual(failed, summary(f"[1/2] {GXX[:99]}"))

    def test_a_log_that_was_cut_off_is_told_as_far_as_it_goes(self):
        for size in range(len(MISSING_HEADER)):
            found = building(MISSING_HEADER[:size])
            self.assertNotIn("-MMD", found["message"] + found["summary"], MISSING_HEADER[:size])
            found = building(MISSING_HEADER[size:])
            if "fatal error:" in MISSING_HEADER[size:]:
                self.assertIn("no_such_header.h: No such file", found["summary"])

    def test_text_of_the_program_is_no_error_of_the_compiler(self):
        log = f"""{FOLDER}cuda.cu(3): warning #1-D: odd
      printf("error: %d", x);
  error: of the program
{FOLDER}cuda.cu(9): error: real
"""
        self.assertEqual("cuda.cu(9): error: real", summary(log))

    def test_a_real_compiler_is_understood(self):
        source = "#include <no_such_header.h>\n"
        done = subprocess.run(["g++", "-x", "c++", "-c", "-o", os.devnull, "-"], input=source,
                              capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
        self.assertIn("fatal error: no_such_header.h: No such file", summary(done.stderr))


class other_failures(unittest.TestCase):
    def described(self, error):
        try:
            raise error
        except BaseException as raised:
            return failures.describe(raised, __file__, "mine.py")

    def test_a_package_that_is_missing_may_be_a_file_beside_the_task(self):
        error = ModuleNotFoundError("No module named 'pk'", name="pk")
        self.assertRegex(
            self.described(error)["summary"],
            r"^mine.py:\d+: needs the Python package 'pk', which is not installed for this Python; "
            r"a task or candidate is one file and sees none beside it$")

    def test_a_long_message_of_another_kind_keeps_its_errors_and_its_end(self):
        text = "\n".join([f"line {i}" for i in range(50)] + ["a.cu(1): error: one"]
                         + [f"line {i}" for i in range(50, 99)])
        lines = self.described(ValueError(text))["message"].splitlines()
        self.assertIn("a.cu(1): error: one", lines)
        self.assertEqual("line 98", lines[-1])
        self.assertLessEqual(len(lines), failures.LINE_COUNT + 1)


if __name__ == "__main__":
    sys.exit(unittest.main())
