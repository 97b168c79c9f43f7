#pragma once

#include <string>
#include <string_view>
#include <vector>

// What a model wrote as JSON. Pure. Line breaks within strings, which JSON does not have but models
// write, read as what they are. Nothing is found in what is no object or list of JSON.

namespace lathe::llm_clients {

/// Returns the texts in a document, at any depth, in their order.
std::vector<std::string> texts_in_json(std::string_view text);

/// Returns the items of a list, or of the first list in an object. Of items that are objects their
/// texts are joined; other items are left out.
std::vector<std::string> items_in_json(std::string_view text);

/// Returns the part of `text` from its first `begin` to its last `end`: what may be JSON amid
/// words.
std::string_view part_between(std::string_view text, char begin, char end);

} // namespace lathe::llm_clients
