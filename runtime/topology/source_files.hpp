#pragma once

#include "runtime/topology/yaml_tree.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <variant>

namespace lathe::runtime {

/// Why a file could not be read, for people: "no such file".
struct unreadable {
  std::string why;
};

/// Reads a text file of at most 1 MiB.
std::variant<std::string, unreadable> read_text_file(const std::filesystem::path& path);

/// Reads a topology file and lays it over what it extends: maps are merged key by key, lists and
/// scalars are replaced, a key without a value takes the inherited key away. Every node keeps its
/// place in its own file.
std::optional<yaml_node> read_with_bases(const std::filesystem::path& file, mistake_list& mistakes);

/// The same for text that is not in a file of its own; `folder` is what `extends` is relative to.
std::optional<yaml_node> read_with_bases(const std::string& text, const std::string& name,
                                         const std::filesystem::path& folder,
                                         mistake_list& mistakes);

} // namespace lathe::runtime
