#pragma once

#include "messages/types.hpp"
#include "runtime/journal/file_lock.hpp"

#include <caf/expected.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

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

/// The folder of a run, held by this process alone. A run that does not get as far as its first
/// event leaves nothing that is in the way of another: a new folder is emptied when it is let go,
/// unless `keep` was called.
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

  run_directory(run_directory&& other) noexcept
    : paths_(std::move(other.paths_)), lock_(std::move(other.lock_)),
      passing_(std::exchange(other.passing_, false)) {
    // nop
  }

  run_directory& operator=(run_directory&& other) noexcept {
    std::swap(paths_, other.paths_);
    std::swap(lock_, other.lock_);
    std::swap(passing_, other.passing_);
    return *this;
  }

  ~run_directory();

  /// The run has begun: what is in the folder stays there.
  void keep() {
    passing_ = false;
  }

  const run_paths& paths() const {
    return paths_;
  }

private:
  run_directory(run_paths paths, file_lock lock, bool passing)
    : paths_(std::move(paths)), lock_(std::move(lock)), passing_(passing) {
    // nop
  }

  static caf::expected<run_directory> take(run_paths paths, bool passing);

  run_paths paths_;
  file_lock lock_;
  bool passing_; // to be emptied
};

/// Returns the id of the process that works on a run, or nothing.
inline std::optional<int> working_process(const run_paths& run) {
  return file_lock::holder(run.lock());
}

} // namespace lathe::runtime
