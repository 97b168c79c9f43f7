#include "tools/lathe/commands.hpp"
#include "tools/lathe/failure.hpp"
#include "tools/lathe/installation.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include <unistd.h>

namespace lathe::cli {

namespace {

namespace fs = std::filesystem;

constexpr auto footer = R"(examples:
  lathe setup-env $(which python3)
  lathe setup-env ~/venvs/serving/bin/python

Compiles for a minute on two cores, for seconds on sixteen. What was built before is used again.
Needs g++ and the headers of that Python; those of CUDA are used where they are.)";

// The first place that can be written to.
environment_place writable_place(const installation& home) {
  auto places = environment_places(home);
  return ::access(places.front().folder.c_str(), W_OK) == 0 ? places.front() : places.back();
}

// A build folder holds a native part for the Python that it was configured with.
bool is_built_beside(const installation& home, const std::string& python) {
  return python == LATHE_DEFAULT_PYTHON && fs::exists(home.folder / "processes")
         && fs::exists(home.folder / "lathe-verifier");
}

int use_own_build(const installation& home, const std::string& python) {
  std::error_code failed;
  for (auto& place : environment_places(home))
    if (fs::remove(place.folder / place.link, failed); failed)
      return fail(environment_lacks, fmt::format("cannot remove {}/{}: {}", place.folder.string(),
                                                 place.link, failed.message()));
  fmt::print("{}: ready for {}, by Lathe's own build\n", home.folder.string(), python);
  return done;
}

/// Runs setup_env.py in place of this process. Returns only when there was nothing to run, or that
/// failed.
int set_up(const std::string& python) {
  auto home = find_installation();
  if (is_built_beside(home, python))
    return use_own_build(home, python);
  auto script = home.sources / "tools/lathe/setup_env.py";
  if (home.sources.empty() || !fs::exists(script))
    return fail(environment_lacks,
                "the sources of the native part are not beside this executable; use the bundle "
                "that tools/bundle makes, or a checkout");
  auto place = writable_place(home);
  ::execlp(python.c_str(), python.c_str(), "-s", "-E", "-B", script.c_str(), "--source",
           home.sources.c_str(), "--into", place.folder.c_str(), "--link", place.link.c_str(),
           static_cast<char*>(nullptr));
  return fail(environment_lacks, fmt::format("cannot start {}: {}", python, std::strerror(errno)));
}

} // namespace

void add_setup_env(CLI::App& app, int& exit_code) {
  auto python = std::make_shared<std::string>();
  auto* command = app.add_subcommand(
    "setup-env", "build what runs inside your own Python, and use that Python from now on");
  command->footer(footer);
  command->add_option("python", *python, "a Python with torch, which candidates shall run with")
    ->required()
    ->type_name("PYTHON");
  command->callback([python, &exit_code] { exit_code = set_up(*python); });
}

} // namespace lathe::cli
