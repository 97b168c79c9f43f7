#pragma once

#include "gpu/judge_rules.hpp"
#include "tools/lathe/judging/row.hpp"

#include <string>

namespace lathe::judging {

/// One judge's verdict with the rules that it came from.
struct ruling {
  const lathe::verdict& verdict;
  const gpu::judge_rules& rules;
};

/// Returns nothing when both say the same: not correct, or correct and on the same side of 1. Else
/// the rule that parts them and why, as far as their evidence tells: "tolerance: the error is 60
/// times float32 eager's; strict allows 8 times, pike 1e-2 absolute and relative".
std::string why_they_differ(const ruling& x, const ruling& y);

/// Returns why other judges differ from the first, one sentence a judge; empty when none does.
std::vector<std::string> disagreements(const row& x, const std::vector<gpu::judge_rules>& judges);

} // namespace lathe::judging
