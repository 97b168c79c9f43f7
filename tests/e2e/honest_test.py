"""Every solution that comes with lathe is faster beyond doubt, and the evaluator says so."""

import unittest

from lathe_case import CONFIGS, DONE, LatheCase


class Honest(LatheCase):
    def prove(self, name: str, *options: str) -> None:
        task, solution = (str(CONFIGS / folder / f"{name}.py") for folder in ("tasks", "solutions"))
        ended = self.lathe("eval", task, solution, "--json", *options)
        self.assert_code(ended, DONE)
        document = ended.json
        (verdict,) = document["verdicts"]
        self.assertEqual(document["degenerate"], "")
        self.assertEqual(verdict["outcome"], "correct", verdict)
        self.assertEqual(verdict["correctness"]["precision_class"], "fp32")
        self.assertGreater(verdict["timing"]["low"], 1, verdict)

    def prove_all(self, names: list[str], *options: str) -> None:
        for name in names:
            with self.subTest(task=name):
                self.prove(name, *options)


class Few(Honest):
    def test_a_solution_wins(self) -> None:
        self.prove_all(["norm_chain"], "--time-budget", "0.5")


class All(Honest):
    def test_there_is_a_solution_to_every_task(self) -> None:
        names = [{x.stem for x in (CONFIGS / y).glob("*.py")} for y in ("tasks", "solutions")]
        self.assertEqual(*names)
        self.assertGreaterEqual(len(names[0]), 10)

    def test_every_solution_wins(self) -> None:
        self.prove_all(sorted(x.stem for x in (CONFIGS / "tasks").glob("*.py")))


if __name__ == "__main__":
    unittest.main()
