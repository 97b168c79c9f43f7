#include "runtime/journal/run_directory.hpp"

#include "messages/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <functional>

namespace lathe::runtime {

namespace fs = std::filesystem;

namespace {

bool is_file_name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
}

// Not hidden, not a path, and nothing that a shell would take apart.
bool is_run_name(std::string_view name) {
  return !name.empty() && name.size() <= 200 && name[0] != '.' && name[0] != '-'
         && std::all_of(name.begin(), name.end(), is_file_name_character);
}

// A run that failed before its first event leaves its lock and its log; that is as good as empty.
bool holds_something(const run_paths& run) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator{run.root, ignored})
    if (entry.path() != run.lock() && entry.path() != run.log())
      return true;
  return false;
}

caf::error name_is_taken(const run_paths& run) {
  return make_error(
    errc::user_error,
    fmt::format("{} exists; go on with --resume, or choose another --name", run.root.string()));
}

// Makes one folder. Returns true if it was not there.
caf::expected<bool> make_folder(const fs::path& folder) {
  std::error_code failure;
  auto made = fs::create_directory(folder, failure);
  std::error_code ignored;
  auto parent = folder.parent_path();
  if (failure && !parent.empty() && !fs::exists(parent, ignored))
    return make_error(errc::environment_error,
                      fmt::format("{} cannot be made: the folder {} does not exist",
                                  folder.string(), parent.string()));
  if (failure)
    return make_error(errc::environment_error,
                      fmt::format("{} cannot be made: {}", folder.string(), failure.message()));
  return made;
}

} // namespace

bool is_session_name(std::string_view name) {
  using namespace std::string_view_literals;
  return !name.empty() && name != "." && name != ".."
         && name.find_first_of("/\0"sv) == std::string_view::npos;
}

caf::expected<run_directory> run_directory::create(const fs::path& runs, const std::string& name) {
  if (!is_run_name(name))
    return make_error(errc::user_error,
                      fmt::format("'{}' cannot be the name of a run: use letters, digits, '-', '_' "
                                  "and '.'",
                                  name));
  if (auto made = make_folder(runs); !made)
    return made.error();
  run_paths paths{runs / name};
  auto made = make_folder(paths.root);
  if (!made)
    return made.error();
  if (holds_something(paths))
    return name_is_taken(paths);
  auto result = take(paths, true);
  // Somebody else may have been here before the lock was ours.
  if (result && holds_something(paths)) {
    result->keep();
    return name_is_taken(paths);
  }
  return result;
}

caf::expected<run_directory>
run_directory::create_fresh(const fs::path& runs, std::string_view base, std::string_view date) {
  auto stem = fmt::format("{:.100}-{}", base, date);
  std::replace_if(stem.begin(), stem.end(), std::not_fn(is_file_name_character), '_');
  if (!is_run_name(stem))
    stem = "run" + stem;
  if (auto made = make_folder(runs); !made)
    return made.error();
  run_paths paths{runs / stem};
  auto made = make_folder(paths.root);
  for (int number = 2; made && !*made; ++number) {
    paths.root = runs / fmt::format("{}-{}", stem, number);
    made = make_folder(paths.root);
  }
  if (!made)
    return made.error();
  return take(paths, true);
}

caf::expected<run_directory> run_directory::reopen(const fs::path& root) {
  // "runs/demo/" is "runs/demo" in what people read.
  run_paths paths{root.has_filename() ? root : root.parent_path()};
  std::error_code ignored;
  if (!fs::is_directory(paths.root, ignored))
    return make_error(errc::user_error, fmt::format("{} is not the folder of a run: it does not "
                                                    "exist",
                                                    paths.root.string()));
  if (!fs::exists(paths.journal(), ignored))
    return make_error(errc::user_error,
                      fmt::format("{} is not the folder of a run: it has no {}",
                                  paths.root.string(), paths.journal().filename().string()));
  return take(paths, false);
}

run_directory::~run_directory() {
  if (!passing_)
    return;
  std::error_code ignored;
  auto journal = paths_.journal().string();
  for (const auto& file : {paths_.topology().string(), journal, journal + "-wal", journal + "-shm"})
    fs::remove(file, ignored);
}

caf::expected<run_directory> run_directory::take(run_paths paths, bool passing) {
  auto lock = file_lock::take(paths.lock());
  if (!lock)
    return lock.error();
  return run_directory{std::move(paths), std::move(*lock), passing};
}

} // namespace lathe::runtime
