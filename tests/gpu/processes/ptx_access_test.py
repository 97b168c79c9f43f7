"""What is told of kernels' accesses to memory from their PTX alone."""

import pathlib
import random
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "gpu/processes"))
import ptx as reader
import ptx_access
from ptx_values import compare, compute, convert, number, pack, shuffle, to_generic, uniform, unpack

# By nvcc 13.0, -arch=sm_90a: each thread sums a row.
ROWS = r"""
.visible .entry rows(
.param .u64 rows_param_0,
.param .u64 rows_param_1,
.param .u32 rows_param_2
)
{
ld.param.u64 %rd10, [rows_param_0];
ld.param.u64 %rd11, [rows_param_1];
ld.param.u32 %r11, [rows_param_2];
cvta.to.global.u64 %rd1, %rd11;
mov.u32 %r12, %ntid.x;
mov.u32 %r13, %ctaid.x;
mov.u32 %r14, %tid.x;
mad.lo.s32 %r1, %r13, %r12, %r14;
setp.ge.s32 %p1, %r1, %r11;
@%p1 bra $L__BB2_9;
setp.lt.s32 %p2, %r11, 1;
cvt.s64.s32 %rd2, %r1;
mov.f32 %f24, 0f00000000;
@%p2 bra $L__BB2_8;
cvt.s64.s32 %rd3, %r11;
and.b32 %r21, %r11, 3;
add.s32 %r16, %r11, -1;
setp.lt.u32 %p3, %r16, 3;
mov.f32 %f24, 0f00000000;
mov.u32 %r20, 0;
@%p3 bra $L__BB2_5;
sub.s32 %r19, %r11, %r21;
mul.lo.s64 %rd12, %rd3, %rd2;
shl.b64 %rd13, %rd12, 2;
add.s64 %rd14, %rd1, %rd13;
add.s64 %rd22, %rd14, 8;
mov.f32 %f24, 0f00000000;
mov.u32 %r20, 0;
$L__BB2_4:
ld.global.f32 %f12, [%rd22+-8];
add.f32 %f13, %f24, %f12;
ld.global.f32 %f14, [%rd22+-4];
add.f32 %f15, %f13, %f14;
ld.global.f32 %f16, [%rd22];
add.f32 %f17, %f15, %f16;
ld.global.f32 %f18, [%rd22+4];
add.f32 %f24, %f17, %f18;
add.s32 %r20, %r20, 4;
add.s64 %rd22, %rd22, 16;
add.s32 %r19, %r19, -4;
setp.ne.s32 %p4, %r19, 0;
@%p4 bra $L__BB2_4;
$L__BB2_5:
setp.eq.s32 %p5, %r21, 0;
@%p5 bra $L__BB2_8;
mul.lo.s64 %rd15, %rd3, %rd2;
cvt.s64.s32 %rd16, %r20;
add.s64 %rd17, %rd15, %rd16;
shl.b64 %rd18, %rd17, 2;
add.s64 %rd23, %rd1, %rd18;
$L__BB2_7:
ld.global.f32 %f19, [%rd23];
add.f32 %f24, %f24, %f19;
add.s64 %rd23, %rd23, 4;
add.s32 %r21, %r21, -1;
setp.ne.s32 %p6, %r21, 0;
@%p6 bra $L__BB2_7;
$L__BB2_8:
cvta.to.global.u64 %rd19, %rd10;
shl.b64 %rd20, %rd2, 2;
add.s64 %rd21, %rd19, %rd20;
st.global.f32 [%rd21], %f24;
$L__BB2_9:
ret;
}
"""

