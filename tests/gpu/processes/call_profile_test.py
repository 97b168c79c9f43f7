"""What a profile reads from kernels' code. Without a GPU: kernels are compiled, and never run."""

import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "gpu/processes"))

import call_profile  # noqa: E402
import compiled  # noqa: E402
import torch  # noqa: E402

PTX = """.version 8.0
.target sm_90
.address_size 64
.visible .entry scale(.param .u64 scale_param_0)
{
    .reg .b32 %r<4>;
    .reg .f32 %f<4>;
    .reg .b64 %rd<4>;
    ld.param.u64 %rd1, [scale_param_0];
    mov.u32 %r1, %tid.x;
    mul.wide.u32 %rd2, %r1, STRIDE;
    add.s64 %rd3, %rd1, %rd2;
    ld.global.f32 %f1, [%rd3];
    fma.rn.f32 %f2, %f1, %f1, %f1;
    fma.rn.f32 %f3, %f2, %f2, %f2;
    st.global.f32 [%rd3], %f3;
    ret;
}
"""

USAGE = """
Resource usage:
 Common:
  GLOBAL:0
 Function other:
  REG:8 STACK:0 SHARED:0 LOCAL:0 CONSTANT[0]:544 TEXTURE:0 SURFACE:0 SAMPLER:0
 Function scale:
  REG:34 STACK:256 SHARED:256 LOCAL:0 CONSTANT[0]:568 TEXTURE:0 SURFACE:0 SAMPLER:0
"""


def event(symbol="scale", ns=1000, kind="kernel"):
    return {"kind": kind, "symbol": symbol, "ns": ns, "block": (256, 1, 1), "grid": (1000, 1, 1)}


class FirstIsOther:
    """A model that sets itself up when it is first called."""

    def __init__(self):
        self.given = []

    def __call__(self, x):
        self.given.append(x)
        return x.relu() if len(self.given) > 1 else x.sort().values.add_(1)


class host_profile_test(unittest.TestCase):
    def profile(self, model):
        told = call_profile.of_host(model, lambda: [torch.ones(4, 4)])
        return {x["name"].split()[0]: x["calls"] for x in told["events"]}

    def test_a_call_is_told_as_it_is_when_all_is_set_up(self):
        model = FirstIsOther()
        found = self.profile(model)
        self.assertEqual(1, found["aten::relu"])
        self.assertNotIn("aten::sort", found)
        self.assertEqual(len(model.given), len({id(x) for x in model.given}), "inputs of its own")

    def test_a_slow_model_is_called_once(self):
        model = FirstIsOther()
        with mock.patch.object(call_profile, "WARMING", 0.0):
            self.assertIn("aten::sort", self.profile(model))
        self.assertEqual(1, len(model.given))


class call_profile_test(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = Path(place.name)
        folders = {x: str(self.folder / x) for x in compiled.FOLDERS}
        patch = mock.patch.dict(os.environ, folders)
        patch.start()
        self.addCleanup(patch.stop)

    def write(self, text):
        file = self.folder / "TRITON_CACHE_DIR/abc/scale.ptx"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def facts(self, text, events):
        self.write(text)
        return call_profile.code_of(events)

    def test_a_kernels_code_is_found_by_its_symbol(self):
        told = self.facts(PTX.replace("STRIDE", "4"), [event(), event("another")])
        self.assertEqual(["scale"], list(told))
        self.assertEqual(1, told["scale"]["efficiency"])
        self.assertEqual(1, told["scale"]["arithmetic"])  # two multiply-adds, a load and a store
        self.assertFalse(told["scale"]["tensor_cores"])
        self.assertEqual(0, told["scale"]["stack"])

    def test_of_several_kernels_of_one_name_the_one_that_was_launched_is_told(self):
        code = PTX.replace("STRIDE", "4")
        self.write(code.replace("param_0)\n{", "param_0)\n.reqntid 256\n{"))
        other = self.folder / "TRITON_CACHE_DIR/other/scale.ptx"
        other.parent.mkdir(parents=True)
        other.write_text(PTX.replace("STRIDE", "128").replace(
            "param_0)\n{", "param_0)\n.reqntid 128\n{"))
        self.assertEqual(1, call_profile.code_of([event()])["scale"]["efficiency"])
        other.write_text(PTX.replace("STRIDE", "128"))
        self.assertEqual({}, call_profile.code_of([event()]), "it could be either")
        other.write_text(self.folder.joinpath("TRITON_CACHE_DIR/abc/scale.ptx").read_text())
        self.assertEqual(["scale"], list(call_profile.code_of([event()])), "the same twice")

    def test_a_stride_between_lanes_shows(self):
        told = self.facts(PTX.replace("STRIDE", "128"), [event()])
        self.assertEqual(0.125, told["scale"]["efficiency"])

    def test_products_on_tensor_cores_show(self):
        mma = ("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f1,%f1,%f1,%f1}, "
               "{%r1,%r1,%r1,%r1}, {%r1,%r1}, {%f1,%f1,%f1,%f1};\n    ret;")
        told = self.facts(PTX.replace("STRIDE", "4").replace("ret;", mma), [event()])
        self.assertTrue(told["scale"]["tensor_cores"])

    def test_only_the_slowest_kernels_are_looked_at(self):
        others = [event(f"k{i}", 2000) for i in range(call_profile.MOST_KERNELS)]
        self.assertEqual({}, self.facts(PTX.replace("STRIDE", "4"), [event(), *others]))

    def test_code_that_makes_no_sense_tells_nothing(self):
        for text in ("", ".entry scale(", " scale(" * 1000, "\0" * 100):
            self.assertEqual({}, self.facts(text, [event()]), text[:20])
        self.assertEqual({}, call_profile.code_of([event(kind="fill")]))

    def test_the_stack_is_read_from_the_compilers_own_account(self):
        with mock.patch.object(call_profile, "dumped", return_value=USAGE):
            self.assertEqual(256, call_profile.stack_of("x.so", "scale"))
            self.assertEqual(0, call_profile.stack_of("x.so", "other"))
            self.assertEqual(0, call_profile.stack_of("x.so", "missing"))


if __name__ == "__main__":
    sys.exit(unittest.main())
