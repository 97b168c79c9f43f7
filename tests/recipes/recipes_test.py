"""What the passes under configs/recipes make of models, and what they decline."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

import models

ROOT = pathlib.Path(__file__).parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "gpu/processes"))
import recipes

PASSES = {x.stem: x.read_text() for x in (ROOT / "configs/recipes").glob("*.py")}
COMPILED = ["compile", "compile_max_autotune", "freeze"]
EAGER = [x for x in PASSES if x not in COMPILED]


def drafts_of(task, wanted, **options):
    book = recipes.compose(task, PASSES, wanted, options.pop("mode", "eval"), **options)
    return {x["label"]: x["source"] for x in book["drafts"]}


def reason(task, name, mode="eval"):
    """Returns why a pass is declined, or "" for a draft."""
    book = recipes.compose(task, PASSES, [name], mode, "half")
    assert (book["usable"] == [name]) != bool(book["declined"]), book
    return book["declined"][0].removeprefix(f"{name}: ") if book["declined"] else ""


def errors(cases, device="cpu"):
    """Returns {(task's name, label): error} (see compare.py) for (name, task, drafts) cases."""
    with tempfile.TemporaryDirectory() as folder:
        for name, task, drafts in cases:
            for label, source in {"task": task, **drafts}.items():
                path = pathlib.Path(folder, name, f"{label}.py")
                path.parent.mkdir(exist_ok=True)
                path.write_text(source)
        script = pathlib.Path(__file__).with_name("compare.py")
        names = [name for name, _, _ in cases]
        command = [sys.executable, "-I", "-W", "ignore", script, device, *names]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise AssertionError(done.stderr)
        found = json.loads(done.stdout.splitlines()[-1])
    return {(name, label): found[name][label] for name, _, drafts in cases for label in drafts}


class drafts_case(unittest.TestCase):
    def assert_same_outputs(self, cases):
        for where, error in errors(cases).items():
            allowed = 0.1 if "bfloat16" in where[1] or "autocast" in where[1] else 1e-5
            self.assertIsInstance(error, float, f"{where}: {error}")
            self.assertLess(error, allowed, where)


class recipes_test(drafts_case):
    # -- drafts that run without Lathe -----------------------------------------------

    def test_drafts_keep_the_outputs_of_small_models(self):
        convolutions = drafts_of(models.CONVOLUTIONS, EAGER, tolerance="half")
        self.assertLessEqual(
            {"fold", "channels_last", "trace", "bfloat16", "autocast", "fold+channels_last",
             "fold+trace", "bfloat16+trace"}, set(convolutions))
        perceptron = drafts_of(models.PERCEPTRON, EAGER, tolerance="half")
        self.assertEqual({"bfloat16", "autocast"}, set(perceptron))
        self.assert_same_outputs([
            ("convolutions", models.CONVOLUTIONS, convolutions),
            ("perceptron", models.PERCEPTRON, perceptron),
        ])

    # -- fold ----------------------------------------------------------------------------

    def test_fold_finds_pairs_in_sequences_and_in_forward(self):
        fold = recipes.load("fold_pass", PASSES["fold"])
        model, _ = recipes.build(recipes.Sources(models.CONVOLUTIONS), "eval")
        self.assertEqual(
            {("0", "1"), ("convolution", "norm")}, {pair[1:] for pair in fold.foldable(model)})
        self.assertEqual(4, len(fold.foldable(model)))
        self.assertEqual([], fold.foldable(fold.rewrite(model)))

    def test_fold_leaves_pairs_alone_that_are_not_pairs(self):
        self.assertEqual(
            "no batch norm comes right after a convolution or linear layer",
            reason(models.UNFOLDABLE, "fold"))

    def test_fold_leaves_a_pair_that_does_not_fit_and_folds_the_others(self):
        cases = []
        for number, pair in enumerate(models.PAIRS):
            task = models.half_foldable(pair)
            drafts = drafts_of(task, ["fold"])
            self.assertEqual(["fold"], list(drafts), pair)
            model = recipes.load("draft", drafts["fold"]).ModelNew().model
            self.assertIsInstance(model.good[1], recipes.torch.nn.Identity, pair)
            cases.append((f"pair{number}", task, drafts))
        self.assert_same_outputs(cases)

    def test_fold_says_why_no_pair_is_left(self):
        other = "batch norm is over another dimension than the layer's features"
        for pair in models.PAIRS:
            why = "a transposed convolution has groups" if "groups" in pair else other
            found = reason(models.half_foldable(pair, good=False), "fold")
            self.assertEqual(f"no batch norm can be folded: {why}", found, pair)
        self.assertEqual(f"no batch norm can be folded: {other}", reason(models.UNBATCHED, "fold"))

    def test_fold_takes_norms_without_weights(self):
        drafts = drafts_of(models.PLAIN_NORMS, ["fold"])
        self.assert_same_outputs([("plain", models.PLAIN_NORMS, drafts)])
        model = recipes.load("draft", drafts["fold"]).ModelNew().model
        self.assertIsInstance(model.good[1], recipes.torch.nn.Identity)
        self.assertIsInstance(model.pair[2], recipes.torch.nn.Identity)

    def test_a_folded_linear_layer_is_right_for_inputs_of_other_dimensions(self):
        task = models.half_foldable("nn.Linear(6, 4), nn.BatchNorm1d(4)", good=False)
        task = task.replace("*[6] * 1", "6").replace("torch.randn(2, 4, 6)", "torch.randn(2, 6)")
        drafts = drafts_of(task, ["fold"])
        recipes.torch.manual_seed(0)
        model = recipes.load("task", task).Model().eval()
        recipes.torch.manual_seed(0)
        draft = recipes.load("draft", drafts["fold"]).ModelNew()
        for x in (recipes.torch.randn(2, 6), recipes.torch.randn(2, 4, 6)):
            recipes.torch.testing.assert_close(draft(x), model(x))

    def test_fold_declines_what_has_no_batch_norm(self):
        self.assertEqual("no batch norm", reason(models.PERCEPTRON, "fold"))

    # -- attention -----------------------------------------------------------------------

    def kernel_options(self, task):
        """Returns the options of the one attention kernel that a task's rewritten model calls."""
        source = drafts_of(task, ["attention"])["attention"]
        model = recipes.load("draft", source).ModelNew().eval().model
        (call,) = [x for x in model.attention.graph.nodes if "attention" in str(x.target)]
        return call.kwargs

    def test_attention_that_is_written_out_becomes_one_kernel(self):
        cases = []
        for name in models.SCORES:
            task = models.written_out(name)
            cases.append((name, task, drafts_of(task, ["attention"])))
            self.assertEqual(["attention"], list(cases[-1][2]), name)
        self.assert_same_outputs(cases)

    def test_a_causal_mask_is_told_from_others(self):
        self.assertIs(True, self.kernel_options(models.written_out("causal"))["is_causal"])
        for name in ("hidden", "added"):
            self.assertIn("attn_mask", self.kernel_options(models.written_out(name)))
        divided = self.kernel_options(models.written_out("divided"))
        self.assertEqual({"scale": 1 / 8}, dict(divided))

    def test_attention_leaves_alone_what_is_no_attention(self):
        for scores in ("scores = scores * self.odd[:T, :T]",  # a factor for each weight
                       "scores = torch.softmax(scores, dim=2)",
                       "scores = (scores * 3).relu()"):
            task = models.written_out(scores).replace("torch.softmax(scores, dim=-1)", "scores")
            self.assertIn("no attention", reason(task, "attention"), scores)
        self.assertIn("no attention", reason(models.PERCEPTRON, "attention"))

    def test_attention_leaves_alone_what_other_inputs_or_places_would_give_away(self):
        hides = "scores.masked_fill(x[:, None, :, :6] > 9, float('-inf'))"  # none in this draw
        keyword = "scores.masked_fill(mask=self.odd[:T, :T] == 1, value=-1e9)"
        for scores in ("scores.masked_fill_(x[:, None, :, :6] > 9, -1e9)",  # in place, and in vain
                       f"scores = {hides}",
                       f"scores = {keyword}",
                       "self.seen = scores; scores = scores.to(next(self.parameters()).device)"):
            self.assertIn("no attention", reason(models.written_out(scores), "attention"), scores)
        both = models.written_out("plain").replace("return (weights @ v)", "kept = weights.sum()\n"
                                                   "        return kept + (weights @ v)")
        self.assertIn("no attention", reason(both, "attention"))

    def test_attention_and_fold_go_together(self):
        convolutions = models.CONVOLUTIONS.replace("self.head(images.mean((2, 3)))",
                                                   "self.attend(self.head(images.mean((2, 3))))")
        attends = """    def attend(self, x):
        return (torch.softmax(x @ x.transpose(-2, -1), dim=-1) @ x)

    def forward(self, x):
        images"""
        task = convolutions.replace("    def forward(self, x):\n        images", attends)
        book = recipes.go_on(task, PASSES, ["fold", "attention"], {"fold": 2.0, "attention": 1.5},
                             "eval")
        self.assertEqual(([], ["fold+attention"]),
                         (book["declined"], [x["label"] for x in book["drafts"]]))

    def test_attention_weights_that_nobody_reads_are_not_asked_for(self):
        draft = drafts_of(models.MULTIHEAD, ["attention"])
        self.assert_same_outputs([("multihead", models.MULTIHEAD, draft)])
        read = models.MULTIHEAD.replace("return y + x", "return y + x, weights")
        self.assertIn("whose weights nobody reads", reason(read, "attention"))

    # -- other passes ----------------------------------------------------------------------

    def test_channels_last_declines_what_has_no_convolution_or_no_image(self):
        self.assertEqual("no convolution", reason(models.PERCEPTRON, "channels_last"))
        self.assertEqual("no 4-D input", reason(models.UNFOLDABLE, "channels_last"))

    def test_trace_declines_control_flow_that_depends_on_data(self):
        self.assertRegex(reason(models.BRANCH, "trace"), "depend on data .*_local_scalar_dense")
        self.assertRegex(reason(models.HIDDEN_BRANCH, "trace"), "depend on data .*tolist")

    def test_trace_declines_every_way_in_which_a_condition_reads_data(self):
        for condition, name in models.GUARDS.items():
            with self.subTest(condition):
                found = reason(models.guarded(condition), "trace")
                self.assertIn("control flow or shapes depend on data (", found)
                self.assertIn(name, found.partition("(")[2].rstrip(")").split(", "))

    def test_trace_takes_operators_whose_data_stays_in_tensors(self):
        for value in models.UNGUARDED:
            with self.subTest(value):
                self.assertEqual("", reason(models.unguarded(value), "trace"))

    def test_trace_declines_an_encoder_that_looks_where_the_padding_is(self):
        self.assertRegex(reason(models.PADDED, "trace"), "depend on data .*left_aligned")

    def test_the_address_of_what_is_on_a_gpu_tells_nothing_of_its_values(self):
        elsewhere = recipes.torch.empty(1, device="meta")
        for name in ("data_ptr", "untyped_storage"):
            self.assertFalse(recipes.reads(name, [elsewhere], {}))
            self.assertTrue(recipes.reads(name, [recipes.torch.empty(1)], {}))

    def test_names_of_operators_tell_whether_data_decides(self):
        depends = recipes.data_dependence
        self.assertEqual("", depends({"addmm", "relu", "index", "no_such_operator", "__class__"}))
        self.assertEqual("control flow or shapes depend on data (equal, index by a mask)",
                         depends({"relu", "index by a mask", "equal"}))

    def test_trace_declines_a_model_with_a_memory(self):
        self.assertRegex(reason(models.MEMORY, "trace"), "other outputs the second time")

    def test_trace_declines_inputs_that_are_not_tensors(self):
        self.assertEqual("inputs that are not tensors", reason(models.SCALED, "trace"))

    def test_trace_declines_a_model_that_returns_a_dictionary(self):
        self.assertRegex(reason(models.PERCEPTRON, "trace"), "^cannot be traced: ")

    def test_a_traced_model_takes_inputs_of_other_shapes(self):
        source = drafts_of(models.SOFTMAX, ["trace"])["trace"]
        model = recipes.load("draft", source).ModelNew()
        for rows in (4, 1, 7):
            x = recipes.torch.randn(rows, 16)
            self.assertTrue(recipes.torch.allclose(model(x), x.softmax(-1)))

    def test_a_model_that_calls_itself_through_a_closure_is_rewritten_as_a_whole(self):
        self.assertEqual("", reason(models.written_out("causal"), "bfloat16"))

    def test_autocast_takes_what_bfloat16_weights_cannot(self):
        self.assertRegex(reason(models.FLOAT_MASK, "bfloat16"), "^does not run in bfloat16: ")
        self.assertEqual("", reason(models.FLOAT_MASK, "autocast"))

    def test_a_model_without_parameters_or_products_is_left_to_compile_and_trace(self):
        self.assertEqual("no parameters to freeze", reason(models.SOFTMAX, "freeze"))
        tuned = reason(models.SOFTMAX, "compile_max_autotune")
        self.assertEqual("no matrix product to tune", tuned)
        for name in ("bfloat16", "autocast"):
            self.assertEqual("no matrix product to gain from it", reason(models.SOFTMAX, name))
        drafts = drafts_of(models.SOFTMAX, PASSES, tolerance="half")
        self.assertEqual({"compile", "trace"}, set(drafts))

    def test_many_different_products_are_not_tuned(self):
        def deep(width, step):
            return f"""
import torch

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        sizes = [8 + {step} * i for i in range({width} + 1)]
        self.layers = torch.nn.Sequential(*map(torch.nn.Linear, sizes, sizes[1:]))

    def forward(self, x):
        return self.layers(x)

def get_inputs():
    return [torch.randn(2, 8)]

def get_init_inputs():
    return []
"""

        self.assertEqual("", reason(deep(8, 1), "compile_max_autotune"))
        self.assertEqual("", reason(deep(20, 0), "compile_max_autotune"), "one that repeats")
        self.assertEqual(
            "9 different matrix products and convolutions would take minutes to tune",
            reason(deep(9, 1), "compile_max_autotune"),
        )

    def test_training_mode_declines_what_changes_batch_norm_or_freezes_weights(self):
        for name in ("fold", "attention", "trace", "freeze", "bfloat16"):
            self.assertRegex(reason(models.CONVOLUTIONS, name, "train"), "training", name)
        for name in ("compile", "channels_last", "autocast"):
            self.assertEqual("", reason(models.CONVOLUTIONS, name, "train"), name)
        source = drafts_of(models.CONVOLUTIONS, ["channels_last"], mode="train")["channels_last"]
        self.assertTrue(recipes.load("draft", source).ModelNew(8).model.model.training)

    def test_passes_for_a_gpu_are_declined_on_a_cpu(self):
        for name in ("graph", "cudnn_benchmark", "tf32", "float16", "compile_reduce_overhead"):
            self.assertRegex(reason(models.CONVOLUTIONS, name), "^no GPU", name)

    def test_a_graph_is_forgotten_when_the_weights_move(self):
        graph = recipes.load("graph_pass", PASSES["graph"])
        model = recipes.torch.nn.Sequential(graph.rewrite(recipes.torch.nn.Linear(2, 2)))
        model[0].captures["a"] = "graph"
        model.double()
        self.assertEqual({}, model[0].captures)

    def test_outputs_that_are_no_rounded_ones_are_told(self):
        x = recipes.torch.ones(8)
        for got, reason in ((x.half() * 1.001, ""), (x / 0, "outputs leave the range"),
                            (x * 1.2, "outputs are far from float32's")):
            found = recipes.half_precision_fails({"a": got, "b": 3}, {"a": x, "b": 3})
            self.assertEqual(found.startswith(reason), True, found)
            self.assertEqual(bool(found), bool(reason))

    def test_half_precision_needs_a_tolerance_that_allows_it(self):
        for tolerance, labels in (("fp32", []), ("kernelbench", []), ("tf32", []),
                                  ("half", ["bfloat16"]), ("pike", ["bfloat16"])):
            drafts = drafts_of(models.FLOAT_MASK.replace("torch.full((4, 4), 0.5).triu() @ ", ""),
                               ["bfloat16"], tolerance=tolerance)
            self.assertEqual(labels, list(drafts), tolerance)

    def test_the_example_in_the_documentation_is_a_pass_that_works(self):
        text = (ROOT / "docs/recipes.md").read_text()
        passes = {"drop": text.split("```python\n")[1].split("```")[0]}
        task = models.PERCEPTRON.replace("nn.GELU()", "nn.Dropout(0.5)")
        book = recipes.compose(task, passes, ["drop"], "eval")
        model = recipes.load("draft", book["drafts"][0]["source"]).ModelNew()
        self.assertNotIn("Dropout", str(model))
        for task, mode, line in ((models.PERCEPTRON, "eval", "drop: no dropout"),
                                 (task, "train", "drop: dropout works in training")):
            book = recipes.compose(task, passes, ["drop"], mode)
            self.assertEqual([line], book["declined"])

    def test_every_shipped_pass_is_documented(self):
        text = (ROOT / "docs/recipes.md").read_text()
        for name in PASSES:
            self.assertIn(f"\n| `{name}` |", text)

    def test_no_compiler_means_no_compiled_drafts(self):
        with unittest.mock.patch.dict("os.environ", CXX="no-such-compiler"):
            for name in COMPILED:
                self.assertEqual("no C++ compiler (no-such-compiler)", reason(models.BRANCH, name))


class drafts_long_test(drafts_case):
    """Drafts that take long to compile, or are many."""

    def test_compiled_drafts_keep_the_outputs(self):
        compiled = drafts_of(models.CONVOLUTIONS, ["fold", "compile"])
        self.assertEqual({"fold", "compile", "fold+compile"}, set(compiled))
        only = {"fold+compile": compiled["fold+compile"]}
        self.assert_same_outputs([("compiled", models.CONVOLUTIONS, only)])

    def test_drafts_keep_the_outputs_of_the_example_tasks(self):
        wanted = ["fold", "channels_last", "trace"]
        tasks = sorted((ROOT / "configs/tasks").glob("*.py"))
        cases = [(x.stem, x.read_text(), drafts_of(x.read_text(), wanted)) for x in tasks]
        self.assertGreater(sum(len(drafts) for _, _, drafts in cases), 0)
        self.assert_same_outputs(cases)


if __name__ == "__main__":
    unittest.main()