# By nvcc 13.0: transposes through `__shared__ float t[32][33]`, or [32][32] with 128 for 132.
TILE = r"""
.visible .entry tile33(
.param .u64 tile33_param_0,
.param .u64 tile33_param_1,
.param .u32 tile33_param_2
)
{
.shared .align 4 .b8 _ZZ6tile33E1t[4224];
ld.param.u64 %rd1, [tile33_param_0];
ld.param.u64 %rd2, [tile33_param_1];
ld.param.u32 %r1, [tile33_param_2];
cvta.to.global.u64 %rd3, %rd2;
mov.u32 %r2, %ctaid.x;
shl.b32 %r3, %r2, 5;
mov.u32 %r4, %tid.x;
add.s32 %r5, %r3, %r4;
mov.u32 %r6, %ctaid.y;
shl.b32 %r7, %r6, 5;
mov.u32 %r8, %tid.y;
add.s32 %r9, %r7, %r8;
mad.lo.s32 %r10, %r9, %r1, %r5;
mul.wide.s32 %rd4, %r10, 4;
add.s64 %rd5, %rd3, %rd4;
ld.global.f32 %f1, [%rd5];
mov.u32 %r11, _ZZ6tile33E1t;
mad.lo.s32 %r12, %r8, 132, %r11;
shl.b32 %r13, %r4, 2;
add.s32 %r14, %r12, %r13;
st.shared.f32 [%r14], %f1;
shl.b32 %r15, %r1, 3;
mul.wide.s32 %rd6, %r15, 4;
add.s64 %rd7, %rd5, %rd6;
ld.global.f32 %f2, [%rd7];
st.shared.f32 [%r14+1056], %f2;
add.s64 %rd8, %rd7, %rd6;
ld.global.f32 %f3, [%rd8];
st.shared.f32 [%r14+2112], %f3;
add.s64 %rd9, %rd8, %rd6;
ld.global.f32 %f4, [%rd9];
st.shared.f32 [%r14+3168], %f4;
cvta.to.global.u64 %rd10, %rd1;
bar.sync 0;
add.s32 %r16, %r7, %r4;
add.s32 %r17, %r3, %r8;
mad.lo.s32 %r18, %r4, 132, %r11;
shl.b32 %r19, %r8, 2;
add.s32 %r20, %r18, %r19;
ld.shared.f32 %f5, [%r20];
mad.lo.s32 %r21, %r17, %r1, %r16;
mul.wide.s32 %rd11, %r21, 4;
add.s64 %rd12, %rd10, %rd11;
st.global.f32 [%rd12], %f5;
ld.shared.f32 %f6, [%r20+32];
add.s64 %rd13, %rd12, %rd6;
st.global.f32 [%rd13], %f6;
ld.shared.f32 %f7, [%r20+64];
add.s64 %rd14, %rd13, %rd6;
st.global.f32 [%rd14], %f7;
ld.shared.f32 %f8, [%r20+96];
add.s64 %rd15, %rd14, %rd6;
st.global.f32 [%rd15], %f8;
ret;
}
"""

# By Triton 3.6 for sm_90, four warps.
TRITON_ADD = r"""
.extern .shared .align 16 .b8 global_smem[];
.visible .entry add(
.param .u64 .ptr .global .align 1 add_param_0,
.param .u64 .ptr .global .align 1 add_param_1,
.param .u64 .ptr .global .align 1 add_param_2,
.param .u32 add_param_3,
.param .u64 .ptr .global .align 1 add_param_4,
.param .u64 .ptr .global .align 1 add_param_5
)
.reqntid 128
{
ld.param.b64 %rd7, [add_param_0];
ld.param.b64 %rd8, [add_param_1];
mov.u32 %r25, %ctaid.x;
shl.b32 %r26, %r25, 10;
ld.param.b64 %rd9, [add_param_2];
ld.param.b32 %r27, [add_param_3];
mov.u32 %r28, %tid.x;
shl.b32 %r29, %r28, 2;
and.b32 %r30, %r29, 508;
or.b32 %r31, %r30, %r26;
or.b32 %r32, %r31, 512;
setp.lt.s32 %p1, %r31, %r27;
setp.lt.s32 %p2, %r32, %r27;
mul.wide.s32 %rd10, %r31, 4;
add.s64 %rd5, %rd9, %rd10;
add.s64 %rd6, %rd5, 2048;
add.s64 %rd1, %rd7, %rd10;
add.s64 %rd2, %rd1, 2048;
mov.u32 %r1, 0x0;
mov.u32 %r2, 0x0;
mov.u32 %r3, 0x0;
mov.u32 %r4, 0x0;
@%p1 ld.global.v4.b32 { %r1, %r2, %r3, %r4 }, [ %rd1 + 0 ];
mov.u32 %r5, 0x0;
mov.u32 %r6, 0x0;
mov.u32 %r7, 0x0;
mov.u32 %r8, 0x0;
@%p2 ld.global.v4.b32 { %r5, %r6, %r7, %r8 }, [ %rd2 + 0 ];
add.s64 %rd3, %rd8, %rd10;
add.s64 %rd4, %rd3, 2048;
mov.u32 %r9, 0x0;
mov.u32 %r10, 0x0;
mov.u32 %r11, 0x0;
mov.u32 %r12, 0x0;
@%p1 ld.global.v4.b32 { %r9, %r10, %r11, %r12 }, [ %rd3 + 0 ];
mov.u32 %r13, 0x0;
mov.u32 %r14, 0x0;
mov.u32 %r15, 0x0;
mov.u32 %r16, 0x0;
@%p2 ld.global.v4.b32 { %r13, %r14, %r15, %r16 }, [ %rd4 + 0 ];
add.f32 %r17, %r1, %r9;
add.f32 %r18, %r2, %r10;
add.f32 %r19, %r3, %r11;
add.f32 %r20, %r4, %r12;
add.f32 %r21, %r5, %r13;
add.f32 %r22, %r6, %r14;
add.f32 %r23, %r7, %r15;
add.f32 %r24, %r8, %r16;
@%p1 st.global.v4.b32 [ %rd5 + 0 ], { %r17, %r18, %r19, %r20 };
@%p2 st.global.v4.b32 [ %rd6 + 0 ], { %r21, %r22, %r23, %r24 };
ret;
}
"""

