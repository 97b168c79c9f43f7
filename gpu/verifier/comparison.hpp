#pragma once

#include <optional>
#include <string>

namespace lathe::verifier {

/// The environment variable that says how much of the GPU's memory a verifier may keep [bytes]: to
/// have it found anew takes longer than a comparison, where others make contexts meanwhile.
inline constexpr auto kept_memory_variable = "LATHE_KEPT_MEMORY";

/// What the verifier says about one answer.
struct comparison {
  bool agrees = false;
  std::string evidence;        ///< for people and for the fixer
  double error_ratio = 0;      ///< the worst error in units of float32 eager's
  std::string precision_class; ///< measured: fp32, tf32, half or worse

  /// Whether computing in a lower precision explains how far off it is.
  bool is_rounded() const {
    return precision_class != "worse";
  }
};

/// An answer that computes nothing, tried on a task's own outputs.
struct trivial_answer {
  std::string name;           ///< "zeros"
  std::optional<bool> passes; ///< nothing: it means nothing for outputs like these
};

} // namespace lathe::verifier
