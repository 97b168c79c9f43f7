#pragma once

#include "gpu/verifier/comparison.hpp"

#include <boost/json/fwd.hpp>
#include <caf/expected.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

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

/// The verifier as `lathe` sees it: processes that are started when one is first needed, and again
/// when one died. Any thread may ask; each process answers one question at a time.
class verifier_pool {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// Will run the `lathe-verifier` at `executable`.
  /// @param most how many at once: each takes memory of the GPU for itself
  /// @param gpu the one to compare on, by its UUID; empty: the CPU. Whoever asks holds a lease.
  /// @param kept what each may keep of the GPU's memory [bytes]
  explicit verifier_pool(std::string executable, std::size_t most = 1, std::string gpu = {},
                         std::int64_t kept = 0);

  verifier_pool(const verifier_pool&) = delete;
  verifier_pool& operator=(const verifier_pool&) = delete;

  /// Ends all processes, those that are being started, too.
  ~verifier_pool();

  /// Starts all processes that there may be, and returns at once: a first comparison on a GPU takes
  /// seconds, and more beside others who begin there, while who asks holds a lease.
  void start();

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
  class process;
  class lease;

  caf::expected<boost::json::object> ask(const boost::json::object& request,
                                         std::span<const int> fds, time_point deadline);
  caf::expected<boost::json::object> ask(process& one, const boost::json::object& request,
                                         std::span<const int> fds, time_point deadline) const;
  std::shared_ptr<process> make();
  std::shared_ptr<process> make_counted();
  std::shared_ptr<process> take();
  void give_back(std::shared_ptr<process> one);

  const std::string executable_;
  const std::string gpu_;
  const std::int64_t kept_;
  std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  std::size_t left_; // may be made
  std::vector<std::shared_ptr<process>> idle_;
  std::vector<std::shared_ptr<process>> begun_; // by `start`; its caller's alone
  std::vector<std::future<void>> starting_;     // the last: they use all others
};

} // namespace lathe::verifier
