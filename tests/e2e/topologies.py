"""Topologies that the tests run with, and a folder of scripted answers to go with one of them."""

from __future__ import annotations

from lathe_case import CONFIGS, LatheCase
from programs import FASTER

EVALUATOR = """evaluator:
  baselines: [eager]
  time_budget: 200ms
  build_limit: 30s
  run_limit: 10s
"""

AGENTS = """agents:
  planner: {role: planner, model: MODEL, prompt: prompts/planner.md, ideas: 8}
  coder: {role: coder, model: MODEL, prompt: prompts/coder.md, instances: 2}
  fixer: {role: fixer, model: MODEL, prompt: prompts/fixer.md, instances: 2, attempts: 2}
routes:
  - task -> planner
  - planner.ideas -> search
  - search.assignment -> coder
  - coder.candidate -> evaluator
  - fixer.candidate -> evaluator
  - evaluator.correct -> search
  - evaluator.rejected -> fixer
  - fixer.exhausted -> search
"""


def recipes(*passes: str) -> str:
    """Recipes alone: those that take no time."""
    base = CONFIGS / "topologies/recipes.yaml"
    return (f"version: 1\nextends: {base}\nname: brief\n"
            f"agents:\n  recipes: {{passes: [{', '.join(passes)}]}}\n{EVALUATOR}")


def scripted(*, samples: int, queries: int = 100, instances: int = 2) -> str:
    """Answers from the folder `answers` beside the topology."""
    agents = AGENTS.replace("MODEL", "script").replace("instances: 2", f"instances: {instances}")
    return (f"version: 1\nname: scripted\n"
            f"models:\n  script: {{provider: scripted, answers: answers}}\n{agents}{EVALUATOR}"
            f"search: {{policy: best_of, samples: {samples}}}\nbudget: {{queries: {queries}}}\n")


def answers(case: LatheCase, *, ideas: int, delay: float = 0) -> None:
    """Writes answers: ideas with an even number lead to a right program, the others to one that is
    off by a little and that the fixer mends."""
    waits = f"delay: {delay}\n" if delay else ""
    listed = "\n".join(f"- Idea {i}: join the two linear maps." for i in range(ideas))
    case.write("answers/planner/plan.md", f"---\n{listed}\n")
    for i in range(ideas):
        marked = f"# idea {i}\n{FASTER}"
        wrong = marked.replace("torch.tanh(x)", "torch.tanh(1.001 * x)")
        case.write(f"answers/coder/{i}.md",
                   f"match: Follow this idea: Idea {i}:\n{waits}---\n"
                   f"Joined.\n\n```python\n{wrong if i % 2 else marked}```\n")
        case.write(f"answers/fixer/{i}.md",
                   f"match: # idea {i}\n{waits}---\nNo factor.\n\n```python\n{marked}```\n")
