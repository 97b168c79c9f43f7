#pragma once

#include "messages/llm.hpp"

#include <optional>
#include <string>
#include <string_view>

// What becomes of an answer that ended at the token limit. Pure.

namespace lathe::llm_clients {

/// Returns the question that has a model go on where its answer to `asked` was cut off. There is
/// none when the answer was not cut, holds a whole candidate or nothing but reasoning, or was
/// itself to such a question.
std::optional<llm_request> question_to_go_on(const llm_request& asked, const llm_answer& answer);

/// Returns two parts of an answer as one, with the costs of both.
llm_answer joined(llm_answer first, const llm_answer& second);

/// Returns two parts of a text as one, with line feeds. What the second part repeats of the end of
/// the first is there once; a fence that it opens anew amid a block, and words in front of that,
/// are left out; where it tells the block from the start, that takes the place of the first part's.
std::string join_parts(std::string_view first, std::string_view second);

} // namespace lathe::llm_clients
