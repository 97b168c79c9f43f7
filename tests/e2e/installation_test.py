"""A machine that lacks something, and what lathe says about itself."""

import os
import sys
import unittest
from pathlib import Path

from lathe_case import DONE, ENVIRONMENT_LACKS, USER_MISTAKE, LatheCase
from programs import FASTER, TASK


class Installation(LatheCase):
    def evaluate(self, python: str) -> object:
        task, candidate = self.write("task.py", TASK), self.write("candidate.py", FASTER)
        return self.lathe("eval", task, candidate, env={**os.environ, "LATHE_PYTHON": python})

    def script(self, text: str) -> str:
        path = Path(self.folder, self.write("python", f"#!/bin/sh\n{text}\n"))
        path.chmod(0o755)
        return str(path)

    def test_a_python_that_is_not_there_is_named(self) -> None:
        self.assert_sentence(self.evaluate("/nowhere/python"), ENVIRONMENT_LACKS, "/nowhere/python")

    def test_a_python_without_torch_is_named(self) -> None:
        python = self.script(f'exec {sys.executable} -S "$@"')
        self.assert_sentence(self.evaluate(python), ENVIRONMENT_LACKS, "torch")

    def test_a_python_that_ends_at_once_is_named(self) -> None:
        self.assert_sentence(self.evaluate(self.script("exit 1")), ENVIRONMENT_LACKS, "python")

    def test_every_command_has_help_with_examples(self) -> None:
        for command in (["run"], ["eval"], ["topology", "check"], ["status"], ["apply"], ["stop"],
                        ["doctor"], ["setup-env"]):
            with self.subTest(command=command):
                ended = self.lathe(*command, "--help")
                self.assert_code(ended, DONE)
                self.assertIn("examples:", ended.out)
        overview = self.lathe("--help")
        self.assert_code(overview, DONE)
        self.assertIn("exit codes: 0", overview.out)

    def test_no_command_and_an_unknown_one_are_mistakes(self) -> None:
        for arguments in ([], ["fly"]):
            with self.subTest(arguments=arguments):
                ended = self.lathe(*arguments)
                self.assert_code(ended, USER_MISTAKE)
                self.assertNotEqual(ended.err, "")


if __name__ == "__main__":
    unittest.main()
