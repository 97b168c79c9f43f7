#include "gpu/device_health.hpp"
#include "messages/error.hpp"
#include "runtime/journal/run_directory.hpp"
#include "runtime/progress.hpp"
#include "runtime/replay.hpp"
#include "runtime/report.hpp"
#include "runtime/spending.hpp"
#include "runtime/suspension.hpp"
#include "tools/lathe/commands.hpp"
#include "tools/lathe/failure.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>

namespace lathe::cli {

namespace {

constexpr auto footer = R"(examples:
  lathe status runs/demo
  lathe status runs/demo --json | jq '.sessions[].best'

Reads the journal only, so it works on live runs, on dead ones, and on copies.)";

int show(const std::string& run, bool json) {
  runtime::run_paths paths{run};
  if (!std::filesystem::exists(paths.journal()))
    return fail(user_mistake, fmt::format("there is no run in {}", run));
  auto journal = runtime::journal_store::open_read_only(paths.journal());
  if (!journal)
    return fail(journal.error());
  auto past = runtime::read_past(*journal);
  if (!past)
    return fail(past.error());
  std::vector<runtime::session_result> results;
  runtime::progress_view view;
  view.accounts = runtime::accounts_of(past->answers);
  topology plan;
  for (auto& [name, session] : past->sessions) {
    auto state = runtime::fold(std::move(session));
    view.elapsed = std::max(view.elapsed, state.elapsed());
    view.budget = state.plan().budget;
    plan = state.plan();
    results.push_back(runtime::make_result(state));
    runtime::bill(results.back().status, view.accounts);
    view.sessions.push_back(results.back().status);
  }
  auto devices = past->leases.devices();
  if (json) {
    fmt::print("{}\n", runtime::format_json(paths.root.filename().string(), results, devices,
                                            view.accounts));
    return done;
  }
  auto lines = runtime::format_table(view, false);
  // Which agents are busy only the run itself knows.
  lines.erase(lines.begin() + 1 + static_cast<std::ptrdiff_t>(view.sessions.size()));
  fmt::print("{}\n\n", fmt::join(lines, "\n"));
  for (auto& x : results)
    fmt::print("{}", runtime::format_result(x, paths.best(x.status.name).string()));
  for (auto& x : devices)
    fmt::print("\n{}\n", runtime::format_device(x));
  for (auto& [name, news] : past->devices)
    if (news.event.state != device_state::recovered)
      fmt::print("\n{}\n", gpu::in_words(news.event));
  if (auto process = runtime::working_process(paths))
    fmt::print("\nlive: process {}, {} so far\n", *process, runtime::format_clock(view.elapsed));
  else if (auto why = runtime::describe_suspension(results, plan, paths); !why.empty())
    fmt::print("\n{}\n", why);
  else if (std::any_of(results.begin(), results.end(), [](auto& x) { return !x.status.finished; }))
    fmt::print("\nnot live; go on with: lathe run --resume {}\n", run);
  return done;
}

struct status_arguments {
  std::string run;
  bool json = false;
};

} // namespace

void add_status(CLI::App& app, int& exit_code) {
  auto x = std::make_shared<status_arguments>();
  auto* command = app.add_subcommand("status", "what a run has found so far");
  command->footer(footer);
  command->add_option("run", x->run, "the run's folder")->required()->type_name("RUN");
  command->add_flag("--json", x->json, "one JSON document");
  command->callback([x, &exit_code] { exit_code = show(x->run, x->json); });
}

} // namespace lathe::cli
