"""What a candidate's text says of the extensions that it asks torch to build."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "gpu/processes"))

import extensions  # noqa: E402


class ExtensionsTest(unittest.TestCase):
    def asked(self, *lines):
        return extensions.asked_for("\n".join(lines))

    def test_arguments_are_what_names_and_literals_say(self):
        self.assertEqual(
            self.asked(
                "CUDA = '''__global__ void k() {}'''",
                "DECLARED: str = 'void f();'",
                "FLAGS = ['-O3'] + ['-lineinfo']",
                "THREADS = 256",
                "class ModelNew:",
                "    kernels = torch.utils.cpp_extension.load_inline(",
                "        'kernels', cpp_sources=[DECLARED], cuda_sources=f'{CUDA}/* {THREADS} */',",
                "        functions=('f',), extra_cuda_cflags=FLAGS, verbose=False)"),
            [{"name": "kernels", "cpp_sources": ["void f();"],
              "cuda_sources": "__global__ void k() {}/* 256 */", "functions": ["f"],
              "extra_cuda_cflags": ["-O3", "-lineinfo"], "verbose": False}])

    def test_methods_of_texts_are_understood(self):
        self.assertEqual(self.asked("S = ' #define N TILE '", "load_inline('x', '\\n'.join([",
                                    "    S.strip().replace('TILE', '16'), 'int i;']))"),
                         [{"name": "x", "cpp_sources": "#define N 16\nint i;"}])

    def test_calls_come_in_the_texts_order(self):
        self.assertEqual([x["name"] for x in self.asked(
            "def f():", "    load_inline('b', '')", "load_inline('c', '')",
            "load_inline(name='d')")],
            ["b", "c", "d"])

    def test_what_only_a_run_would_tell_is_left_out(self):
        for lines in (["load_inline(name(), '')"], ["load_inline('x', open('y').read())"],
                      ["S = ''", "S = 'other'", "load_inline('x', S)"],
                      ["S = ''", "S += 'more'", "load_inline('x', S)"],
                      ["for S in 'ab':", "    load_inline(S, '')"],
                      ["def build(S):", "    load_inline('x', S)"],
                      ["with open('f') as S:", "    load_inline('x', S)"],
                      ["S, T = 'a', 'b'", "load_inline(S, T)"],
                      ["from sources import S", "load_inline('x', S)"],
                      ["F = ['-O3']", "F.append('-g')", "load_inline('x', extra_cflags=F)"],
                      ["load_inline('x', cuda_sources=5)"], ["load_inline('x', b'')"],
                      ["os.environ['TORCH_CUDA_ARCH_LIST'] = '9.0'", "load_inline('x', '')"],
                      ["os.environ['CXX'] = 'clang++'", "load_inline('x', '')"],
                      ["load_inline(*both)"], ["load_inline(**all)"],
                      ["load_inline('x', '', build_directory='/tmp/x')"],
                      ["load_inline('x', MISSING)"],
                      ["load_inline('x', f'{S:>3}')"], ["S = S", "load_inline('x', S)"]):
            with self.subTest(lines=lines):
                self.assertEqual(self.asked(*lines), [])

    def test_no_text_takes_long_or_much_memory(self):
        doubled = [f"a{i + 1} = a{i} + a{i}" for i in range(60)]
        self.assertEqual(self.asked("a0 = 'x'", *doubled, "load_inline('x', a60)"), [])
        many = f"'{'x' * 999}'.replace('', '{'y' * 9999}')"
        self.assertEqual(self.asked(f"load_inline('x', {many})"), [])
        self.assertEqual(self.asked("(" * 100_000), [])
        self.assertEqual(self.asked("load_inline('x', " + "+".join(["'x'"] * 50_000) + ")"), [])
        self.assertEqual(self.asked("def f(:"), [])
        self.assertEqual(len(self.asked(*["load_inline('x', '')"] * 100)), extensions.MOST)

    def test_keys_are_the_same_for_the_same_alone(self):
        one = self.asked("load_inline('x', 'a')")
        self.assertEqual(extensions.key_of(one), extensions.key_of(self.asked(
            "SOURCE = 'a'", "load_inline('x', SOURCE)")))
        self.assertNotEqual(extensions.key_of(one),
                            extensions.key_of(self.asked("load_inline('x', 'b')")))
        self.assertEqual(extensions.key_of([]), "")

    def test_keys_are_the_same_for_those_whose_kernels_differ_alone(self):
        def like(kernel="x[0] = 1;", bindings="void f();", options="['-O3', '-lineinfo']"):
            return extensions.key_of_like(self.asked(
                f"load_inline('x', '{bindings}', '__global__ void k(float* x) {{ {kernel} }}',",
                f"            extra_cuda_cflags={options})"))

        self.assertEqual(like(), like("x[0] = 2;"))
        self.assertNotEqual(like(), like(bindings="void g();"))
        self.assertNotEqual(like(), like(options="['-O2']"))
        for other in (like("{"), like(bindings='#include "cuda.cu"'),
                      like(bindings='asm(".incbin");'), like(options="['-Wa,-I/tmp']"),
                      like(options="['-include', 'cuda.cu']")):
            self.assertEqual(other, "")
        self.assertEqual(extensions.key_of_like(self.asked("load_inline('x', 'a')")), "")


if __name__ == "__main__":
    unittest.main()
