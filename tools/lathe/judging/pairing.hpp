#pragma once

#include <caf/expected.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

// Which candidate is for which task, by the names of their files. Pure: no file is opened.

namespace lathe::judging {

/// What a file's name says about the problem that it belongs to.
struct problem_name {
  std::string stem;
  std::optional<std::int32_t> level;
  std::optional<std::int32_t> problem;
  std::optional<std::int32_t> sample;
};

/// Reads KernelBench's names: `level_1_problem_3_sample_0_kernel.py`; numbers alone are the problem
/// (`3.py`), level and problem (`1_3.py`), or level, problem and sample (`1_3_0.py`); else a
/// leading number is the problem (`3_Softmax.py`). A folder `level1`, `level_1` or `level-1` around
/// the file says the level where its name does not.
problem_name read_name(const std::filesystem::path& file);

/// A candidate and its task, by their positions.
struct pair {
  std::size_t task = 0;
  std::size_t candidate = 0;
  problem_name name; ///< of both: numbers that the candidate lacks are the task's
};

struct pairing {
  std::vector<pair> pairs;                  ///< by task, then by candidate
  std::vector<std::size_t> idle_tasks;      ///< no candidate is for them
  std::vector<std::size_t> idle_candidates; ///< they fit no task
};

/// Pairs each candidate with the task that the first of these rules finds: the same stem; the
/// longest task's stem that its own begins with, followed by `_`, `-` or `.`; the same problem
/// number, and the same level where both say one. Fails with `user_error` when a candidate fits
/// several tasks by one rule.
caf::expected<pairing> pair_by_name(const std::vector<std::filesystem::path>& tasks,
                                    const std::vector<std::filesystem::path>& candidates);

} // namespace lathe::judging