# From the copies of a pipelined matrix product, by Triton 3.6 for sm_80.
TRITON_PIPELINE = """
mov.u32 %r2, %tid.x;
shl.b32 %r10, %r2, 4;
and.b32 %r48, %r10, 2032;
shl.b32 %r11, %r2, 1;
and.b32 %r49, %r11, 48;
xor.b32 %r12, %r48, %r49;
mov.b32 %r50, global_smem;
add.s32 %r25, %r50, %r12;
bfe.u32 %r3, %r2, 2, 5;
mul.lo.s32 %r40, %r3, 4096;
mad.wide.s32 %rd17, %r40, 2, %base;
and.b32 %r9, %r2, 3;
shl.b32 %r43, %r9, 3;
mul.wide.u32 %rd19, %r43, 2;
add.s64 %rd8, %rd17, %rd19;
mov.b32 %r204, 0;
mov.b32 %r170, -1;
$LOOP:
setp.lt.s32 %p3, %r204, 960;
add.s32 %r107, %r170, 1;
setp.gt.s32 %p4, %r107, 1;
selp.b32 %r170, 0, %r107, %p4;
selp.b32 %r26, 16, 0, %p3;
// begin inline asm
cp.async.cg.shared.global [ %r25 + 0 ], [ %rd8 + 0 ], 0x10, %r26;
// end inline asm
cp.async.commit_group;
cp.async.wait_group 2;
bar.sync 0;
shl.b32 %r14, %r2, 6;
and.b32 %r53, %r14, 960;
shl.b32 %r205, %r2, 3;
and.b32 %r54, %r205, 48;
and.b32 %r55, %r2, 16;
or.b32 %r57, %r53, %r54;
xor.b32 %r16, %r57, %r55;
shl.b32 %r108, %r170, 12;
add.s32 %r109, %r50, %r108;
add.s32 %r110, %r109, %r16;
ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r70, %r71, %r72, %r73}, [%r110];
mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 { %r1, %r4 }, { %r70 }, { %r71 }, { %r72 };
add.s32 %r204, %r204, 32;
setp.lt.s32 %p6, %r204, 1024;
@%p6 bra $LOOP;
"""

INDEX = """
mov.u32 %c, %ctaid.x;
mov.u32 %n, %ntid.x;
mov.u32 %t, %tid.x;
mad.lo.s32 %i, %c, %n, %t;
"""


def kernel(body, shared=""):
    """A kernel `k` with two pointers, `%base` and `%other`, and an integer, `%size`."""
    return f"""
.visible .entry k(
  .param .u64 p0,
  .param .u64 p1,
  .param .u32 p2
)
{{
  {shared}
  ld.param.u64 %rd90, [p0];
  cvta.to.global.u64 %base, %rd90;
  ld.param.u64 %rd91, [p1];
  cvta.to.global.u64 %other, %rd91;
  ld.param.u32 %size, [p2];
  {body}
  ret;
}}
"""


def look(body, block=(256, 1, 1), grid=(64, 1, 1), parameters=None, shared=""):
    return ptx_access.accesses(kernel(body, shared), "k", block, grid, parameters)


def one(*args, **kwargs):
    found = look(*args, **kwargs)
    assert len(found) == 1, found
    return found[0]


def tile(address, access, block=(256, 1, 1)):
    """One access to shared memory at the address that PTX makes in %a of the thread in %t."""
    return one(f"mov.u32 %t, %tid.x; mov.u32 %s, tile; {address} {access}", block,
               shared=".shared .align 4 .b8 tile[32768];")


