#pragma once

#include <caf/expected.hpp>

#include <string>
#include <string_view>
#include <vector>

// What agents read out of a model's words. Pure, and safe on any bytes.

namespace lathe::llm_clients {

/// Returns the candidate in an answer: the last fenced block with `class ModelNew`, else the
/// longest fenced block of Python, else the answer itself when it is Python with `class ModelNew`.
/// A last block without its closing fence counts: the answer was cut. Reasoning in <think> tags is
/// passed over. Fails with `bad_answer` and a sentence that can be given to a fixer.
caf::expected<std::string> extract_code(std::string_view answer);

/// Whether an answer, which may go on, has a fenced block with `class ModelNew` and its end.
bool has_whole_code(std::string_view answer);

/// Returns at most `limit` ideas: the strings of a JSON array, or the items of a list that is
/// numbered, headed or bulleted, each on one line. Empty when the answer holds no list.
std::vector<std::string> extract_ideas(std::string_view answer, std::size_t limit);

} // namespace lathe::llm_clients
