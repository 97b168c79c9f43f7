"""Topology files with mistakes, through `lathe topology check` and `lathe run`."""

import os
import re
import shutil
import unittest
from pathlib import Path

from lathe_case import CONFIGS, DONE, USER_MISTAKE, LatheCase
from programs import TASK

SOUND = """version: 1
name: sound
models:
  strong: {provider: openai, base_url: "http://127.0.0.1:9", model: m, api_key: "${LATHE_E2E_KEY}"}
agents:
  coder: {role: coder, model: strong, prompt: prompts/coder.md, instances: 2}
routes:
  - search.assignment -> coder
  - coder.candidate -> evaluator
  - evaluator.correct -> search
search: {policy: best_of, samples: 2}
budget: {queries: 2}
"""

DOCS = Path(__file__).resolve().parents[2] / "docs"
WHOLE = re.compile(r"^```yaml\n(version:.*?)^```$", re.MULTILINE | re.DOTALL)

KEY = {**os.environ, "LATHE_E2E_KEY": "sk-not-a-key"}

# What is wrong, what to replace by what, where it is, and what has to be said about it.
MISTAKES = [
    ("unknown key", "instances: 2", "instanses: 2", ":6:",
     ["unknown key 'instanses'", "agents.coder", "did you mean 'instances'?"]),
    ("wrong type", "instances: 2", "instances: many", ":6:", ["instances", "whole number", "many"]),
    ("out of range", "instances: 2", "instances: 0", ":6:", ["instances", "0"]),
    ("unknown role", "role: coder", "role: codder", ":6:", ["role", "codder", "coder"]),
    ("unknown model", "model: strong,", "model: stronk,", ":6:", ["stronk", "strong"]),
    ("missing prompt", "prompts/coder.md", "prompts/nobody.md", ":6:", ["prompts/nobody.md"]),
    ("unknown agent", "-> coder", "-> codder", ":8:", ["codder", "did you mean 'coder'"]),
    ("route that does not fit", "evaluator.correct -> search", "evaluator.correct -> coder", ":10:",
     ["does not fit"]),
    ("unknown policy", "best_of", "best_off", ":11:", ["best_of"]),
    ("not YAML", "budget: {", "budget: {{", ":", []),
]


class Topologies(LatheCase):
    def check(self, text: str, **options: object) -> object:
        return self.lathe("topology", "check", self.write("t.yaml", text), **options)

    def test_the_one_that_the_mistakes_are_made_in_is_sound(self) -> None:
        ended = self.check(SOUND, env=KEY)
        self.assert_code(ended, DONE)
        self.assertIn("is sound", ended.out)
        self.assertNotIn("sk-not-a-key", ended.out)

    def test_a_mistake_is_named_with_file_and_line(self) -> None:
        task = self.write("task.py", TASK)
        for what, old, new, line, parts in MISTAKES:
            file = self.write("t.yaml", SOUND.replace(old, new))
            for command in (["topology", "check", file], ["run", file, "--task", task]):
                with self.subTest(mistake=what, command=command[0]):
                    ended = self.lathe(*command, env=KEY)
                    self.assert_code(ended, USER_MISTAKE)
                    self.assertTrue(ended.err.startswith("t.yaml" + line), str(ended))
                    for part in parts:
                        self.assertIn(part, ended.err.splitlines()[0])
        self.assertFalse((self.folder / "runs").exists())

    def test_all_mistakes_of_a_file_are_named_at_once(self) -> None:
        text = SOUND.replace("instances: 2", "instanses: 2").replace("best_of", "best_off")
        ended = self.check(text, env=KEY)
        self.assert_code(ended, USER_MISTAKE)
        self.assertEqual([x.split(":")[1] for x in ended.err.strip().splitlines()],
                         ["6", "11"], str(ended))

    def test_a_missing_file_is_named(self) -> None:
        for command in (["topology", "check", "nowhere.yaml"],
                        ["run", "nowhere.yaml", "--task", self.write("task.py", TASK)]):
            with self.subTest(command=command[0]):
                self.assert_sentence(self.lathe(*command), USER_MISTAKE, "nowhere.yaml")

    def test_a_variable_that_is_not_set_is_named_with_a_way_out(self) -> None:
        environment = {k: v for k, v in os.environ.items() if k != "LATHE_E2E_KEY"}
        ended = self.check(SOUND, env=environment)
        self.assert_code(ended, USER_MISTAKE)
        first, second = ended.err.strip().splitlines()
        self.assertIn("model 'strong' needs LATHE_E2E_KEY, which is not set", first)
        self.assertIn("t.yaml:4", first)
        self.assertIn("--llm scripted", second)
        ended = self.lathe("topology", "check", "t.yaml", "--llm", "scripted", env=environment)
        self.assert_code(ended, DONE)

    def test_a_key_in_the_file_is_refused_and_not_repeated(self) -> None:
        ended = self.check(SOUND.replace("${LATHE_E2E_KEY}", "sk-secret"))
        self.assert_sentence(ended, USER_MISTAKE, "t.yaml:4:", "environment variable")
        self.assertNotIn("sk-secret", ended.err)

    def test_two_topologies_are_one_too_many(self) -> None:
        ended = self.lathe("run", "a.yaml", "b.yaml", "--task", self.write("task.py", TASK))
        self.assert_sentence(ended, USER_MISTAKE, "a.yaml", "b.yaml", "one topology")

    def test_every_topology_that_comes_with_lathe_is_sound(self) -> None:
        files = sorted(str(x) for x in (CONFIGS / "topologies").glob("*.yaml"))
        self.assertGreaterEqual(len(files), 4)
        ended = self.lathe("topology", "check", *files, "--llm", "scripted")
        self.assert_code(ended, DONE)
        self.assertEqual(ended.out.count("is sound"), len(files))

    def test_every_whole_topology_in_the_documents_is_sound(self) -> None:
        keys = {f"{name}_API_KEY": "sk-not-a-key" for name in ("OPENAI", "ANTHROPIC", "GEMINI")}
        for file in (CONFIGS / "topologies").glob("*.yaml"):  # which some extend
            shutil.copy(file, self.folder)
        found = {page.relative_to(DOCS): WHOLE.findall(page.read_text())
                 for page in sorted(DOCS.rglob("*.md"))}
        for page, texts in found.items():
            for number, text in enumerate(texts):
                with self.subTest(page=str(page), number=number):
                    file = self.write(f"{page.stem}-{number}.yaml", text)
                    ended = self.lathe("topology", "check", file, env={**os.environ, **keys})
                    self.assert_code(ended, DONE)
                    self.assertIn("is sound", ended.out)
        providers = {page.stem for page in found if page.parent.name == "providers"}
        self.assertGreaterEqual(providers, {"openai", "anthropic", "gemini", "mailbox"})
        for name in providers:
            text = "".join(found[Path("providers", f"{name}.md")])
            self.assertIn(f"    provider: {name}\n", text, f"{name}.md has no whole topology")


if __name__ == "__main__":
    unittest.main()