class GlobalAccesses(unittest.TestCase):
    def test_neighbours_are_coalesced_whatever_the_width(self):
        for kind, size, sectors in (("u8", 1, 1), ("b16", 2, 2), ("f32", 4, 4), ("f64", 8, 8),
                                    ("v2.f32", 8, 8), ("v4.u32", 16, 16)):
            with self.subTest(kind):
                found = one(f"{INDEX} mul.wide.s32 %o, %i, {size}; add.s64 %a, %base, %o;"
                            f"ld.global.nc.L1::evict_last.{kind} %v, [%a];")
                self.assertEqual((found.space, found.kind, found.bytes, found.depth),
                                 ("global", "load", size, 0))
                self.assertEqual((found.sectors, found.ideal), (sectors, sectors))
                self.assertFalse(found.gathered)

    def test_a_stride_touches_more_sectors_than_needed(self):
        for stride, sectors in ((8, 8), (32, 32), (4096, 32)):
            found = one(f"{INDEX} mul.wide.s32 %o, %i, {stride}; add.s64 %a, %base, %o;"
                        "st.global.f32 [%a+-32], %f1;")
            self.assertEqual((found.kind, found.sectors, found.ideal), ("store", sectors, 4))

    def test_where_a_pointer_points_matters_if_it_is_known(self):
        body = f"{INDEX} mul.wide.s32 %o, %i, 4; add.s64 %a, %base, %o; ld.global.f32 %v, [%a];"
        self.assertEqual(one(body).sectors, 4)
        self.assertEqual(one(body, parameters=[0x7F0000000004]).sectors, 5)
        self.assertEqual(one(body, parameters=[None, 4]).sectors, 4)

    def test_a_scalar_may_be_the_stride(self):
        body = f"""{INDEX} mul.lo.s32 %r1, %i, %size; mul.wide.s32 %o, %r1, 4;
                   add.s64 %a, %base, %o; ld.global.f32 %v, [%a];"""
        self.assertEqual(one(body).sectors, 32)
        self.assertEqual(one(body, parameters=[None, None, 1]).sectors, 4)

    def test_one_address_for_all_is_one_sector(self):
        found = one("ld.global.f32 %v, [%base+12];")
        self.assertEqual((found.sectors, found.ideal), (1, 1))

    def test_threads_of_wide_blocks_are_counted_along_x_first(self):
        body = """mov.u32 %x, %tid.x; mov.u32 %y, %tid.y; mad.lo.s32 %r1, %y, 1024, %x;
                  mul.wide.u32 %o, %r1, 4; add.s64 %a, %base, %o; ld.global.f32 %v, [%a];"""
        self.assertEqual(one(body, (32, 8, 1)).sectors, 4)
        self.assertEqual(one(body, (8, 8, 4)).sectors, 4)  # 4 rows, a sector each
        self.assertEqual(one(body, (4, 64, 1)).sectors, 8)
        self.assertEqual(one(body, (1, 128, 1)).sectors, 32)

    def test_a_block_may_be_smaller_than_a_warp(self):
        body = f"{INDEX} mul.wide.s32 %o, %i, 4; add.s64 %a, %base, %o; ld.global.f32 %v, [%a];"
        self.assertEqual(one(body, (8, 1, 1)).sectors, 1)
        self.assertEqual(one(body, (40,), (3,)).sectors, 4)

    def test_nvccs_sum_of_rows(self):
        found = ptx_access.accesses(ROWS, "rows", (256, 1, 1), (512, 1, 1))
        self.assertEqual([x.depth for x in found], [1, 1, 1, 1, 1, 0])
        self.assertEqual([x.sectors for x in found], [32, 32, 32, 32, 32, 4])
        summary = ptx_access.summary(found)
        self.assertAlmostEqual(summary["global_efficiency"], 204 / 1604)
        self.assertEqual(summary["worst"], found[0])
        self.assertIn("ld.global.f32 %f12, [%rd22+-8];", ROWS.split("\n")[found[0].line - 1])

    def test_tritons_masked_vectors(self):
        found = ptx_access.accesses(TRITON_ADD, "add", (128, 1, 1), (1024, 1, 1))
        self.assertEqual([x.kind for x in found], ["load"] * 4 + ["store"] * 2)
        self.assertEqual({(x.bytes, x.sectors, x.ideal) for x in found}, {(16, 16, 16)})
        self.assertEqual(ptx_access.summary(found)["global_efficiency"], 1)

    def test_tritons_pipeline(self):
        copy, written, matrix = look(TRITON_PIPELINE, (128, 1, 1))
        self.assertEqual((copy.space, copy.kind, copy.bytes, copy.depth), ("global", "load", 16, 1))
        self.assertEqual((copy.sectors, copy.ideal), (16, 16))
        self.assertEqual((written.space, written.kind, written.conflicts), ("shared", "store", 1))
        self.assertEqual((matrix.space, matrix.kind, matrix.conflicts), ("shared", "load", 1))


