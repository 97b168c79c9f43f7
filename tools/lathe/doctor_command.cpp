#include "tools/lathe/commands.hpp"
#include "tools/lathe/doctor/doctor.hpp"
#include "tools/lathe/installation.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <iostream>
#include <memory>

#include <unistd.h>

namespace lathe::cli {

namespace {

constexpr auto footer = R"(examples:
  lathe doctor
  lathe doctor --json | jq '.findings[] | select(.state != "ok")'

Starts Python, the evaluation processes and the verifier, which takes some seconds. Ends with 3 when
something that Lathe needs is missing; a warning does not count.)";

doctor::report_format text_format() {
  auto colour = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  return colour ? doctor::report_format::coloured_text : doctor::report_format::text;
}

int examine(bool json) {
  auto site = find_installation().site;
  return doctor::run_doctor({site.python, site.processes, site.verifier, cache_folder()},
                            json ? doctor::report_format::json : text_format(), std::cout);
}

} // namespace

void add_doctor(CLI::App& app, int& exit_code) {
  auto json = std::make_shared<bool>(false);
  auto* command =
    app.add_subcommand("doctor", "what is missing or odd on this machine, and how to mend it");
  command->footer(footer);
  command->add_flag("--json", *json, "one JSON document");
  command->callback([json, &exit_code] { exit_code = examine(*json); });
}

} // namespace lathe::cli
