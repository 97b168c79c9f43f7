#pragma once

#include "runtime/topology/diagnostic.hpp"

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::runtime {

struct yaml_entry;

/// A piece of YAML that knows where it stands, also after files were merged.
struct yaml_node {
  enum class kind : unsigned char { null, scalar, list, map };

  kind type = kind::null;
  place at;
  std::string text;                ///< of a scalar
  bool quoted = false;             ///< of a scalar: it is a text, whatever it looks like
  std::vector<yaml_node> items;    ///< of a list
  std::vector<yaml_entry> entries; ///< of a map, in the file's order, each key once

  /// Returns the entry with this key, or nullptr.
  const yaml_entry* find(std::string_view key) const;
  yaml_entry* find(std::string_view key);

  /// Sets a key of a map to a text.
  void set(std::string_view key, std::string value);

  /// Sets a key of a map to a map of texts.
  void set(std::string_view key, const std::map<std::string, std::string>& values);

  /// Removes a key of a map, if it is there.
  void remove(std::string_view key);

private:
  void set(std::string_view key, yaml_node value);
};

struct yaml_entry {
  std::string key;
  place at; ///< of the key
  yaml_node value;
};

/// Reads one YAML document. Returns nothing, and says why, when `text` is not one. Of a duplicate
/// key, which is a mistake, the first stays.
std::optional<yaml_node> parse_yaml(const std::string& text, const std::string& file,
                                    mistake_list& mistakes);

/// Writes YAML that `parse_yaml` reads as the same tree.
std::string render_yaml(const yaml_node& root);

/// Returns where `path` stands below `root`, or the deepest part of it that is there: the key of a
/// map or list, the value of anything else.
place place_of(const yaml_node& root, std::initializer_list<std::string_view> path);

/// Says in words what a value is: "'ten'", "a list", "a map", "nothing".
std::string what_it_is(const yaml_node& x);

} // namespace lathe::runtime
