"""`lathe llm check`, against servers that answer in every API."""

from __future__ import annotations

import os
import unittest

from lathe_case import DONE, ENVIRONMENT_LACKS, USER_MISTAKE, LatheCase

KEY = "sk-0123456789"

TOPOLOGY = """version: 1
models:
  chat: {{provider: openai, model: x, api_key: '${{KEY}}', base_url: {server}/v1, fallback: [others, box],
         price: {{input: 1, output: 10}}}}
  others: {{provider: anthropic, model: x, api_key: '${{KEY}}', base_url: {server}/v1}}
  box: {{provider: mailbox, model: x}}
  third: {{provider: gemini, model: x, api_key: '${{{third_key}}}', base_url: {server}/v1beta,
          price: {{input: 2, cached_input: 0.5, output: 4, long_prompt: 1000,
                   long: {{input: 4, cached_input: 1, output: 8}}}}}}
  unused: {{provider: openai, model: x, api_key: '${{NO_SUCH_KEY}}'}}
agents:
  coder: {{role: coder, model: chat, prompt_text: hello}}
  fixer: {{role: fixer, model: third, prompt_text: hello}}
routes:
  - search.assignment -> coder
  - coder.candidate -> evaluator
  - evaluator.correct -> search
  - evaluator.rejected -> fixer
  - fixer.candidate -> evaluator
  - fixer.exhausted -> search
search: {{policy: best_of, samples: 2}}
budget: {{queries: 2}}
"""


class LlmCheck(LatheCase):
    def check(self, server: str, *options: str, third_key: str = "KEY"):
        self.write("t.yaml", TOPOLOGY.format(server=server, third_key=third_key))
        return self.lathe("llm", "check", "t.yaml", *options,
                          env=os.environ | {"KEY": KEY, "WRONG_KEY": "sk-9999999999"})

    def test_each_model_that_is_asked_says_what_it_costs(self) -> None:
        server = self.serve_llm("--key", KEY, "--text", "ready", "--events", "5", "--prompt-tokens",
                            "20", "--rate-limit", "60")
        ended = self.check(server)
        self.assert_code(ended, DONE)
        self.assertRegex(ended.out, r"(?m)^chat +x answered in \d+\.\d\d s, \d+ tokens/s · "
                         r"20 tokens in, 5 out \(0 of them thought\) · \$0.000070$")
        self.assertRegex(ended.out, r"(?m)^others .* · no price is given$")
        self.assertRegex(ended.out, r"(?m)^ +costs \$1 in, \$10 out per million tokens$")
        self.assertRegex(ended.out, r"(?m)^third +x answered.*\n"
                         r" +costs \$2 in, \$4 out per million tokens, \$4 and \$8 with prompts of "
                         r"more than 1000$")
        self.assertEqual(ended.out.count(" costs "), 2, "the price of 'others' is not known")
        self.assertIn("the server allows 60 requests a minute", ended.out)
        self.assertRegex(ended.out, r"(?m)^box +a mailbox: it is not asked$")
        self.assertNotIn("unused", ended.out)
        self.assertNotIn(KEY, ended.out + ended.err)
        models = {x["model"]: x for x in self.check(server, "--json").json["models"]}
        chat = models["chat"]
        self.assertEqual(chat["output_tokens"], 5)
        self.assertAlmostEqual(chat["tokens_a_second"], 5 / max(chat["seconds"], 1e-3))
        self.assertEqual(chat["price"], {"input": 1, "cached_input": 1, "output": 10})
        self.assertIsNone(models["others"]["price"])
        self.assertIsNone(models["others"]["usd"])
        self.assertEqual(models["third"]["price"], {
            "input": 2, "cached_input": 0.5, "output": 4, "long_prompt": 1000,
            "long": {"input": 4, "cached_input": 1, "output": 8}})
        self.assertIn("note", models["box"])
        self.assertEqual(chat["limits_a_minute"], {"requests": 60})

    def test_what_is_wrong_is_said_and_the_rest_as_well(self) -> None:
        ended = self.check(self.serve_llm("--key", KEY), third_key="WRONG_KEY")
        self.assert_code(ended, ENVIRONMENT_LACKS)
        self.assertRegex(ended.out, r"(?m)^third +model 'third' \(x\): the server does not accept "
                         r"the key \(HTTP 401\)")
        self.assertRegex(ended.out, r"(?m)^chat +x answered")
        self.assertNotIn("sk-9", ended.out + ended.err)

    def test_a_topology_with_a_mistake_asks_nobody(self) -> None:
        ended = self.check("http://127.0.0.1:1", third_key="NO_SUCH_KEY")
        self.assert_code(ended, USER_MISTAKE)
        self.assertIn("model 'third' needs NO_SUCH_KEY, which is not set", ended.err)


if __name__ == "__main__":
    unittest.main()
