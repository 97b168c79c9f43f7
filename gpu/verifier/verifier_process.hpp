#pragma once

#include "gpu/processes/channel.hpp"
#include "gpu/verifier/comparison.hpp"

#include <boost/json/fwd.hpp>
#include <caf/expected.hpp>

#include <chrono>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

namespace lathe::verifier {

/// An answer that is to be compared, and what with: descriptors of values files.
struct comparison_request {
  std::string policy;
  double k = 8;         ///< how many times eager's error it may be off
  int expected = -1;    ///< the reference's
  int correction = -1;  ///< what a float64 run adds to `expected`; -1 where there is none
  int got = -1;         ///< the candidate's
  bool evidence = true; ///< what is wrong about a wrong answer shall be told
};

/// The verifier as `lathe` sees it: a process that is started when it is first needed, and again
/// when it died. Any thread may ask; one question is answered at a time.
class verifier_process {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// Will run the `lathe-verifier` at `executable`.
  /// @param gpu the one to compare on, by its UUID; empty: the CPU. Whoever asks holds a lease.
  explicit verifier_process(std::string executable, std::string gpu = {});

  verifier_process(const verifier_process&) = delete;
  verifier_process& operator=(const verifier_process&) = delete;

  ~verifier_process();

  /// Compares a candidate's output with the reference's. Errors are `errc::timed_out` and
  /// `errc::evaluator_failed`; a wrong or unreadable answer is not an error.
  caf::expected<comparison> compare(const comparison_request& x, time_point deadline);

  /// Returns why a trivial answer would pass for a task with these reference outputs, or an empty
  /// string. Errors as above.
  caf::expected<std::string> audit(const std::string& policy, std::span<const int> expected_fds,
                                   time_point deadline);

  /// Returns every trivial answer and whether it would pass. Errors as above.
  caf::expected<std::vector<trivial_answer>> try_trivial_answers(const std::string& policy,
                                                                 std::span<const int> expected_fds,
                                                                 time_point deadline);

private:
  caf::expected<boost::json::object> ask(const boost::json::object& request,
                                         std::span<const int> fds, time_point deadline);
  caf::expected<boost::json::object> ask_once(const std::string& gpu,
                                              const boost::json::object& request,
                                              std::span<const int> fds, time_point deadline);
  caf::error start(const std::string& gpu);
  void stop();

  std::mutex mutex_; // guards what follows
  std::string executable_;
  std::string gpu_;
  std::optional<gpu::channel> channel_; // there while the process is
  pid_t pid_ = -1;
};

} // namespace lathe::verifier