class GatheredAccesses(unittest.TestCase):
    def test_an_index_from_memory_is_not_known(self):
        first, second = look(f"""{INDEX} mul.wide.s32 %o, %i, 4; add.s64 %a, %base, %o;
            ld.global.s32 %j, [%a]; mul.wide.s32 %q, %j, 4; add.s64 %b, %other, %q;
            ld.global.f32 %v, [%b];""")
        self.assertEqual((first.sectors, first.gathered), (4, False))
        self.assertEqual((second.sectors, second.gathered), (None, True))
        self.assertEqual(ptx_access.summary([first, second])["gathered_share"], .5)

    def test_an_index_that_all_lanes_read_from_one_place_is_a_base(self):
        _, second = look("""ld.global.u64 %row, [%base]; mov.u32 %t, %tid.x; cvt.u64.u32 %w, %t;
            mad.lo.s64 %q, %row, 128, %w; shl.b64 %q, %q, 2; add.s64 %b, %other, %q;
            ld.global.f32 %v, [%b];""")
        self.assertEqual((second.sectors, second.gathered), (4, False))

    def test_what_is_not_followed_is_not_known(self):
        for make in ("frobnicate.u32 %j, %t;", "cvt.rzi.s32.f32 %j, %f1;", "add.f32 %j, %t, %t;",
                     "atom.global.add.u32 %j, [%base], 1;", "call.uni (%j), f, (%t);",
                     "{ .reg .u32 x; add.u32 x, %nowhere, 1; mov.u32 %j, x; }",
                     "shfl.sync.up.b32 %j|%p1, %t, 1, 0, -1;", "vote.sync.ballot.b32 %j, %p, -1;"):
            with self.subTest(make):
                found = look(f"mov.u32 %t, %tid.x; {make} mul.wide.u32 %q, %j, 4;"
                             "add.s64 %b, %other, %q; ld.global.f32 %v, [%b];")
                self.assertTrue(found[-1].gathered)

    def test_a_value_that_only_one_way_loads_is_not_known(self):
        found = look(f"""{INDEX} mul.wide.s32 %o, %i, 4; add.s64 %a, %base, %o;
            mov.u32 %j, %i; setp.gt.f32 %p1, %f1, %f2; @%p1 bra $END; ld.global.u32 %j, [%a];
            $END: mul.wide.s32 %q, %j, 4; add.s64 %b, %other, %q; ld.global.f32 %v, [%b];""")
        self.assertTrue(found[-1].gathered)


class SharedAccesses(unittest.TestCase):
    def test_columns_of_a_tile_conflict_unless_it_is_padded(self):
        padded = ptx_access.accesses(TILE, "tile33", (32, 8, 1), (64, 64, 1))
        plain = ptx_access.accesses(TILE.replace("132", "128"), "tile33", (32, 8, 1), (64, 64, 1))
        for found, conflicts in ((padded, 1), (plain, 32)):
            self.assertEqual(len(found), 16)
            self.assertEqual({x.sectors for x in found if x.space == "global"}, {4})
            self.assertEqual({x.conflicts for x in found
                              if x.space == "shared" and x.kind == "store"}, {1})
            self.assertEqual({x.conflicts for x in found
                              if x.space == "shared" and x.kind == "load"}, {conflicts})
        self.assertEqual(ptx_access.summary(padded)["shared_conflicts"], 1)
        self.assertEqual(ptx_access.summary(padded)["shared_share"], .5)
        self.assertEqual(ptx_access.summary(plain)["shared_conflicts"], 16.5)
        self.assertEqual(ptx_access.summary(plain)["worst"].conflicts, 32)

    def test_words_of_one_bank_conflict(self):
        for stride, conflicts in ((4, 1), (8, 2), (12, 1), (64, 16), (128, 32), (132, 1), (0, 1),
                                  (1, 1), (2, 1)):
            found = tile(f"mad.lo.s32 %a, %t, {stride}, %s;", "ld.shared.f32 %v, [%a];")
            self.assertEqual((found.conflicts, found.sectors), (conflicts, None), stride)

    def test_wide_accesses_are_made_in_parts(self):
        for kind, stride, conflicts in (("f64", 8, 1), ("v2.f32", 16, 2), ("v4.f32", 16, 1),
                                        ("v4.f32", 32, 2), ("v4.f32", 128, 8), ("f64", 128, 16)):
            found = tile(f"mad.lo.s32 %a, %t, {stride}, %s;", f"st.shared.{kind} [%a], %v;")
            self.assertEqual(found.conflicts, conflicts, (kind, stride))

    def test_rows_of_matrices(self):
        for stride, conflicts in ((16, 1), (128, 8), (144, 1), (64, 4)):
            found = tile(f"mad.lo.s32 %a, %t, {stride}, %s;",
                         "ldmatrix.sync.aligned.m8n8.x4.trans.shared::cta.b16 {%r1, %r2}, [%a];")
            self.assertEqual((found.bytes, found.conflicts), (16, conflicts), stride)

    def test_generic_addresses_say_whose_memory_they_are_in(self):
        generic = "cvt.u64.u32 %g, %s; cvta.shared.u64 %g, %g; mad.wide.u32 %a, %t, 8, %g;"
        found = tile(generic, "ld.f32 %v, [%a];")
        self.assertEqual((found.space, found.conflicts), ("shared", 2))
        found = tile(generic + "cvta.to.shared.u64 %a, %a; cvt.u32.u64 %a, %a;",
                     "ld.shared.f32 %v, [%a];")
        self.assertEqual(found.conflicts, 2)
        self.assertEqual(tile("", "ld.f32 %v, [%base];").space, "global")
        self.assertEqual(look("mov.u64 %a, depot; cvta.local.u64 %a, %a; st.u32 [%a], %v;"), [])

    def test_other_memories_and_engines_do_not_count(self):
        self.assertEqual(look("""ld.const.f32 %v, [c]; st.local.u32 [%l], %v; ld.param.u32 %w, [p2];
            mbarrier.init.shared::cta.b64 [%m], 1; cp.async.bulk.commit_group; fence.proxy.async;
            cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%s],
              [%d, {%r1, %r2}], [%m]; wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 {%f1, %f2},
              %rd1, %rd2, 1, 1, 1, 0, 0; st.async.shared::cluster.u32 [%s], %v, [%m];
            prefetch.global.L2 [%base]; tex.2d.v4.f32.f32 {%f1, %f2, %f3, %f4}, [t, {%f5, %f6}];
            """), [])


