"""Which combinations of passes are tried, and in which order."""

import pathlib
import sys
import types
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "gpu/processes"))
import recipe_chains as chains


def a_pass(*slots, after=(), first_on=("cpu", "cuda")):
    return types.SimpleNamespace(slots=slots or ("model",), after=list(after), first_on=first_on)


def named(**passes):
    for name, one in passes.items():
        one.name = name
    return passes


class first_test(unittest.TestCase):
    def labels(self, usable, device="cpu"):
        return ["+".join(x) for x in chains.first(usable, device)]

    def test_passes_alone_come_first_then_everyones_first_combination(self):
        usable = named(a=a_pass(), b=a_pass(after=[["a"]]), c=a_pass(after=[["b"], ["a", "b"]]))
        self.assertEqual(["a", "b", "c", "a+b", "b+c", "a+b+c"], self.labels(usable))

    def test_a_combination_needs_all_of_its_passes_but_those_with_a_question_mark(self):
        after = [["gone"], ["gone?", "a"], ["gone?"]]
        self.assertEqual(["a", "c", "a+c"], self.labels(named(a=a_pass(), c=a_pass(after=after))))

    def test_the_same_combination_is_named_once(self):
        usable = named(a=a_pass(), b=a_pass(after=[["a"], ["gone?", "a"]]))
        self.assertEqual(["a", "b", "a+b"], self.labels(usable))

    def test_a_pass_may_wait_on_one_kind_of_device_and_still_be_asked_for_by_others(self):
        usable = named(slow=a_pass("run", after=[["a"]], first_on=["cpu"]), a=a_pass(),
                       graph=a_pass("graph", after=[["slow"]], first_on=["cuda"]))
        self.assertEqual(["a", "graph", "slow+graph"], self.labels(usable, "cuda"))
        self.assertEqual(["slow", "a", "a+slow"], self.labels(usable, "cpu"))


    def test_where_all_passes_wait_each_is_tried_alone(self):
        usable = named(a=a_pass("run", first_on=["cpu"]), b=a_pass("run", first_on=["cpu"]))
        self.assertEqual(["a", "b"], self.labels(usable, "cuda"))

    def test_a_combination_of_passes_that_exclude_each_other_is_none(self):
        usable = named(a=a_pass("run"), b=a_pass("run", after=[["a"], ["b"]]))
        self.assertEqual(["a", "b"], self.labels(usable))


class following_test(unittest.TestCase):
    def setUp(self):
        self.usable = named(fold=a_pass(), half=a_pass("precision"), mixed=a_pass("precision"),
                            last=a_pass("layout"), compile=a_pass("run"), freeze=a_pass("run"),
                            graph=a_pass("graph"))

    def labels(self, tried, usable=None):
        speeds = {tuple(label.split("+")): speed for label, speed in tried.items()}
        return ["+".join(x) for x in chains.following(usable or self.usable, speeds)]

    def test_the_fastest_gets_another_pass_each_in_its_place(self):
        tried = {"fold": 1.5, "half": 1.2, "mixed": 1.1, "last": 0.9, "compile": 2.0, "freeze": 1.8,
                 "graph": 1.3}
        self.assertEqual(["fold+compile", "compile+graph", "half+compile", "mixed+compile"],
                         self.labels(tried))

    def test_of_precisions_compilers_and_graphs_a_chain_has_one(self):
        tried = {"half": 1.5, "compile": 2.0, "half+compile": 3.0, "fold": 0, "last": 0, "graph": 0}
        self.assertEqual(["mixed+compile", "half+freeze"], sorted(self.labels(tried), reverse=True))

    def test_a_pass_in_two_slots_goes_with_no_other_of_either(self):
        usable = named(freeze=a_pass("run"), graph=a_pass("graph"), both=a_pass("run", "graph"),
                       fold=a_pass())
        tried = {"freeze": 1.1, "graph": 1.2, "both": 1.5, "fold": 1.0}
        self.assertEqual(["fold+both"], self.labels(tried, usable))
        tried["freeze+graph"] = 2.0
        self.assertEqual(["fold+freeze+graph"], self.labels(tried, usable))

    def test_a_pass_that_did_harm_is_taken_out_again(self):
        usable = named(last=a_pass("layout"), compile=a_pass("run"), fold=a_pass())
        tried = {"last": 0.5, "compile": 2.0, "fold": 1.1, "fold+last+compile": 2.5}
        self.assertEqual(["fold+compile"], self.labels(tried, usable))

    def test_what_was_never_correct_is_not_tried_again(self):
        tried = {"half": 0, "half+compile": 0, "compile": 2.0, "mixed": 1.0}
        for label in self.labels(tried):
            self.assertNotIn("half", label)

    def test_what_failed_alone_but_worked_with_another_may_come_again(self):
        usable = named(half=a_pass("precision"), fold=a_pass(), last=a_pass("layout"))
        tried = {"half": 0, "fold": 1.1, "half+last": 1.0, "last": 1.0}
        self.assertIn("fold+half", self.labels(tried, usable))

    def test_a_wrong_pass_is_not_held_against_those_that_were_with_it(self):
        usable = named(fold=a_pass(), freeze=a_pass("run"), graph=a_pass("graph"))
        tried = {"fold": 0, "graph": 1.5, "fold+freeze+graph": 0}
        self.assertEqual(["freeze+graph"], self.labels(tried, usable))

    def test_when_nothing_is_faster_than_the_model_single_passes_that_waited_get_their_turn(self):
        usable = named(fold=a_pass(), freeze=a_pass("run"))
        self.assertEqual(["freeze"], self.labels({"fold": 0.9}, usable))
        self.assertEqual([], self.labels({"fold": 0.9, "freeze": 0.8}, usable))

    def test_it_ends_when_all_neighbours_were_tried(self):
        usable = named(fold=a_pass(), compile=a_pass("run"))
        self.assertEqual([], self.labels({"fold": 1.1, "compile": 2, "fold+compile": 3}, usable))
        self.assertEqual([], self.labels({"fold": 0, "compile": 0}, usable))

    def test_it_reaches_the_best_of_all_combinations_where_each_pass_does_its_part(self):
        worth = {"fold": 1.1, "half": 1.5, "mixed": 1.3, "last": 1.2, "compile": 1.4, "freeze": 1.6,
                 "graph": 1.7}
        tried = {(name,): speed for name, speed in worth.items()}
        rounds = 0
        while new := chains.following(self.usable, tried):
            rounds += 1
            for chain in new:
                tried[chain] = 1.0
                for name in chain:
                    tried[chain] *= worth[name]
        best = max(tried, key=tried.get)
        self.assertEqual(("fold", "half", "last", "freeze", "graph"), best)
        self.assertLessEqual(rounds, 12)


if __name__ == "__main__":
    unittest.main()
