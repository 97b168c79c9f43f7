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

std::string budget_of(const topology& x) {
  std::vector<std::string> parts;
  if (x.budget.queries > 0)
    parts.push_back(fmt::format("{} queries", x.budget.queries));
  if (x.budget.usd > 0)
    parts.push_back(fmt::format("${:.2f}", x.budget.usd));
  if (x.budget.wall > 0)
    parts.push_back(fmt::format("{:.0f} s", x.budget.wall));
  return parts.empty() ? "none" : fmt::format("{}", fmt::join(parts, ", "));
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
    fmt::print("  budget of a task: {}\n", budget_of(x));
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
