#pragma once

#include "tools/lathe/judging/row.hpp"

#include <caf/expected.hpp>

#include <string>

// KernelBench's `eval_results.json`, as its scripts/eval_from_generations.py writes it and its
// analysis reads it: one object, problem numbers (as text) to lists of samples, each with
// `sample_id`, `compiled`, `correctness`, `metadata`, `runtime` [ms; -1 when not timed] and
// `runtime_stats` [ms].

namespace lathe::judging {

/// Gives a sample number to every row that lacks one: the next that its problem has free. Fails
/// with `user_error` when a row has no problem number, two have the same problem and sample, or the
/// tasks are of several levels: the format is for one.
caf::error number_samples(std::vector<row>& rows);

/// Returns the file's text for rows that are numbered. The verdict is that of the judge
/// `kernelbench` where it was asked, else the first one's; then `runtime` is a median.
std::string kernelbench_results(const std::vector<row>& rows, const std::string& hardware,
                                const std::string& device);

} // namespace lathe::judging
