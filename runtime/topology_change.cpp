#include "runtime/run.hpp"

#include "messages/error.hpp"

#include <fmt/format.h>

namespace lathe::runtime {

namespace {

void describe_limit(const std::string& whose, const spend_limit& before, const spend_limit& after,
                    std::vector<std::string>& lines) {
  auto changed = [&](const char* what, auto x, auto y) {
    auto told = [](auto limit) { return limit > 0 ? fmt::format("{}", limit) : "unlimited"; };
    if (x != y)
      lines.push_back(fmt::format("{} {} {} -> {}", whose, what, told(x), told(y)));
  };
  changed("queries", before.queries, after.queries);
  changed("tokens", before.tokens, after.tokens);
  changed("usd", before.usd, after.usd);
}

void describe_agent(const agent_config& before, const agent_config& after,
                    std::vector<std::string>& lines) {
  auto changed = [&](const char* what, const auto& x, const auto& y) {
    if (x != y)
      lines.push_back(fmt::format("{} {} {} -> {}", after.name, what, x, y));
  };
  changed("role", to_string(before.role), to_string(after.role));
  changed("instances", before.instances, after.instances);
  changed("model", before.model, after.model);
  changed("ideas", before.ideas, after.ideas);
  changed("attempts", before.attempts, after.attempts);
  changed("drafts", before.drafts, after.drafts);
  changed("stop_after_code", before.stop_after_code, after.stop_after_code);
  changed("continue_cut", before.continue_cut, after.continue_cut);
  changed("timeout", before.timeout, after.timeout);
  changed("priority", before.priority, after.priority);
  describe_limit(after.name + " budget", before.budget, after.budget, lines);
  describe_limit(after.name + " budget of the run:", before.run_budget, after.run_budget, lines);
  if (before.prompt != after.prompt)
    lines.push_back(fmt::format("{} gets another prompt", after.name));
  if (before.own_passes != after.own_passes)
    lines.push_back(fmt::format("{} gets other passes of your own", after.name));
  if (before.passes != after.passes)
    lines.push_back(fmt::format("{} passes -> {}", after.name, fmt::join(after.passes, ", ")));
}

std::string text_of(const route& x) {
  return fmt::format("{}{}{} -> {}", x.source, x.port.empty() ? "" : ".", x.port,
                     fmt::join(x.targets, ", "));
}

bool contains(const std::vector<route>& routes, const route& x) {
  return std::find(routes.begin(), routes.end(), x) != routes.end();
}

} // namespace

caf::expected<std::vector<std::string>> describe_change(const topology& before,
                                                        const topology& after) {
  if (before.search != after.search)
    return make_error(errc::user_error, "the search policy of a live run cannot be changed; start "
                                        "another run for it");
  if (before.evaluator != after.evaluator)
    return make_error(errc::user_error, "the evaluator of a live run cannot be changed: verdicts "
                                        "from before and after would not compare");
  for (auto& model : after.models)
    if (before.model(model.name) == nullptr)
      return make_error(errc::user_error,
                        fmt::format("model '{}' is new; a live run can only use the models that it "
                                    "started with",
                                    model.name));
  std::vector<std::string> lines;
  for (auto& agent : before.agents)
    if (after.agent(agent.name) == nullptr)
      lines.push_back(fmt::format("{} leaves", agent.name));
  for (auto& agent : after.agents) {
    if (auto* old = before.agent(agent.name))
      describe_agent(*old, agent, lines);
    else
      lines.push_back(fmt::format("{} ({}, {} instances) joins", agent.name, to_string(agent.role),
                                  agent.instances));
  }
  for (auto& x : before.routes)
    if (!contains(after.routes, x))
      lines.push_back(fmt::format("route {} goes", text_of(x)));
  for (auto& x : after.routes)
    if (!contains(before.routes, x))
      lines.push_back(fmt::format("route {} is new", text_of(x)));
  describe_limit("budget", before.budget.task(), after.budget.task(), lines);
  describe_limit("budget of the run:", before.budget.run, after.budget.run, lines);
  if (before.budget.wall != after.budget.wall)
    lines.push_back(fmt::format("budget wall {} s -> {} s", before.budget.wall, after.budget.wall));
  for (auto& model : after.models) {
    auto* old = before.model(model.name);
    describe_limit(model.name + " budget", old->budget, model.budget, lines);
    describe_limit(model.name + " budget of the run:", old->run_budget, model.run_budget, lines);
  }
  return lines;
}

} // namespace lathe::runtime
