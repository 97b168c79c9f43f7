#include "runtime/control.hpp"
#include "tools/lathe/commands.hpp"
#include "tools/lathe/failure.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>

namespace lathe::cli {

namespace {

constexpr auto footer = R"(examples:
  lathe stop runs/demo
      as Ctrl-C where it runs: finishes what is paid for
  lathe run --resume runs/demo
      goes on later)";

int stop(const std::string& run) {
  auto answer = runtime::control_request(run, "stop");
  if (!answer)
    return fail(answer.error());
  fmt::print("stopping: the run finishes what is paid for; go on with: lathe run --resume {}\n", run);
  return done;
}

} // namespace

void add_stop(CLI::App& app, int& exit_code) {
  auto run = std::make_shared<std::string>();
  auto* command = app.add_subcommand("stop", "end a live run so that it can be taken up later");
  command->footer(footer);
  command->add_option("run", *run, "the run's folder")->required()->type_name("RUN");
  command->callback([run, &exit_code] { exit_code = stop(*run); });
}

} // namespace lathe::cli
