#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lathe::llm_clients {

/// Returns the items of the list in `text`, whose lines end in line feeds. Of the ways to set a
/// list (numbers, headings, bullets) the outermost that occurs at least twice makes the items; what
/// is below an item is joined to it.
std::vector<std::string> read_idea_list(std::string_view text);

/// Returns `text` with every run of white space made one space, without the `**` of bold text and
/// without code fences.
std::string one_line(std::string_view text);

} // namespace lathe::llm_clients
