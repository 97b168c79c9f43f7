#include "messages/error.hpp"
#include "runtime/control.hpp"
#include "tools/lathe/commands.hpp"
#include "tools/lathe/failure.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <unistd.h>

namespace lathe::cli {

namespace {

constexpr auto footer = R"(examples:
  lathe apply runs/demo more-coders.yaml
      shows what would change and asks
  lathe apply runs/demo more-coders.yaml --yes

Agents, prompts, models that the run started with, routes and all budgets can be changed; search
policy and evaluator cannot. Requests that are out finish under the old topology.)";

struct apply_arguments {
  std::string run;
  std::string topology;
  bool yes = false;
};

/// Asks the run and returns what it would change, one line each; prints its refusal.
std::optional<std::string> ask(const apply_arguments& x, const std::string& verb, int& code) {
  auto file = std::filesystem::absolute(x.topology).string();
  auto answer = runtime::control_request(x.run, verb + " " + file);
  if (!answer) {
    code = fail(answer.error());
    return std::nullopt;
  }
  std::replace(answer->begin(), answer->end(), '\t', '\n');
  if (answer->starts_with("error ")) {
    code = fail(user_mistake, answer->substr(6));
    return std::nullopt;
  }
  return answer->size() > 3 ? answer->substr(3) : std::string{};
}

bool confirmed(const apply_arguments& x) {
  if (x.yes)
    return true;
  if (isatty(STDIN_FILENO) == 0) {
    fmt::print("nothing was changed; add --yes to apply it\n");
    return false;
  }
  fmt::print("Apply? [y/N] ");
  std::fflush(stdout);
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

int apply(const apply_arguments& x) {
  int code = done;
  auto changes = ask(x, "check", code);
  if (!changes)
    return code;
  if (changes->empty()) {
    fmt::print("nothing changes\n");
    return done;
  }
  fmt::print("will change:\n{}\n", *changes);
  if (!confirmed(x))
    return done;
  if (ask(x, "apply", code))
    fmt::print("applied; requests that are out finish under the old topology\n");
  return code;
}

} // namespace

void add_apply(CLI::App& app, int& exit_code) {
  auto x = std::make_shared<apply_arguments>();
  auto* command = app.add_subcommand("apply", "change the topology of a live run");
  command->footer(footer);
  command->add_option("run", x->run, "the run's folder")->required()->type_name("RUN");
  command->add_option("topology", x->topology, "the new topology")->required()->type_name("FILE");
  command->add_flag("-y,--yes", x->yes, "do not ask");
  command->callback([x, &exit_code] { exit_code = apply(*x); });
}

} // namespace lathe::cli
