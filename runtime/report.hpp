#pragma once

#include "runtime/lease_timeline.hpp"
#include "runtime/session_result.hpp"

#include <string>
#include <vector>

// What people read at the end of a run. Pure: results in, text out. A number without an interval is
// not printed, a tie is called a tie, and what was refused is shown.

namespace lathe::runtime {

/// Returns seconds in ms with three significant digits: "0.612 ms".
std::string format_ms(double seconds);

/// Returns "3.41x [3.38, 3.45]", with "tie" behind it where the interval holds 1.
std::string format_speedup(const timing& x);

/// Returns what a correct candidate does that may be a matter of taste, as far as it is known:
/// "device: 83 % own kernels, 17 % library, in a CUDA graph · folds its weights".
std::string format_taste(const verdict& x);

/// Returns "roofline floor 0.061 ms (2.9x above it)"; empty where the floor is not known. Who does
/// less than the reference may be below it.
std::string format_floor(const timing& x);

/// Returns "eager 3.41x · torch.compile 1.87x": what a speed-up over eager is over each baseline;
/// empty where nothing but eager was timed.
std::string format_baselines(const std::vector<baseline>& baselines, double speedup);

/// Returns "3 throttled pairs of blocks discarded"; empty where there were none.
std::string format_throttled(const timing& x);

/// Returns a session's result in a few lines for the terminal.
std::string format_result(const session_result& x, const std::string& best_file);

/// Returns what a device's time went to in one line: "cuda:0  exclusive 38 % · shared 41 % · ...".
std::string format_device(const device_time& x);

/// Returns the run's report in Markdown.
std::string format_report(const std::string& run_name, const std::string& topology_name,
                          const std::vector<session_result>& results,
                          const std::vector<device_time>& devices = {},
                          const std::vector<account_status>& accounts = {});

/// Returns the best candidate as a file that people use: its source under a header that says what
/// was proven, how and where.
std::string format_best_file(const session_result& x);

/// Returns all results as one JSON document with stable keys.
std::string format_json(const std::string& run_name, const std::vector<session_result>& results,
                        const std::vector<device_time>& devices = {},
                        const std::vector<account_status>& accounts = {});

} // namespace lathe::runtime
