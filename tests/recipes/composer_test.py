"""How passes are asked and composed, whatever they do."""

import itertools
import pathlib
import sys
import unittest
import unittest.mock

import models

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "gpu/processes"))
import recipes

PASS = '''"""Does nothing, at length.

Never declined.
"""
PRECISION = "fp32"

def applies(model, inputs, mode):
    return ""

def rewrite(model):
    return model
'''


CANDIDATE = '''\ufeffimport torch
class ModelNew(torch.nn.Module):
    """ModelNew, made by a coder."""
    def __init__(self):
        super(ModelNew, self).__init__()
        self.name = "ModelNew"  # ModelNew
    def forward(self, x):
        return (x - x.amax(-1, True)).softmax(-1)
'''


def answering(body):
    return PASS.replace('return ""', body)


def compose(passes, task=models.SOFTMAX, wanted=None, **options):
    book = recipes.compose(task, passes, wanted or list(passes), "eval", **options)
    return book["drafts"], book["declined"]


class composer_test(unittest.TestCase):
    def only_draft(self, passes, task=models.SOFTMAX):
        drafts, declined = compose(passes, task)
        self.assertEqual([], declined)
        self.assertEqual(1, len(drafts))
        return drafts[0]["source"]

    # -- passes that misbehave ---------------------------------------------------------

    def assert_declined(self, line, passes, **options):
        """The bad pass is a line, and the good one still gives its draft."""
        drafts, declined = compose({"bad": passes, "good": PASS}, **options)
        self.assertEqual(["good"], [x["label"] for x in drafts])
        self.assertEqual(1, len(declined))
        self.assertRegex(declined[0], f"^bad: {line}")

    def test_a_pass_that_raises_is_declined_with_its_reason(self):
        self.assert_declined("raised ValueError: odd$", answering('raise ValueError("odd")'))
        self.assert_declined("raised SystemExit: 3$", answering("raise SystemExit(3)"))
        self.assert_declined("raised ModuleNotFoundError: .*nowhere", "import nowhere\n" + PASS)

    def test_a_pass_that_hangs_is_declined_when_its_time_is_up(self):
        self.assert_declined("gave no answer in 0.2 s$", answering("while True: pass"), seconds=0.2)

    def test_a_pass_that_kills_its_process_is_declined(self):
        self.assert_declined("its process died$", answering("import os; os.abort()"))

    def test_a_pass_that_gives_no_reason_or_a_long_one_is_declined_in_one_line(self):
        self.assert_declined("applies.. returned None, not a reason$", answering("return None"))
        self.assert_declined("x{500}$", answering('return "x" * 100000 + "\\\\n" + "y"'))

    def test_a_pass_that_cannot_be_read_is_declined(self):
        self.assert_declined("cannot be read: .*line 1", "def applies(:")
        self.assert_declined("has no function rewrite", PASS.replace("rewrite", "write"))
        self.assert_declined("PRECISION has to be one of", PASS.replace('"fp32"', '"exact"'))
        self.assert_declined("SLOT has to be of model, ", f"{PASS}SLOT = 'cache'\n")
        for kinds in ('["tpu"]', '"cpu"'):
            self.assert_declined("FIRST_ON has to be a list of cpu", f"{PASS}FIRST_ON = {kinds}\n")
        for after in ('["good"]', "[[]]", "[[1]]", '"good"'):
            self.assert_declined("AFTER has to be a list of lists", f"{PASS}AFTER = {after}\n")
        unpacked = PASS.replace('PRECISION = "fp32"', 'PRECISION, x = "fp32", 1')
        self.assert_declined("PRECISION has to be one of", unpacked)
        self.assert_declined("cannot be read: ", PASS.replace('"fp32"', "1 + x"))

    def test_a_name_without_a_pass_is_declined(self):
        _, declined = compose({"good": PASS}, wanted=["good", "fuse", "my-pass"])
        expected = [f"{x}: there is no such pass" for x in ("fuse", "my-pass")]
        self.assertEqual(expected, declined)

    def test_a_pass_that_changes_its_model_changes_it_for_nobody_else(self):
        checks = answering('return "" if model.training is False else "changed"')
        drafts, _ = compose({"a": answering("model.train(); return ''"), "b": checks})
        self.assertEqual(["a", "b"], [x["label"] for x in drafts])

    def test_a_task_that_does_not_build_raises_what_it_raised(self):
        with self.assertRaisesRegex(ZeroDivisionError, "division"):
            compose({"good": PASS}, models.SOFTMAX + "\n1 / 0\n")

    def test_a_combination_that_cannot_be_written_takes_nobodys_place(self):
        helped = PASS.replace("return model", "return helper(model)")
        passes = {"a": helped + "\ndef helper(x):\n    return x\n",
                  "b": helped + "\ndef helper(x):\n    return x  # another\n",
                  **{x: PASS for x in "cdef"}}
        tried = {"a": 2.0, "b": 1.9, **{x: 1.0 for x in "cdef"}}
        book = recipes.go_on(models.SOFTMAX, passes, list(passes), tried, "eval")
        self.assertEqual(["a+c", "a+d", "a+e"], [x["label"] for x in book["drafts"]])
        self.assertRegex(book["declined"][0], "^a.b: helper, which b uses, means something else")
        book = recipes.go_on(models.SOFTMAX, passes, ["a", "c"], {**tried, "b+c": 9}, "eval")
        self.assertEqual(["a+c"], [x["label"] for x in book["drafts"]])  # b is gone since then

    def test_any_two_shipped_passes_can_be_written_into_one_file(self):
        folder = pathlib.Path(__file__).parents[2] / "configs/recipes"
        passes = {x.stem: x.read_text() for x in folder.glob("*.py")}
        known = {name: recipes.parse(name, passes) for name in passes}
        for pair in itertools.permutations(known.values(), 2):
            recipes.write(recipes.Sources.of(models.CONVOLUTIONS), pair, "eval")

    def test_time_in_which_all_was_frozen_does_not_count(self):
        reader, writer = recipes.os.pipe()
        with unittest.mock.patch.object(recipes.time, "monotonic", side_effect=range(0, 10**6, 100)):
            with unittest.mock.patch.object(recipes.select, "select") as select:
                select.side_effect = [([], [], [])] * 3 + [([reader], [], [])]
                self.assertTrue(recipes.wait_for(reader, 2.0))
                select.side_effect = [([], [], [])] * 6
                self.assertFalse(recipes.wait_for(reader, 2.0))
        recipes.os.close(reader)
        recipes.os.close(writer)

    def test_sources_of_functions_can_be_read(self):
        task = models.SOFTMAX.replace("class Model", """@torch.jit.script
def scripted(x):
    return x

class Model""")
        self.only_draft({"good": PASS}, task)

    # -- around a candidate -------------------------------------------------------------

    def test_a_pass_that_says_so_works_on_a_candidate(self):
        around = PASS.replace("return model", "return torch.nn.Sequential(model)")
        around += "AROUND = True\n"
        sees = around.replace('return ""', "return '' if model.name == 'ModelNew' else model.name")
        passes = {"alone": PASS, "around": "import torch\n" + sees}
        drafts, declined = compose(passes, around=CANDIDATE)
        self.assertEqual([], declined)
        self.assertEqual(["around"], [x["label"] for x in drafts])
        source = drafts[0]["source"]
        self.assertIn('self.name = "ModelNew"  # ModelNew', source)
        model = recipes.load("draft", source).ModelNew()
        self.assertEqual("ModelGiven", type(model.model[0]).__name__)
        x = recipes.torch.randn(4, 16)
        self.assertTrue(recipes.torch.allclose(model(x), x.softmax(-1)))

    def test_a_candidate_that_cannot_be_worked_on_is_declined(self):
        around = PASS + "AROUND = True\n"
        taken = CANDIDATE + "ModelGiven = 1\n"
        self.assertEqual(([], ["around: the candidate has a ModelGiven of its own"]),
                         compose({"around": around}, around=taken))
        broken = CANDIDATE + "1 / 0\n"
        self.assertRegex(compose({"around": around}, around=broken)[1][0],
                         "^around: raised ZeroDivisionError")

    # -- combinations --------------------------------------------------------------------

    def test_combinations_are_those_that_passes_declare_and_come_after_single_passes(self):
        after = {"a": [], "b": [["a"]], "c": [["b"], ["a", "b"], ["missing"]]}
        passes = {name: PASS + f"AFTER = {chains}\n" for name, chains in after.items()}
        drafts, declined = compose(passes)
        self.assertEqual(["a", "b", "c", "a+b", "b+c", "a+b+c"], [x["label"] for x in drafts])
        self.assertEqual([], declined)

    def test_combinations_apply_their_passes_in_order(self):
        step = PASS.replace("return model", 'return model + ["NAME"]')
        passes = {x: step.replace("NAME", x) for x in "ab"}
        passes["b"] += 'AFTER = [["a"]]\n'
        source = compose(passes)[0][2]["source"]
        task = recipes.load("draft", source)
        self.assertEqual(["a", "b"], task.apply_b(task.apply_a([])))
        self.assertLess(source.index("model = apply_a"), source.index("model = apply_b"))

    def test_there_are_at_most_so_many_drafts_and_the_rest_is_named(self):
        drafts, declined = compose({f"p{i}": PASS for i in range(5)}, most=3)
        self.assertEqual([f"p{i}" for i in range(3)], [x["label"] for x in drafts])
        self.assertEqual([f"p{i}: left out, 3 drafts are enough" for i in (3, 4)], declined)

    def test_what_follows_is_written_without_asking_again(self):
        asks = answering('raise ValueError("asked again")')
        passes = {"a": asks, "b": asks + 'SLOT = "run"\n', "c": asks}
        tried = {"a": 1.1, "b": 1.2}
        book = recipes.go_on(models.SOFTMAX, passes, ["a", "b"], tried, "eval")
        self.assertEqual(["a+b"], [x["label"] for x in book["drafts"]])
        self.assertEqual((["a", "b"], []), (book["usable"], book["declined"]))
        tried["a+b"] = 1.3
        book = recipes.go_on(models.SOFTMAX, passes, ["a", "b"], tried, "eval")
        self.assertEqual([], book["drafts"])

    def test_a_draft_is_in_the_loosest_class_of_its_passes(self):
        half = PASS.replace("fp32", "half") + 'AFTER = [["good"]]\n'
        drafts, _ = compose({"good": PASS, "loose": half}, tolerance="pike")
        self.assertIn("precision class half", drafts[2]["source"])
        self.assertIn("precision class fp32", drafts[0]["source"])

    def test_the_same_request_gives_the_same_text(self):
        passes = {"a": PASS, "b": PASS + 'AFTER = [["a"]]\n'}
        self.assertEqual(compose(passes), compose(passes))

    # -- the text of a draft ----------------------------------------------------------------

    def test_the_task_is_kept_but_for_its_inputs(self):
        source = self.only_draft({"good": PASS}, models.CONVOLUTIONS)
        self.assertNotIn("def get_inputs", source)
        self.assertNotIn("def get_init_inputs", source)
        self.assertIn("channels = 8  # used by get_init_inputs alone, and still kept", source)
        self.assertIn('"""A residual branch: its pair', source)

    def test_inputs_stay_where_the_task_uses_them_itself(self):
        task = models.SOFTMAX + "\nshape = get_inputs()[0].shape\n"
        source = self.only_draft({"good": PASS}, task)
        self.assertIn("def get_inputs", source)

    def test_a_future_import_and_a_byte_order_mark_survive(self):
        task = '\ufeff"""A task."""\nfrom __future__ import annotations\n' + models.SOFTMAX
        source = self.only_draft({"good": PASS}, task)
        self.assertEqual("A task.", recipes.load("draft", source).__doc__)

    def test_line_ends_and_form_feeds_do_not_shift_what_is_cut(self):
        for task in (models.SOFTMAX.replace("\n", "\r\n"), "\f\n'\u2028'\n" + models.SOFTMAX):
            source = self.only_draft({"good": PASS}, task)
            self.assertNotIn("get_inputs", source)
            self.assertTrue(recipes.load("draft", source).ModelNew())

    def test_only_what_rewrite_uses_is_copied(self):
        helped = PASS.replace("return model", "return used(model)") + '''
import os, math as m
from recipes import operators

# Half a turn.
TURN: float = m.pi

def used(model):
    """Uses TURN."""
    return model if TURN else os.abort()

def idle():
    return operators
'''
        source = self.only_draft({"helped": helped})
        for text in ("import math as m", "import os\n", "# Half a turn.\nTURN: float", "def used",
                     "def apply_helped(model):"):
            self.assertIn(text, source)
        for text in ("recipes", "def idle", "def applies", "def rewrite", "PRECISION"):
            self.assertNotIn(text, source)

    def test_rewrite_cannot_lean_on_lathe(self):
        lean = "import recipes\n" + PASS.replace("return model", "return recipes.build(model)")
        self.assertEqual(["lean: rewrite cannot use 'import recipes'"], compose({"lean": lean})[1])

    def test_names_that_mean_two_things_are_declined(self):
        clash = PASS.replace("return model", "return Model") + "\nclass Model:\n    pass\n"
        self.assertRegex(compose({"clash": clash})[1][0], "^clash: Model, which clash uses, means")
        twice = models.SOFTMAX + "\nclass ModelNew:\n    pass\n"
        _, declined = compose({"good": PASS}, twice)
        self.assertEqual(["good: the task has a ModelNew of its own"], declined)

    def test_helpers_that_two_passes_share_word_for_word_appear_once(self):
        shared = PASS.replace("return model", "return same(model)")
        shared += "\ndef same(x):\n    return x\n"
        drafts, _ = compose({"a": shared, "b": shared + 'AFTER = [["a"]]\n'})
        self.assertEqual(1, drafts[2]["source"].count("def same(x)"))


if __name__ == "__main__":
    unittest.main()
