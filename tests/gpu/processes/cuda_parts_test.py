"""A CUDA file is compiled in two parts: what runs on the device, and the rest."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / "gpu/processes/cuda_parts.py"
sys.path.insert(0, str(SCRIPT.parent))

import cuda_parts  # noqa: E402

FILE = """#include <torch/extension.h>
#include <cuda_runtime.h>
#define TILE 16
__constant__ float table[2] = {1, 2};

// Half of it: __global__ void k() {
__device__ __forceinline__ float half_of(float x) {
  return x / 2;
}

__global__ void __launch_bounds__(256) k(float* x, int n) {
  for (int i = 0; i < n; ++i) {
    x[i] = half_of(x[i]) + table[0];
  }
}

torch::Tensor run(torch::Tensor x) {
  TORCH_CHECK(x.is_cuda(), "not a } brace");
  k<<<1, 1>>>(x.data_ptr<float>(), x.numel());
  return x;
}
"""
PLAIN = "__global__ void k(float* x) { *x = 1; }\n"

# As nvcc is called: says what for, and makes what `cuda_parts` looks at.
NVCC = """#!/bin/sh
for word; do [ "$last" = -o ] && made=$word; last=$word; done
case "$*" in
  *-fatbin*) echo device >> "$CALLS"; [ -z "$FAILS_ON_DEVICE" ] && printf "$CODE" > "$made" ;;
  *) echo host >> "$CALLS"; [ -z "$FAILS" ] && g++ -x c++ -c "$STUB" -o "$made" ;;
