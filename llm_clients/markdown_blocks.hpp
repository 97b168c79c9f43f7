#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::llm_clients {

/// A fenced block of an answer.
struct markdown_block {
  std::string tag;    ///< in lower case: "python", "cpp"; may be empty
  std::string text;   ///< lines between the fences, without the fence's own indentation
  bool closed = true; ///< false: the answer ended first
};

/// Returns the fenced blocks of `text`, whose lines end in line feeds. A fence inside a
/// triple-quoted Python string is part of the code, and a tagged fence where no code can stand
/// opens a new block.
std::vector<markdown_block> fenced_blocks(std::string_view text);

/// Returns the tag of the fence that a line is, which may be empty; nothing where it is none.
std::optional<std::string> fence_tag(std::string_view line);

/// Whether a block with this tag can be Python: "python", "py", "python3", or no tag.
bool is_python_tag(std::string_view tag);

} // namespace lathe::llm_clients
