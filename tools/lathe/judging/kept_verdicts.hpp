#pragma once

#include "gpu/judge_rules.hpp"
#include "gpu/measurement_cache.hpp"
#include "messages/task.hpp"
#include "tools/lathe/judging/row.hpp"

#include <caf/expected.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace lathe::judging {

/// One verdict, and what its row says of the task.
struct kept_verdict {
  judged_run run;
  std::string rules;
  std::string degenerate;
  std::vector<baseline> baselines;
};

/// What a verdict is about, and what it depends on beside the machine.
struct kept_subject {
  const lathe::task& task;
  const std::string& candidate; ///< its file
  const std::string& source;    ///< of the candidate
  const gpu::judge_rules& rules;
  std::size_t repeat = 0;     ///< which repetition it is
  bool own_reference = false; ///< it was timed against a process that nobody else was timed against
};

/// Verdicts that outlive the command which had them: one JSON file each, in a folder that the user
/// names. A verdict is found again for the same files, by name and content, under the same rules
/// and limits, on devices and software of the same kind. Safe to use from several threads and
/// processes.
class kept_verdicts {
public:
  /// Makes the folder where there is none. Fails with `user_error` when nothing can be written
  /// there.
  /// @param where the devices, as `kind_of` names them, and the software
  static caf::expected<kept_verdicts> open(const std::filesystem::path& folder,
                                           const environment& where, const evaluator_config& config,
                                           bool profiles = false);

  std::optional<kept_verdict> find(const kept_subject& subject) const;

  /// Those that may be due to what else went on (`unstable`, `out_of_memory`) are not kept. Returns
  /// false when it could not be written.
  bool keep(const kept_subject& subject, const kept_verdict& x) const;

private:
  kept_verdicts(const std::filesystem::path& folder, boost::json::object depends_on)
    : files_(folder), depends_on_(std::move(depends_on)) {
    // nop
  }

  boost::json::object key_of(const kept_subject& subject) const;

  gpu::measurement_cache files_;
  boost::json::object depends_on_; // of all verdicts
};

/// Returns "NVIDIA H200, ..." for "cuda:0, NVIDIA H200, ...": devices of one kind judge alike.
std::string kind_of(const std::string& device);

} // namespace lathe::judging
