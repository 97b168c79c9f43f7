#pragma once

#include <string>
#include <string_view>

// What an answer's text goes through before anything is looked for in it. Pure.

namespace lathe::llm_clients {

/// Whether `text` is white space alone.
bool is_blank(std::string_view text);

/// Returns `text` with the line ends of other systems made line feeds.
std::string with_line_feeds(std::string_view text);

/// Returns the first line of `text`, without its line feed.
std::string_view first_line(std::string_view text);

/// Returns what follows the first line of `text`.
std::string_view without_first_line(std::string_view text);

/// Returns what follows the reasoning that some models put in front of an answer: it goes to the
/// last `</think>`, or to the last end of the tag that the answer begins with.
std::string_view after_reasoning(std::string_view answer);

/// The same, but an answer that holds nothing else is returned as it is.
std::string_view without_reasoning(std::string_view answer);

/// Whether an answer, which may go on, begins with reasoning that has no end yet.
bool is_still_reasoning(std::string_view answer);

} // namespace lathe::llm_clients
