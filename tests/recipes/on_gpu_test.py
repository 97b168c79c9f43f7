"""What passes do on a GPU: which apply, and that drafts give the model's outputs there.

    python3 tests/recipes/on_gpu_test.py

needs a GPU, and no Lathe.
"""

import sys
import unittest

import models
import recipes_test
from recipes_test import PASSES, recipes

# Passes that take no compiler; those that do are in one chain each.
QUICK = [x for x in PASSES if x not in (*recipes_test.COMPILED, "compile_reduce_overhead")]
TF32 = 5e-3  # how far convolutions and products in TF32 may be apart, in spreads of the output
HALF = 2e-2


def drafts_of(task, wanted):
    book = recipes.compose(task, PASSES, wanted, "eval", "pike", "cuda", 20)
    return {x["label"]: x["source"] for x in book["drafts"]}


def reason(task, name):
    book = recipes.compose(task, PASSES, [name], "eval", "pike", "cuda")
    return book["declined"][0].removeprefix(f"{name}: ") if book["declined"] else ""


@unittest.skipUnless(recipes.torch.cuda.device_count(), "there is no GPU")
class on_gpu_test(unittest.TestCase):
    def assert_same_outputs(self, cases):
        for where, error in recipes_test.errors(cases, "cuda").items():
            self.assertIsInstance(error, float, f"{where}: {error}")
            half = "float16" in where[1] or "autocast" in where[1]
            self.assertLess(error, HALF if half else TF32, where)

    def test_drafts_without_a_compiler_keep_the_outputs(self):
        causal = models.written_out("causal")
        cases = [("convolutions", models.CONVOLUTIONS, drafts_of(models.CONVOLUTIONS, QUICK)),
                 ("attention", causal, drafts_of(causal, QUICK)),
                 ("scaled", models.SCALED, drafts_of(models.SCALED, ["graph"]))]
        self.assertLessEqual({"fold", "channels_last", "float16", "autocast", "graph",
                              "cudnn_benchmark"}, set(cases[0][2]))
        self.assertLessEqual({"attention", "graph", "tf32", "float16"}, set(cases[1][2]))
        self.assertEqual({"graph"}, set(cases[2][2]))
        self.assert_same_outputs(cases)

    def test_compiled_drafts_keep_the_outputs(self):
        wanted = ["attention", "float16", "freeze", "graph", "compile_reduce_overhead"]
        drafts = drafts_of(models.written_out("causal"), wanted)
        labels = ("attention+float16+freeze+graph", "compile_reduce_overhead")
        chosen = {x: drafts[x] for x in labels}
        self.assert_same_outputs([("compiled", models.written_out("causal"), chosen)])

    def test_compiling_passes_wait_for_the_graph_around_them(self):
        labels = set(drafts_of(models.written_out("plain"), PASSES))
        self.assertIn("attention+freeze+graph", labels)
        self.assertFalse(labels & {"compile", "freeze", "compile_max_autotune", "trace"})

    def test_graph_declines_what_a_replay_would_get_wrong(self):
        self.assertRegex(reason(models.BRANCH, "graph"), "depend on data")
        memory = models.MEMORY.replace("torch.zeros(4, 8)", "0")
        self.assertRegex(reason(memory, "graph"), "second time")
        random = models.SOFTMAX.replace("(x, -1)", "(x + torch.rand_like(x), -1)")
        self.assertRegex(reason(random, "graph"), "second time")

    def test_a_pass_goes_on_after_one_that_breaks_the_device(self):
        broken = """
import torch
PRECISION = "fp32"
def applies(model, inputs, mode):
    torch.ones(2, device="cuda")[torch.tensor([5], device="cuda")].cpu()
    return ""
def rewrite(model):
    return model
"""
        book = recipes.compose(models.SOFTMAX, {"broken": broken, "graph": PASSES["graph"]},
                               ["broken", "graph"], "eval", "fp32", "cuda")
        self.assertRegex(book["declined"][0], "^broken: raised ")
        self.assertEqual(["graph"], [x["label"] for x in book["drafts"]])

    def test_numbers_out_of_the_range_of_float16_are_noticed(self):
        large = models.PERCEPTRON.replace("self.layers(x)", "self.layers(x) * 1e6")
        self.assertEqual("outputs leave the range of float16", reason(large, "float16"))
        self.assertEqual("", reason(large, "bfloat16"))
        within = models.PERCEPTRON.replace("self.layers(x)", "(self.layers(x) * 3000) / (1e-9 + "
                                           "(self.layers(x) * 3000).pow(2).mean(-1, True).sqrt())")
        self.assertRegex(reason(within, "float16"), "range of float16")
        self.assertEqual("", reason(within, "bfloat16"))
        self.assertRegex(reason(models.PERCEPTRON, "bfloat16"), "rounds less")


if __name__ == "__main__":
    sys.exit(unittest.main())
