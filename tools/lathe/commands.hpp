#pragma once

#include <CLI/App.hpp>

// One function a command: adds it to the application; when the user chose it, its callback sets
// `exit_code`.

namespace lathe::cli {

/// What the process tells its caller.
enum exit_code : int {
  done = 0,
  not_better = 1, ///< no better candidate, or a verdict that is not correct
  user_mistake = 2,
  environment_lacks = 3, ///< something on this machine
  suspended = 4,         ///< a run that waits for answers in a mailbox
};

void add_run(CLI::App& app, int& exit_code);
void add_eval(CLI::App& app, int& exit_code);
void add_noise(CLI::App& app, int& exit_code);
void add_topology(CLI::App& app, int& exit_code);
void add_llm(CLI::App& app, int& exit_code);
void add_status(CLI::App& app, int& exit_code);
void add_apply(CLI::App& app, int& exit_code);
void add_stop(CLI::App& app, int& exit_code);
void add_profile(CLI::App& app, int& exit_code);
void add_device(CLI::App& app, int& exit_code);
void add_doctor(CLI::App& app, int& exit_code);
void add_setup_env(CLI::App& app, int& exit_code);

} // namespace lathe::cli
