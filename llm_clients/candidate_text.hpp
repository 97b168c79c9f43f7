#pragma once

#include <string_view>

// What tells a candidate's file from the other text of an answer. Pure. Lines end in line feeds.

namespace lathe::llm_clients {

/// Whether a line of `code` begins the definition of a class `ModelNew`.
bool defines_model(std::string_view code);

/// Whether `code` may be a whole file with a candidate: it defines the model, imports something,
/// and has no line that stands for others, such as `...` or `# ... as before`.
bool is_whole_file(std::string_view code);

/// Whether `text` says how to change a file, in the format of `diff`.
bool is_patch(std::string_view text);

/// Returns the Python in a text that has no fences: from the first line that begins like Python,
/// and without the last paragraphs that cannot be any.
std::string_view without_words(std::string_view text);

} // namespace lathe::llm_clients