class Atomics(unittest.TestCase):
    def test_all_lanes_at_one_address(self):
        found = one("atom.global.add.f32 %f1, [%base], %f2;")
        self.assertEqual((found.kind, found.bytes, found.sectors, found.same), ("atomic", 4, 1, 32))
        summary = ptx_access.summary([found])
        self.assertEqual((summary["atomics_same"], summary["atomics_share"]), (1, 1))
        self.assertEqual(summary["worst"], found)
        self.assertIsNone(summary["global_efficiency"])

    def test_an_address_for_each_lane(self):
        found = one(f"{INDEX} mul.wide.s32 %o, %i, 4; add.s64 %a, %base, %o;"
                    "red.relaxed.gpu.global.add.u32 [%a], 1;")
        self.assertEqual((found.same, found.sectors), (1, 4))

    def test_bins_from_memory_are_not_known(self):
        found = look("""mov.u32 %t, %tid.x; mul.wide.u32 %o, %t, 4;
            add.s64 %a, %base, %o; ld.global.u32 %j, [%a]; mov.u32 %s, tile; add.u32 %j, %j, %s;
            atom.shared.add.u32 %r1, [%j], 1;""", shared=".shared .b8 tile[64];")[-1]
        self.assertEqual((found.space, found.kind, found.gathered), ("shared", "atomic", True))
        self.assertEqual((found.same, found.conflicts), (None, None))

    def test_one_thread_for_its_warp_or_its_block(self):
        for source, active in (("%laneid", 1), ("%tid.x", 1), ("%warpid", 32)):
            found = one(f"""mov.u32 %t, {source}; setp.ne.s32 %p1, %t, 0; @%p1 bra $END;
                            atom.global.add.f32 %f1, [%base], %f2; $END: bar.sync 0;""")
            self.assertEqual(found.same, active, source)


class Flow(unittest.TestCase):
    def test_loops_within_loops(self):
        found = look("""ld.global.u32 %v, [%base]; $OUTER: ld.global.u32 %v, [%base];
            $INNER: ld.global.u32 %v, [%base]; @%p1 bra $INNER; ld.global.u32 %v, [%base];
            @%p2 bra $OUTER; ld.global.u32 %v, [%base];""")
        self.assertEqual([x.depth for x in found], [0, 1, 2, 1, 0])
        self.assertEqual([x.weight for x in found], [1, 10, 100, 10, 1])

    def test_a_loop_is_seen_as_it_begins(self):
        found = look(f"""{INDEX} mul.wide.s32 %o, %i, 4; add.s64 %a, %base, %o; mov.u32 %k, 0;
            $NEXT: setp.ge.s32 %p1, %k, 4096; @%p1 bra $END; ld.global.f32 %v, [%a];
            add.s64 %a, %a, 4096; add.s32 %k, %k, 1; bra.uni $NEXT;
            $END: setp.ne.s32 %p2, %t, 0; @%p2 bra $OUT; atom.global.add.f32 %f, [%base], %v;
            $OUT:""")
        self.assertEqual([(x.depth, x.sectors) for x in found], [(1, 4), (0, 1)])
        self.assertEqual(found[1].same, 1, "the first thread comes out of the loop, too")

    def test_lanes_that_go_another_way_do_not_count(self):
        branch, predicated, negated = look(f"""mov.u32 %t, %laneid; mul.wide.u32 %o, %t, 32;
            add.s64 %a, %base, %o; setp.ge.u32 %p1, %t, 8; @%p1 bra $END; ld.global.u32 %v, [%a];
            $END: @%p1 ld.global.u32 %v, [%a]; @!%p1 st.global.u32 [%a], %v;""")
        self.assertEqual([x.sectors for x in (branch, predicated, negated)], [8, 24, 8])
        self.assertEqual([x.ideal for x in (branch, predicated, negated)], [1, 3, 1])

    def test_ways_that_come_together_leave_each_lane_its_own_value(self):
        found = look("""mov.u32 %t, %laneid; setp.lt.u32 %p1, %t, 16; @%p1 bra $LOW;
            add.u32 %j, %t, 1000; bra.uni $END; $LOW: mul.lo.u32 %j, %t, 8;
            $END: mul.wide.u32 %o, %j, 4; add.s64 %a, %base, %o; ld.global.u32 %v, [%a];""")
        self.assertEqual(found[0].sectors, 16 + 2)

    def test_a_way_that_no_lane_goes_is_looked_at_but_changes_nothing(self):
        hidden, after = look("""mov.u32 %t, %tid.x; setp.lt.u32 %p1, %t, 5000; mov.u32 %j, %t;
            @%p1 bra $END; mul.lo.u32 %j, %t, 8; mul.wide.u32 %o, %j, 4; add.s64 %a, %base, %o;
            ld.global.u32 %j, [%a]; $END: mul.wide.u32 %o, %j, 4; add.s64 %a, %base, %o;
            ld.global.u32 %v, [%a];""")
        self.assertEqual((hidden.sectors, after.sectors), (32, 4))

    def test_branches_through_tables(self):
        found = look("""$T: .branchtargets $A, $B; brx.idx %r1, $T; $A: ld.global.u32 %v, [%base];
            bra.uni $END; $B: ld.global.u64 %v, [%base]; $END: st.global.u8 [%base], %v;""")
        self.assertEqual([x.bytes for x in found], [4, 8, 1])