esac
"""
STUB = """extern "C" void _Z20__device_stub__Z1kPfPf() {}
__attribute__((section(".nv_fatbin"), used)) char old[] = "to be replaced";
"""


class Split(unittest.TestCase):
    def parts(self, text):
        host, device, _ = cuda_parts.split(text)
        self.assertEqual(host.count("\n"), text.count("\n"))
        self.assertEqual(device.count("\n"), text.count("\n"))
        return host, device

    def test_the_host_sees_no_bodies_and_the_device_no_torch(self):
        host, device = self.parts(FILE)
        for shown in ("half_of(float x) {\n\n}", "k(float* x, int n) {\n\n\n\n}", "TORCH_CHECK",
                      "#include <torch", "__constant__ float table[2] = {1, 2};", "#define TILE"):
            self.assertIn(shown, host)
        for shown in ("return x / 2;", "half_of(x[i]) + table[0];", "#include <cuda_runtime.h>",
                      "__constant__ float table[2] = {1, 2};", "#define TILE"):
            self.assertIn(shown, device)
        self.assertNotIn("torch", device)
        self.assertNotIn("TORCH", device)

    def test_other_bodies_make_no_difference_to_the_host_and_all_else_does(self):
        def host(old, new):
            self.assertIn(old, FILE)
            return cuda_parts.split(FILE.replace(old, new)).host

        same = cuda_parts.split(FILE).host
        for old, new in (("+ table[0]", "* table[1]"), ("x / 2", "x * 0.5f"),
                         ("i < n", "'}' < n"), ("i < n", "i < 1'000'000"), ("i < n", 'f("{")')):
            self.assertEqual(host(old, new), same, new)
        for old, new in (("int n)", "long n)"), ("{1, 2}", "{1, 3}"), ("TILE 16", "TILE 32"),
                         ("<<<1, 1>>>", "<<<1, 2>>>"), ("k(float* x", "l(float* x"),
                         ("  for (", "#define N 2\n  for (")):
            self.assertNotEqual(host(old, new), same, new)

    def test_bodies_that_others_see_stay(self):
        for head in ("__host__ __device__ int f()", "__device__ constexpr int f()",
                     "__device__ auto f()", "template <class T> __device__ decltype(T{}) f()",
                     "int f()", "struct __align__(8) f"):
            text = head + " { return 123; };\n" + PLAIN
            self.assertIn("123", self.parts(text)[0], head)

    def test_what_is_inside_of_namespaces_is_told_apart(self):
        host, device = self.parts('namespace a::b { extern "C" {\n' + PLAIN
                                  + "at::Tensor f() { return {}; }\n} }\n")
        self.assertIn("k(float* x) {}", host)
        self.assertIn("*x = 1", device)
        self.assertNotIn("Tensor", device)
        self.assertEqual(device.count("{"), device.count("}"))

    def test_texts_and_comments_are_no_code(self):
        for text in ('auto s = R"x(__global__ void f() { )" at::f { )x";', "/* { at:: */",
                     "char c = '{', d = '\\'', e = '\"';", '// { \\\n { at::', 'auto s = "\\"{";'):
            host, device = self.parts(text + "\n" + PLAIN)
            self.assertTrue(host.startswith(text), host)
            self.assertTrue(device.startswith(text), device)

    def test_directives_in_texts_and_comments_are_none(self):
        for text in ("/*\n#define N 2\n*/", 'auto s = R"(\n#define N 2\n)";'):
            host, _ = self.parts("__global__ void k(float* x) {\n" + text + "\n}\n")
            self.assertNotIn("define", host)
            _, device = self.parts("void f(at::Tensor x) {\n" + text + "\n}\n" + PLAIN)
            self.assertNotIn("define", device)
        _, device = self.parts('auto s = R"(\n#include <torch/all.h>\n)";\n' + PLAIN)
        self.assertIn("torch/all.h", device)

    def test_a_table_of_the_device_is_no_function(self):
        host, _ = self.parts("__device__ __align__(16) float t[] = {1, 2};\n" + PLAIN)
        self.assertIn("{1, 2}", host)

    def test_what_may_mean_something_else_in_parts_is_left_whole(self):
        for text in ("#ifdef A\n" + PLAIN + "#else\n" + PLAIN + "#endif\n",
                     "#include <thrust/reduce.h>\n" + PLAIN,
                     "#if A\n" + PLAIN + "#endif\n",
                     "#define KERNEL(f) __global__ void f() {}\nKERNEL(k)\n",
                     "__global__ void k(at::Half* x) { *x = 1; }\n",
                     "template <> struct acc<at::Half> { using type = float; };\n" + PLAIN,
                     "__device__ float as_float(at::BFloat16 x) { return x; }\n" + PLAIN,
                     "#if TORCH_VERSION_MAJOR > 1\n#define N 2\n#endif\n" + PLAIN,
                     "#define N 1 /* and\nthen */\n" + PLAIN,
                     'void f() { asm(".incbin \\"cuda.cu\\""); }\n' + PLAIN,
                     '#include "cuda.cu"\n' + PLAIN, "#include WHAT\n" + PLAIN,
                     "void f() {", "void f() { ( }"):
            with self.subTest(text=text), self.assertRaises((cuda_parts.Inseparable, IndexError)):
                cuda_parts.split(text)

    def test_templates_are_told_whose_kernels_the_host_chooses(self):
        kernel = "template <class T> __global__ void __launch_bounds__(64) k(T* x) { *x = 1; }\n"
        for user, families in (
            ("void f(at::Tensor x) { k<float><<<1, 1>>>(x.data_ptr<float>()); }\n", {"k"}),
            ("void f(float* x) { k<float><<<1, 1>>>(x); }\n"
             "void g(at::Tensor x) { f(x.data_ptr<float>()); }\n", set())):
            self.assertEqual(cuda_parts.split(kernel + user).families, families)

    def test_kernels_of_templates_are_declared(self):
        names = {b"_Z1kIfEvPT_", b"_ZN1a1bILi8ELb1EEEvPf", b"_Z5otherIfEvPT_", b"_Z1kPf"}
        self.assertEqual(cuda_parts.instances({"k", "b"}, names),
                         "template __global__ void k<float>(float*);\n"
                         "template __global__ void a::b<8, true>(float*);\n")


class Compile(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.write("nvcc", NVCC).chmod(0o755)
        self.environment = {**os.environ, "LATHE_PARTS": str(self.folder / "kept"),
                            "CALLS": str(self.folder / "calls"), "CODE": "code\\0_Z1kPf\\0",
                            "FAILS": "",
                            "STUB": str(self.write("stub.cpp", STUB))}

    def write(self, name, text):
        file = self.folder / name
        file.write_text(text)
        return file

    def compile(self, text, option="-O2", **environment):
        self.write("k.cu", text)
        (self.folder / "calls").write_text("")
        ended = subprocess.run(
            [sys.executable, "-S", "-s", "-E", "-B", SCRIPT, self.folder / "nvcc", "-MD", "-MF",
             "k.o.d", option, "-c", "k.cu", "-o", "k.o"],
            cwd=self.folder, env={**self.environment, **environment}, check=False,
            capture_output=True, text=True)
        return ended.returncode, sorted((self.folder / "calls").read_text().split())

    def test_a_changed_body_costs_the_device_s_part_alone(self):
        self.assertEqual(self.compile(PLAIN), (0, ["device", "host"]))
        template = "template <class T> " + PLAIN + "void f(at::Tensor) { k<float>; }\n"
        self.assertEqual(self.compile(template), (0, ["device", "host"]))
        self.assertEqual(self.compile(template.replace("1", "2")), (0, ["device"]))
        self.assertEqual(self.compile(PLAIN.replace("1", "2"), CODE="other\\0_Z1kPf\\0"),
                         (0, ["device"]))
        found = subprocess.run(["objcopy", "-O", "binary", "--only-section=.nv_fatbin", "k.o",
                                "/dev/stdout"], cwd=self.folder, stdout=subprocess.PIPE, check=True)
        self.assertEqual(found.stdout, b"other\0_Z1kPf\0")
        self.assertEqual((self.folder / "k.o.d").read_text(), "k.o: k.cu\n")
        self.assertEqual(self.compile(PLAIN.replace("float", "int"))[1], ["device", "host"])
        self.assertEqual(list(self.folder.glob("k.o.parts")), [])

    def test_a_device_s_part_that_does_not_compile_makes_it_whole(self):
        self.assertEqual(self.compile(PLAIN, FAILS_ON_DEVICE="yes")[0], cuda_parts.WHOLE)

    def test_a_kernel_that_the_device_s_part_lacks_makes_it_whole(self):
        self.assertEqual(self.compile(PLAIN, CODE="code\\0_Z1jPf\\0")[0], cuda_parts.WHOLE)
        self.assertEqual(self.compile("void f() {"), (cuda_parts.WHOLE, []))

    def test_options_that_spoil_parts_make_it_whole(self):
        for option in ("-rdc=true", "--keep", "-save-temps"):
            self.assertEqual(self.compile(PLAIN, option=option), (cuda_parts.WHOLE, []))

    def test_a_variable_that_the_device_s_part_lacks_makes_it_whole(self):
        self.write("stub.cpp", STUB + 'extern const char name[] = "_ZN3ofatE";\n')
        self.assertEqual(self.compile(PLAIN)[0], cuda_parts.WHOLE)
        self.assertEqual(self.compile(PLAIN, CODE="_ZN3ofatE\\0_Z1kPf\\0")[0], 0)

    def test_a_host_s_part_that_does_not_compile_is_told_apart(self):
        self.assertEqual(self.compile(PLAIN, FAILS="yes")[0], cuda_parts.HOST)
        self.assertEqual(self.compile(PLAIN)[0], 0)


if __name__ == "__main__":
    unittest.main()
