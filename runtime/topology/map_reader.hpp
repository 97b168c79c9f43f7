#pragma once

#include "runtime/topology/suggestion.hpp"
#include "runtime/topology/yaml_tree.hpp"

#include <concepts>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lathe::runtime {

/// The least and the most that a number may be.
struct range {
  double least = 0;
  double most = 0;
};

/// Reads a map of a topology key by key. What is not there leaves its target as it is; what does
/// not fit is a mistake. The keys asked for are the keys that exist: `finish` calls all others
/// unknown.
class map_reader {
public:
  /// `name` is how messages call this map, "agents.coder"; empty for the whole file. A node that is
  /// not a map is a mistake and reads as an empty one.
  map_reader(const yaml_node& node, std::string name, mistake_list& mistakes);

  // -- values ----------------------------------------------------------------------

  bool read(std::string_view key, bool& x);
  bool read(std::string_view key, double& x, range allowed);

  template <std::signed_integral Integer>
  bool read(std::string_view key, Integer& x, range allowed) {
    std::int64_t number = 0;
    if (!read_integer(key, number, allowed))
      return false;
    x = static_cast<Integer>(number); // `allowed` lies within Integer
    return true;
  }

  /// Reads one line of text.
  bool read(std::string_view key, std::string& x);

  /// Reads a list of texts.
  bool read(std::string_view key, std::vector<std::string>& x);

  bool read_duration(std::string_view key, double& x, range allowed);   ///< [seconds]
  bool read_size(std::string_view key, std::int64_t& x, range allowed); ///< [bytes]
  bool read_money(std::string_view key, double& x);                     ///< [USD]

  /// Reads one of the words in `known`. A word in `later` gets `advice` instead of a suggestion.
  bool read_word(std::string_view key, std::string& x, const std::vector<std::string>& known,
                 const std::vector<std::string>& later = {}, std::string_view advice = {});

  /// Reads a list of such words.
  bool read_words(std::string_view key, std::vector<std::string>& x,
                  const std::vector<std::string>& known);

  // -- parts -----------------------------------------------------------------------

  /// Returns the value of a key that may be there, or nullptr.
  const yaml_node* find(std::string_view key);

  /// Reads a map within this map; one that is not there reads as empty.
  map_reader inner(std::string_view key);

  /// Returns this map's keys and values, for maps whose keys are names.
  const std::vector<yaml_entry>& entries() const;

  /// Reads the map that is one of those values.
  map_reader inner(const yaml_entry& entry) const;

  // -- mistakes --------------------------------------------------------------------

  /// Where this map stands.
  const place& at() const {
    return at_;
  }

  /// Returns how messages call a key: "agents.coder.model".
  std::string called(std::string_view key) const;

  /// Adds a mistake at a key's value, or at the map when the key is not there.
  void refuse(std::string_view key, const std::string& message);

  /// Calls each key that nobody asked for unknown.
  void finish();

private:
  bool read_integer(std::string_view key, std::int64_t& x, range allowed);
  const yaml_node* scalar(std::string_view key, std::string_view expected);
  bool within(std::string_view key, double number, range allowed, const std::string& words);

  const yaml_node* node_;
  place at_;
  std::string name_;
  mistake_list* mistakes_;
  std::set<std::string, std::less<>> asked_;
};

} // namespace lathe::runtime
