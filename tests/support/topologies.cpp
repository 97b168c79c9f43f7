#include "tests/support/topologies.hpp"

namespace lathe::test {

namespace {

agent_config agent(std::string name, role what, std::string model) {
  agent_config result;
  result.name = std::move(name);
  result.role = what;
  result.model = std::move(model);
  result.prompt = "{{{task_source}}}";
  return result;
}

} // namespace

topology small_topology() {
  topology result;
  result.name = "small";
  model_config model;
  model.name = "fast";
  result.models = {model};
  result.agents = {agent("planner", role::planner, "fast"), agent("coder", role::coder, "fast"),
                   agent("fixer", role::fixer, "fast"), agent("profiler", role::profiler, ""),
                   agent("recipes", role::recipe, "")};
  result.agents[0].ideas = 4;
  result.agents[2].attempts = 2;
  result.routes = {
    {"task", "", {"planner", "recipes"}},
    {"recipes", "candidate", {"evaluator"}},
    {"planner", "ideas", {"search"}},
    {"search", "assignment", {"coder"}},
    {"coder", "candidate", {"evaluator"}},
    {"fixer", "candidate", {"evaluator"}},
    {"evaluator", "correct", {"search", "profiler"}},
    {"evaluator", "rejected", {"fixer"}},
    {"fixer", "exhausted", {"search"}},
    {"profiler", "insight", {"search"}},
  };
  result.search = {"branching", 4, 2, 0};
  result.budget.queries = 20;
  return result;
}

topology recipes_topology() {
  topology result;
  result.name = "recipes";
  result.agents = {agent("recipes", role::recipe, "")};
  result.routes = {
    {"task", "", {"recipes"}},
    {"recipes", "candidate", {"evaluator"}},
  };
  return result;
}

} // namespace lathe::test
