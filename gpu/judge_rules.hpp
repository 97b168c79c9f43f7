#pragma once

#include "messages/topology.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::gpu {

/// Seeds that everybody knows, where a judge was published with them.
struct public_seeds {
  std::int64_t inputs = 0;     ///< of the inputs that are checked
  bool derives_trials = false; ///< each draw has a seed of its own, drawn from `inputs`
  std::int64_t arguments = 0;  ///< of the constructor's arguments
  std::int64_t weights = 0;
  std::int64_t timed = 0; ///< of the inputs that are timed
};

/// Times one side after the other, with the same inputs in every call, and compares means.
struct mean_timing {
  std::size_t warm_ups = 3;
  std::size_t discarded = 0;  ///< first calls that are timed and not counted
  std::size_t calls = 0;      ///< 0: as many as fit in `seconds`
  double warm_up_seconds = 0; ///< with `seconds`, in place of `warm_ups`
  double seconds = 0;
};

/// What a judge asks of a candidate. Processes, sandbox and screen are the same for all judges.
struct judge_rules {
  std::string name = "strict";
  std::string tolerance = "fp32";                ///< the verifier's policy
  std::string mode = "eval";                     ///< eval, train
  std::vector<std::size_t> input_draws = {3, 2}; ///< checked, for each draw of weights
  std::optional<public_seeds> seeds;             ///< nothing: secret ones, fresh in every run
  std::optional<mean_timing> timing;             ///< nothing: a race of alternating blocks
  /// Refuses who changes inputs, keeps answers, or is wrong while the clock runs.
  bool watches_conduct = true;
  /// Candidates may call their class `Model`, as tasks do.
  bool takes_model = false;
  std::vector<std::string> forbid; ///< matters of taste: graphs, libraries, fallback, folding

  std::size_t all_input_draws() const;

  /// Returns "strict judge, tolerance fp32, eval mode, 5 input draws, 2 weight draws", and what is
  /// forbidden.
  std::string describe() const;
};

/// The names that `find_judge` knows.
std::vector<std::string> judge_names();

/// Returns the rules of a judge, or nothing where there is none of this name.
///
/// - `strict`: this house's own; tolerance, mode and what is forbidden are the configuration's.
/// - `kernelbench`: scripts/eval_from_generations.py of KernelBench as of March 2026: seed 42 before
///   arguments and weights, five trials with seeds drawn from 42, train mode (nobody calls eval()),
///   allclose at 1e-4 (1e-2 for half types), mean of 100 calls after 3 warm-ups and one more.
/// - `pike`: the evaluator of PIKE: takes a class `Model` where there is no `ModelNew`; inputs and
///   arguments under seed 0, weights under seed 1, one draw, eval mode, allclose at 1e-2, mean over
///   5 s after 1 s of warm-up as Triton's do_bench.
std::optional<judge_rules> find_judge(std::string_view name, const evaluator_config& config);

} // namespace lathe::gpu