class Arithmetic(unittest.TestCase):
    def check(self, text, expected, *sources):
        got = compute(tuple(text.split(".")), [uniform(x) for x in sources])
        self.assertEqual(got, uniform(expected), text)

    def test_widths_and_signs(self):
        self.check("add.s32", 0, 2**32 - 1, 1)
        self.check("sub.s64", 2**64 - 1, 0, 1)
        self.check("mul.lo.s32", 2**32 - 6, 2**32 - 3, 2)
        self.check("mul.hi.u32", 1, 2**31, 2)
        self.check("mul.hi.s32", 2**32 - 1, 2**31, 2)
        self.check("mul.wide.s32", 2**64 - 4, 2**32 - 1, 4)
        self.check("mul.wide.u32", (2**32 - 1) * 4, 2**32 - 1, 4)
        self.check("mad.wide.s32", 2**40 - 4, 2**32 - 1, 4, 2**40)
        self.check("mad.lo.s32", 17, 3, 4, 5)
        self.check("div.s32", 2**32 - 3, 2**32 - 7, 2)
        self.check("rem.s32", 2**32 - 1, 2**32 - 7, 2)
        self.check("div.u32", 2**32 - 1, 3, 0)
        self.check("min.s32", 2**32 - 1, 2**32 - 1, 1)
        self.check("max.u32", 2**32 - 1, 2**32 - 1, 1)
        self.check("abs.s32", 5, 2**32 - 5)
        self.check("not.pred", 0, 1)

    def test_bits(self):
        self.check("shl.b32", 0, 1, 32)
        self.check("shl.b32", 2**31, 3, 31)
        self.check("shr.s32", 2**32 - 1, 2**31, 40)
        self.check("shr.u32", 0, 2**31, 40)
        self.check("bfe.u32", 0xB, 0xABC, 4, 4)
        self.check("bfe.s32", 2**32 - 5, 0xABC, 4, 4)
        self.check("bfi.b32", 0xAFC, 0xF, 0xABC, 4, 4)
        self.check("lop3.b32", 0b1100 & 0b1010 | 0b0001, 0b1100, 0b1010, 0b0001, 0xEA)
        self.check("prmt.b32", 0x44332211, 0x44332211, 0x88776655, 0x3210)
        self.check("prmt.b32", 0x55441188, 0x44332211, 0x88776655, 0x4307)
        self.check("shf.l.wrap.b32", 0x23456788, 0x89ABCDEF, 0x12345678, 4)
        self.check("shf.r.wrap.b32", 0x889ABCDE, 0x89ABCDEF, 0x12345678, 4)
        self.check("popc.b32", 3, 0b10101)
        self.check("clz.b32", 28, 0b1010)
        self.check("brev.b32", 2**31, 1)

    def test_comparisons_and_conversions(self):
        self.assertEqual(compare(("setp", "lt", "s32"), [uniform(-1), uniform(0)])[0], uniform(1))
        self.assertEqual(compare(("setp", "lt", "u32"), [uniform(-1), uniform(0)])[0], uniform(0))
        both = compare(("setp", "eq", "and", "b32"), [uniform(1), uniform(1), uniform(0)])
        self.assertEqual(both, (uniform(0), uniform(0)))
        self.assertEqual(convert(("cvt", "s64", "s32"), uniform(2**32 - 1)), uniform(-1))
        self.assertEqual(convert(("cvt", "u64", "u32"), uniform(-1)), uniform(2**32 - 1))
        self.assertEqual(convert(("cvt", "s32", "s8"), uniform(255)), uniform(2**32 - 1))
        self.assertIsNone(convert(("cvt", "rzi", "s32", "f32"), uniform(1)))

    def test_parts(self):
        value = pack([uniform(1), uniform(2)], 64)
        self.assertEqual(value, uniform(2 << 32 | 1))
        self.assertEqual(unpack(value, 64, 2), [uniform(1), uniform(2)])

    def test_lanes(self):
        lanes = tuple(range(32))
        name = ("shfl", "sync", "bfly", "b32")
        self.assertEqual(shuffle(name, [lanes, uniform(1), uniform(31)])[:4], (1, 0, 3, 2))
        name = ("shfl", "sync", "idx", "b32")
        self.assertEqual(shuffle(name, [lanes, uniform(5), uniform(31)]), uniform(5))
        self.assertIsNone(shuffle(name, [lanes, None, uniform(31)]))

    def test_addresses(self):
        there = to_generic(("cvta", "shared", "u64"), uniform(64))
        self.assertNotEqual(there, uniform(64))
        self.assertEqual(to_generic(("cvta", "to", "shared", "u64"), there), uniform(64))
        self.assertEqual(to_generic(("cvta", "to", "global", "u64"), uniform(64)), uniform(64))

    def test_literals(self):
        for text, value in (("12", 12), ("-1", -1), ("0x1F", 31), ("017", 15), ("0b101", 5),
                            ("7U", 7), ("0f3F800000", 0x3F800000)):
            self.assertEqual(number(text), uniform(value), text)
        for text in ("", "-", "1.5", "0x", "0f", "1" * 10000):
            self.assertIsNone(number(text), text)


