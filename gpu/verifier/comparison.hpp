#pragma once

#include <string>

namespace lathe::verifier {

/// What the verifier says about one answer.
struct comparison {
  bool agrees = false;
  std::string evidence;        ///< for people and for the fixer
  double error_ratio = 0;      ///< the worst error in units of float32 eager's
  std::string precision_class; ///< measured: fp32, tf32, half or worse
};

} // namespace lathe::verifier
