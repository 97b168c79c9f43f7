#pragma once

#include "tools/lathe/judging/row.hpp"

#include <string>

// Verdicts in the words that tables and terminals show.

namespace lathe::judging {

/// Returns "timed out".
std::string in_words(outcome x);

/// Returns "correct 3.41x [3.38, 3.45]", "refused: cached-output", "timed out", "no verdict".
std::string brief(const judgement& x);

/// Returns the same without the word "correct": "3.41x [3.38, 3.45]".
std::string briefest(const judgement& x);

/// Returns what else is worth a line: the first line of the evidence, how repetitions agree, that
/// the task is degenerate.
std::string note(const judgement& x);

/// Returns a verdict with all its evidence, in several lines.
std::string in_full(const row& x, const judgement& y);

} // namespace lathe::judging
