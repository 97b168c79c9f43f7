#pragma once

#include <caf/expected.hpp>

#include <string>
#include <string_view>
#include <vector>

// What agents read out of a model's words. Pure, and safe on any bytes.

namespace lathe::llm_clients {

/// Returns the candidate in an answer. Code is looked for in fenced blocks with any tag, in the
/// texts of JSON, and in what these hold of one another; of an answer with neither, all that is
/// Python counts. Of several texts with `class ModelNew` the last whole file is taken, else the
/// last one, never a patch; without one, the longest fenced block of Python. Reasoning in front
/// (`<think>`) is passed over. Fails with `bad_answer` and a sentence that can be given to a fixer.
/// @param cut the answer ended at the token limit: a last block without its closing fence is only
///   taken when no other has the model
caf::expected<std::string> extract_code(std::string_view answer, bool cut = false);

/// Whether an answer, which may go on, has a whole file with `class ModelNew` and its end: the
/// closing fence, or that of the JSON.
bool has_whole_code(std::string_view answer);

/// Returns at most `limit` ideas, each on one line: the items of a list of JSON, or of a list that
/// is numbered, headed or bulleted. Empty when the answer holds no list.
std::vector<std::string> extract_ideas(std::string_view answer, std::size_t limit);

} // namespace lathe::llm_clients
