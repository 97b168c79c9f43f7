#include "llm_clients/price.hpp"
#include "tools/lathe/commands.hpp"
#include "tools/lathe/topology_reading.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>

namespace lathe::cli {

namespace {

constexpr auto footer = R"(examples:
  lathe topology check configs/topologies/pike-b.yaml
  lathe topology check my.yaml --llm scripted
      the same without the keys of its models)";

std::string told(const spend_limit& x, double wall = 0) {
  std::vector<std::string> parts;
  if (x.queries > 0)
    parts.push_back(fmt::format("{} queries", x.queries));
  if (x.tokens > 0)
    parts.push_back(fmt::format("{} tokens", x.tokens));
  if (x.usd > 0)
    parts.push_back(fmt::format("${:.2f}", x.usd));
  if (wall > 0)
    parts.push_back(fmt::format("{:.0f} s", wall));
  return parts.empty() ? "none" : fmt::format("{}", fmt::join(parts, ", "));
}

void print_budget(const std::string& whose, const spend_limit& task, const spend_limit& run) {
  if (task.limits())
    fmt::print("  budget of {} for a task: {}\n", whose, told(task));
  if (run.limits())
    fmt::print("  budget of {} for the run: {}\n", whose, told(run));
}

void print_budgets(const topology& x) {
  fmt::print("  budget of a task: {}\n", told(x.budget.task(), x.budget.wall));
  if (x.budget.run.limits())
    fmt::print("  budget of the run: {}\n", told(x.budget.run));
  for (auto& agent : x.agents)
    print_budget(agent.name, agent.budget, agent.run_budget);
  for (auto& model : x.models)
    print_budget("model " + model.name, model.budget, model.run_budget);
}

int check(const std::vector<std::string>& files, const std::string& llm) {
  auto home = find_installation();
  int result = done;
  for (auto& file : files) {
    auto reading = read_topology_or_explain(file, home, llm);
    if (!reading) {
      result = user_mistake;
      continue;
    }
    auto& x = reading->value;
    fmt::print("{}: topology {} is sound\n", file, x.name);
    for (auto& agent : x.agents)
      fmt::print("  {:<10} {:<9} x{:<3} {}\n", agent.name, to_string(agent.role), agent.instances,
                 agent.model.empty() ? "without an LLM" : "model " + agent.model);
    for (auto& route : x.routes)
      fmt::print("  {}{}{} -> {}\n", route.source, route.port.empty() ? "" : ".", route.port,
                 fmt::join(route.targets, ", "));
    for (auto& name : runtime::asked_models(x))
      if (auto price = llm_clients::describe_price(*x.model(name)); !price.empty())
        fmt::print("  model {}: {}\n", name, price);
    print_budgets(x);
  }
  return result;
}

struct check_arguments {
  std::vector<std::string> files;
  std::string llm;
};

} // namespace

void add_topology(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("topology", "look at topology files");
  command->require_subcommand(1);
  auto x = std::make_shared<check_arguments>();
  auto* checking = command->add_subcommand("check", "read topologies and print every mistake, or what they say");
  checking->footer(footer);
  checking->add_option("files", x->files, "topology files")->required()->type_name("FILE");
  checking->add_option("--llm", x->llm, "'scripted' needs no keys")->check(CLI::IsMember({"scripted"}));
  checking->callback([x, &exit_code] { exit_code = check(x->files, x->llm); });
}

} // namespace lathe::cli
