#pragma once

#include "gpu/evaluation_site.hpp"
#include "messages/verdict.hpp"

#include <caf/expected.hpp>

#include <string>
#include <vector>

namespace lathe::judging {

/// A model that is judged as its own candidate.
struct noise_program {
  std::string name;
  std::string source; ///< of `Model`, in KernelBench's format
};

/// The built-in ones: one whose calls are mostly Python and launches, one that computes.
std::vector<noise_program> noise_programs();

/// How far an evaluator's verdicts on an unchanged model are from a perfect tie.
struct noise_figures {
  std::string program;
  double reference = 0;      ///< [seconds] median of one call, over all verdicts
  std::int32_t verdicts = 0; ///< with times
  std::int32_t untimed = 0;  ///< unstable or not even correct
  std::int32_t ties = 0;
  std::int32_t wins = 0;
  std::int32_t losses = 0;
  double medians = 0; ///< spread of the candidate's medians: largest less smallest, relative
  double widest_interval = 0; ///< half of the widest interval, relative
  double farthest = 0;        ///< how far from 1 an interval reached
};

noise_figures figures_of(const std::string& program, const std::vector<verdict>& verdicts);

/// Returns one sentence: from which speed-up on a difference means something here.
std::string advice(const std::vector<noise_figures>& x);

/// Judges each program for that long [seconds], and at least three times.
caf::expected<std::vector<noise_figures>> measure_noise(gpu::evaluation_site& site,
                                                        double seconds_each);

} // namespace lathe::judging
