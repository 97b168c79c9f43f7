#include "messages/registration.hpp"
#include "tools/lathe/commands.hpp"
#include "tools/lathe/core_dumps.hpp"

#include <CLI/CLI.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <exception>

namespace {

constexpr auto description = R"(Lathe makes PyTorch models faster: teams of LLM agents and free recipes rewrite a model,
and an evaluator that they cannot fool says what is correct and how fast it is.)";

constexpr auto footer = R"(examples:
  lathe run my_model.py
      tries the free recipes on a model and writes the best one that is proven correct
  lathe run configs/topologies/pike-b.yaml --task my_model.py
      lets a team of agents work on it

exit codes: 0 done · 1 no better candidate, or a verdict is not correct · 2 a mistake in what was
given · 3 something is missing on this machine · 4 suspended until answers are in a mailbox)";

} // namespace

int main(int argc, char** argv) {
  lathe::cli::forbid_core_dumps();
  lathe::register_messages(); // whatever fails from here on has a sentence
  CLI::App app{description, "lathe"};
  app.footer(footer);
  app.require_subcommand(1);
  app.set_version_flag("--version", "lathe " LATHE_VERSION);
  app.failure_message(CLI::FailureMessage::simple);
  // Standard output is for results. A run has its own log, in a file, from when its folder is there.
  spdlog::set_default_logger(spdlog::stderr_color_mt("console"));
  std::string log_level = "warn";
  app.add_option("--log-level", log_level, "what goes to standard error: trace, debug, info, warn, error, off")
    ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}));
  app.parse_complete_callback([&] { spdlog::set_level(spdlog::level::from_str(log_level)); });
  int exit_code = lathe::cli::done;
  lathe::cli::add_run(app, exit_code);
  lathe::cli::add_eval(app, exit_code);
  lathe::cli::add_profile(app, exit_code);
  lathe::cli::add_device(app, exit_code);
  lathe::cli::add_noise(app, exit_code);
  lathe::cli::add_topology(app, exit_code);
  lathe::cli::add_llm(app, exit_code);
  lathe::cli::add_status(app, exit_code);
  lathe::cli::add_apply(app, exit_code);
  lathe::cli::add_stop(app, exit_code);
  lathe::cli::add_doctor(app, exit_code);
  lathe::cli::add_setup_env(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? lathe::cli::done : lathe::cli::user_mistake;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lathe: %s\n", error.what());
    return lathe::cli::environment_lacks;
  }
  return exit_code;
}
