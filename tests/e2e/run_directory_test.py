"""The folder of a run: taken, closed to us, from another version, or no run at all."""

import contextlib
import os
import sqlite3
import subprocess
import unittest
from pathlib import Path

from lathe_case import ENVIRONMENT_LACKS, LATHE, NOT_BETTER, USER_MISTAKE, LatheCase
from programs import TASK
from topologies import recipes

NOBODY = 65534


class RunDirectory(LatheCase):
    def setUp(self) -> None:
        super().setUp()
        self.run_it = ["run", self.write("t.yaml", recipes("fold")), "--task",
                       self.write("plain.py", TASK), "--quiet"]

    def test_a_folder_that_is_there_is_left_alone(self) -> None:
        self.write("runs/mine/notes.txt", "precious")
        ended = self.lathe(*self.run_it, "--name", "mine")
        self.assert_sentence(ended, USER_MISTAKE, "runs/mine exists", "--resume", "--name")
        self.assertEqual([x.name for x in (self.folder / "runs/mine").iterdir()], ["notes.txt"])

    def test_a_name_that_is_a_path_is_refused(self) -> None:
        for name in ("../elsewhere", "a/b", ".hidden", "-x", "two words"):
            with self.subTest(name=name):
                ended = self.lathe(*self.run_it, f"--name={name}")
                self.assert_sentence(ended, USER_MISTAKE, name, "name of a run")

    def test_a_folder_that_nobody_made_is_named(self) -> None:
        ended = self.lathe(*self.run_it, "--runs", "far/away/runs")
        self.assert_sentence(ended, ENVIRONMENT_LACKS, "far/away", "does not exist")

    def test_a_file_where_the_runs_should_be_is_named(self) -> None:
        self.write("runs", "a file")
        ended = self.lathe(*self.run_it, "--name", "r")
        self.assert_sentence(ended, ENVIRONMENT_LACKS, "runs")

    def test_a_read_only_folder_is_named(self) -> None:
        options = {}
        if os.geteuid() == 0:  # root may write anywhere, so be somebody else
            options = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        (self.folder / "runs").mkdir(mode=0o555)
        self.folder.chmod(0o755)
        try:
            subprocess.run([LATHE, "--version"], check=True, capture_output=True, **options)
        except (OSError, subprocess.SubprocessError):
            self.skipTest("somebody else cannot run this executable")
        ended = self.lathe(*self.run_it, "--name", "r", **options)
        self.assert_sentence(ended, ENVIRONMENT_LACKS, "runs/r", "Permission denied")

    def test_what_is_no_run_cannot_be_taken_up(self) -> None:
        (self.folder / "empty").mkdir()
        self.write("other/journal.sqlite", "not a database, whatever its name says" * 100)
        for command in (["run", "--resume"], ["status"]):
            for folder in ("nowhere", "empty", "other"):
                with self.subTest(command=command[0], folder=folder):
                    self.assert_sentence(self.lathe(*command, folder), USER_MISTAKE, folder)

    def test_a_run_that_could_not_begin_is_started_again_under_its_name(self) -> None:
        ended = self.lathe(*self.run_it, "--name", "r", "--device", "cuda:99")
        self.assert_code(ended, ENVIRONMENT_LACKS)
        self.assert_sentence(self.lathe("run", "--resume", "runs/r"), USER_MISTAKE, "runs/r")
        self.assert_code(self.lathe(*self.run_it, "--name", "r"), NOT_BETTER)

    def test_a_run_that_was_killed_before_it_began_says_so(self) -> None:
        self.assert_code(self.lathe(*self.run_it, "--name", "r"), NOT_BETTER)
        journal = self.folder / "runs/r/journal.sqlite"
        with contextlib.closing(sqlite3.connect(journal)) as connection, connection:
            connection.execute("delete from event")
        ended = self.lathe("run", "--resume", "runs/r")
        self.assert_sentence(ended, USER_MISTAKE, "runs/r", "no task", "start")

    def test_tasks_and_topology_of_a_run_are_its_own(self) -> None:
        ended = self.lathe(*self.run_it, "--resume", "runs/r")
        self.assert_sentence(ended, USER_MISTAKE, "--resume")

    def test_a_run_that_is_over_can_be_read_anywhere_and_not_changed(self) -> None:
        quiet = self.lathe(*self.run_it, "--name", "r")
        self.assert_code(quiet, NOT_BETTER)
        self.assertEqual(quiet.err, "")
        self.assertNotIn("ready", quiet.out)
        ended = self.lathe("apply", "runs/r", "t.yaml", "--yes")
        self.assert_sentence(ended, USER_MISTAKE, "runs/r", "not live", "--resume")
        self.assert_sentence(self.lathe("apply", "nowhere", "t.yaml"), USER_MISTAKE, "nowhere")
        (self.folder / "runs/r").rename(self.folder / "copied")
        (session,) = self.lathe("status", "copied", "--json").json["sessions"]
        self.assertEqual(session["state"], "done")
        self.assert_code(self.lathe("run", "--resume", "copied/", "--quiet"), NOT_BETTER)
        self.check_that_a_newer_journal_is_not_touched(self.folder / "copied/journal.sqlite")

    def check_that_a_newer_journal_is_not_touched(self, journal: Path) -> None:
        with contextlib.closing(sqlite3.connect(journal)) as connection, connection:
            connection.execute("update meta set value = '2' where key = 'format'")
        before = journal.read_bytes()
        for command in (["run", "--resume"], ["status"]):
            with self.subTest(command=command[0]):
                ended = self.lathe(*command, "copied")
                self.assert_sentence(ended, USER_MISTAKE, "newer Lathe", "format 2")
        self.assertEqual(journal.read_bytes(), before)


if __name__ == "__main__":
    unittest.main()
