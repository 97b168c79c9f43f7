#pragma once

#include "messages/types.hpp"
#include "runtime/journal/file_lock.hpp"

#include <caf/expected.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace lathe::runtime {

/// Whether a session's name can begin that of a file in the folder of a run: one component of a
/// path, which leads nowhere else.
bool is_session_name(std::string_view name);

/// What lies where in the folder of a run.
struct run_paths {
  std::filesystem::path root;

  std::filesystem::path journal() const {
    return root / "journal.sqlite";
  }

  std::filesystem::path report() const {
    return root / "report.md";
  }

  std::filesystem::path topology() const {
    return root / "topology.yaml";
  }

  std::filesystem::path log() const {
    return root / "lathe.log";
  }

  std::filesystem::path lock() const {
    return root / "lock";
  }

  /// Questions and answers of a model, where the topology names no other folder.
  std::filesystem::path mailbox(const std::string& model) const {
    return root / "mailbox" / model;
  }

  /// The best candidate of a session, ready to use.
  /// @param session `is_session_name`, which who reads a journal makes sure of
  std::filesystem::path best(const session_id& session) const {
    return root / (session + "_best.py");
  }
};

/// The folder of a run, held by this process alone.
class run_directory {
public:
  /// Makes `runs/name`. Fails when a run is there already.
  static caf::expected<run_directory> create(const std::filesystem::path& runs,
                                             const std::string& name);

  /// Makes `runs/BASE-DATE`, or the first of `runs/BASE-DATE-2`, `-3`, ... that is not there. What
  /// a file name should not hold is taken out of `base`.
  static caf::expected<run_directory> create_fresh(const std::filesystem::path& runs,
                                                   std::string_view base, std::string_view date);

  /// Takes over the run in `root`, to go on with it. Fails when another process works on it.
  static caf::expected<run_directory> reopen(const std::filesystem::path& root);

  const run_paths& paths() const {
    return paths_;
  }

private:
  run_directory(run_paths paths, file_lock lock)
    : paths_(std::move(paths)), lock_(std::move(lock)) {
    // nop
  }

  static caf::expected<run_directory> take(run_paths paths);

  run_paths paths_;
  file_lock lock_;
};

/// Returns the id of the process that works on a run, or nothing.
inline std::optional<int> working_process(const run_paths& run) {
  return file_lock::holder(run.lock());
}

} // namespace lathe::runtime
