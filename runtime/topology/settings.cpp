#include "messages/device_name.hpp"
#include "runtime/topology/blocks.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lathe::runtime {

namespace {

constexpr double minute = 60;
constexpr double hour = 3'600;
constexpr double year = 365 * 24 * hour;

void read_forbidden(map_reader& evaluator, evaluator_config& x) {
  if (!evaluator.read_words("forbid", x.forbid, {"graphs", "libraries", "fallback", "folding"})
      || x.forbid.empty())
    return;
  if (x.judge != "strict")
    evaluator.refuse("forbid", fmt::format("needs the judge strict: {} judges by what a paper "
                                           "published",
                                           x.judge));
  auto seen = std::find_if(x.forbid.begin(), x.forbid.end(),
                           [](const std::string& word) { return word != "folding"; });
  if (x.device == "cpu" && seen != x.forbid.end())
    evaluator.refuse(
      "forbid",
      fmt::format("{} cannot be seen on a CPU, where only folding can be forbidden", *seen));
}

void read_limit(map_reader& budget, spend_limit& x) {
  budget.read("queries", x.queries, {1, 1e9});
  budget.read("tokens", x.tokens, {1, 1e15});
  if (budget.read_money("usd", x.usd) && x.usd == 0)
    budget.refuse("usd", "must be more than 0; leave it out for no limit");
}

} // namespace

void read_search(map_reader search, search_config& x) {
  search.read_word("policy", x.policy, {"branching", "best_of"});
  search.read("population", x.population, {1, 10'000});
  search.read("parents", x.parents, {1, 10'000});
  search.read("samples", x.samples, {1, 1'000'000});
  if (x.policy == "branching" && x.parents > x.population)
    search.refuse("parents", fmt::format("must be at most the population, which is {}, not {}",
                                         x.population, x.parents));
  search.finish();
}

void read_evaluator(map_reader evaluator, evaluator_config& x) {
  if (evaluator.read("device", x.device) && !parse_device_name(x.device))
    evaluator.refuse("device",
                     fmt::format("must be {}, not '{}'", device_names, x.device));
  evaluator.read_word("judge", x.judge, {"strict", "kernelbench", "pike"});
  evaluator.read_word("tolerance", x.tolerance, {"fp32", "tf32", "half", "kernelbench", "pike"});
  evaluator.read_word("mode", x.mode, {"eval", "train"});
  evaluator.read("threads", x.threads, {1, 1'024});
  evaluator.read("workers", x.workers, {1, 1'024});
  evaluator.read_words("baselines", x.baselines,
                       {"eager", "compile", "compile:reduce-overhead", "compile:max-autotune"});
  read_forbidden(evaluator, x);
  evaluator.read_duration("build_limit", x.build_limit, {1, 2 * hour});
  evaluator.read_duration("run_limit", x.run_limit, {1, 2 * hour});
  evaluator.read_duration("time_budget", x.time_budget, {0.05, 10 * minute});
  evaluator.read_size("memory", x.memory, {64 << 20, 4e12});
  evaluator.read("require_sandbox", x.require_sandbox);
  evaluator.finish();
}

void read_own_budget(map_reader budget, spend_limit& task, spend_limit& run) {
  read_limit(budget, task);
  auto all = budget.inner("run");
  read_limit(all, run);
  all.finish();
  budget.finish();
}

void read_budget(map_reader budget, budget_config& x) {
  budget.read_duration("wall", x.wall, {1, year});
  spend_limit task;
  read_own_budget(std::move(budget), task, x.run);
  x.queries = task.queries;
  x.tokens = task.tokens;
  x.usd = task.usd;
}

} // namespace lathe::runtime