class Reading(unittest.TestCase):
    def test_kernels_by_name(self):
        text = """// .entry no()
            .func f() { ret; }
            .visible .entry a(.param .u32 x) { {ret;}\n}
            /* .entry b() { */ .entry c\n{ ret; }
            """
        found = ptx_access.kernels(text)
        self.assertEqual(list(found), ["a", "c"])
        self.assertTrue(found["a"].endswith("{ret;}\n}"))
        self.assertEqual(ptx_access.accesses(text, "b", (1, 1, 1), (1, 1, 1)), [])

    def test_structures_by_value(self):
        text = """.entry k(.param .align 8 .b8 k_param_0[24]) { ld.param.u64 %rd1, [k_param_0+8];
            ld.param.u32 %n, [k_param_0+16]; cvta.to.global.u64 %rd2, %rd1; mov.u32 %t, %tid.x;
            mad.wide.u32 %a, %t, 4, %rd2; ld.global.f32 %v, [%a]; ret; }"""
        found = ptx_access.accesses(text, "k", (32, 1, 1), (1, 1, 1), [3])
        self.assertEqual([x.sectors for x in found], [4])

    def test_nothing(self):
        summary = ptx_access.summary([])
        self.assertEqual(summary["shared_share"], 0)
        self.assertIsNone(summary["worst"])
        for text in ("", "{", ".entry k", ".entry k(", ".entry k() {",
                     ".entry k() { ld.global.u32"):
            self.assertEqual(ptx_access.accesses(text, "k", (32, 1, 1), (1, 1, 1)), [], text)

    def test_odd_text_raises_nothing(self):
        chance = random.Random(3)
        for _ in range(300):
            name, text = chance.choice((("rows", ROWS), ("tile33", TILE), ("add", TRITON_ADD),
                                        ("k", kernel(TRITON_PIPELINE))))
            text = list(text)
            for _ in range(20):
                text[chance.randrange(len(text))] = chance.choice("{}[];:,.%@!|+-0x9 \n\0~é")
            found = ptx_access.accesses("".join(text), name, (chance.randrange(300), 2, 1), (9,),
                                        [chance.choice((None, -1, 1 << 70, 7))])
            ptx_access.summary(found)

    def test_long_texts_take_little_time(self):
        loop = TRITON_PIPELINE.replace("$LOOP", "$LOOP{0}").replace("{", "{{").replace("}", "}}")
        loop = loop.replace("{{0}}", "{0}")
        texts = [kernel("".join(loop.format(i) for i in range(110))),
                 kernel("".join(f"L{i}: add.u32 %r{i}, %r{i + 1}, 1; @%p{i} bra L{i // 2};"
                                for i in range(2500))),
                 kernel("".join(f"L{i}: " for i in range(9))
                        + "brx.idx %r1, T; T: .branchtargets L1, L2;" * 2000),
                 *(".entry k() {" + x * 50000 for x in (".shared ", "[1+", "}{", "!", "/*", ";"))]
        for text in texts:
            begin = time.process_time()
            ptx_access.accesses(text, "k", (256, 1, 1), (64, 1, 1))
            self.assertLess(time.process_time() - begin, 2, text[:400])

    def test_what_is_too_long_is_read_in_part(self):
        text = kernel("ld.global.u32 %v, [%base];" * 2 * reader.MOST_INSTRUCTIONS)
        found = ptx_access.accesses(text, "k", (32, 1, 1), (1, 1, 1))
        self.assertEqual(len(found), reader.MOST_INSTRUCTIONS - 5)


if __name__ == "__main__":
    unittest.main()
