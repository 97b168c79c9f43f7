#pragma once

#include "messages/task.hpp"
#include "messages/verdict.hpp"
#include "runtime/replay.hpp"

#include <string>
#include <vector>

namespace lathe::runtime {

/// A verdict that the journal has, and the text that it is about.
struct recorded_verdict {
  std::string source;
  lathe::verdict verdict;
};

/// Returns the verdicts of a session's past, oldest first: what was measured is not measured again,
/// whoever hands the same text in. Confirmations are left out, since they are measured anew, and so
/// is all that was measured elsewhere.
/// @param here the device and software of this run
std::vector<recorded_verdict> recorded_verdicts(const session_past& past, const environment& here);

} // namespace lathe::runtime
