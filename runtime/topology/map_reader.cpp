#include "runtime/topology/map_reader.hpp"

#include "runtime/topology/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace lathe::runtime {

namespace {

const yaml_node empty_map = {.type = yaml_node::kind::map};

// "12h", "90s", "0.05s": a duration as people write it.
std::string duration_text(double seconds) {
  for (auto [factor, unit] : {std::pair{86'400, "d"}, std::pair{3'600, "h"}, std::pair{60, "m"}})
    if (seconds >= factor && static_cast<std::int64_t>(seconds) % factor == 0)
      return fmt::format("{:g}{}", seconds / factor, unit);
  return fmt::format("{:g}s", seconds);
}

std::string size_text(double bytes) {
  for (auto [factor, unit] : {std::pair{1 << 30, "GiB"}, std::pair{1 << 20, "MiB"}})
    if (bytes >= factor)
      return fmt::format("{:g}{}", bytes / factor, unit);
  return fmt::format("{:g}B", bytes);
}

} // namespace

map_reader::map_reader(const yaml_node& node, std::string name, mistake_list& mistakes)
  : node_(&node), at_(node.at), name_(std::move(name)), mistakes_(&mistakes) {
  if (node_->type == yaml_node::kind::map)
    return;
  mistakes_->add(at_, fmt::format("{} must be a map, not {}", name_, what_it_is(*node_)));
  node_ = &empty_map;
}

// -- values --------------------------------------------------------------------------

bool map_reader::read(std::string_view key, bool& x) {
  auto node = scalar(key, "true or false");
  if (!node)
    return false;
  if (node->text != "true" && node->text != "false") {
    refuse(key, fmt::format("must be true or false, not {}", what_it_is(*node)));
    return false;
  }
  x = node->text == "true";
  return true;
}

bool map_reader::read(std::string_view key, double& x, range allowed) {
  auto node = scalar(key, "a number");
  if (!node)
    return false;
  auto number = parse_number(node->text);
  if (!number) {
    refuse(key, fmt::format("must be a number, not {}", what_it_is(*node)));
    return false;
  }
  if (!within(key, *number, allowed, fmt::format("{:g} to {:g}", allowed.least, allowed.most)))
    return false;
  x = *number;
  return true;
}

bool map_reader::read_integer(std::string_view key, std::int64_t& x, range allowed) {
  auto node = scalar(key, "a whole number");
  if (!node)
    return false;
  auto number = parse_integer(node->text);
  if (!number) {
    refuse(key, fmt::format("must be a whole number, not {}", what_it_is(*node)));
    return false;
  }
  auto words = fmt::format("{:.0f} to {:.0f}", allowed.least, allowed.most);
  if (!within(key, static_cast<double>(*number), allowed, words))
    return false;
  x = *number;
  return true;
}

bool map_reader::read(std::string_view key, std::string& x) {
  auto node = scalar(key, "a text");
  if (!node)
    return false;
  if (node->text.empty() || node->text.find('\n') != std::string::npos) {
    refuse(key, node->text.empty() ? "must not be empty" : "must be one line");
    return false;
  }
  if (node->text.find("${") != std::string::npos) {
    refuse(key, "cannot hold '${...}': variables are filled in only in api_key and base_url");
    return false;
  }
  x = node->text;
  return true;
}

bool map_reader::read(std::string_view key, std::vector<std::string>& x) {
  auto node = find(key);
  if (!node)
    return false;
  auto is_text = [](const yaml_node& item) { return item.type == yaml_node::kind::scalar; };
  if (node->type != yaml_node::kind::list
      || !std::all_of(node->items.begin(), node->items.end(), is_text)) {
    auto what = node->type == yaml_node::kind::list ? "a list of other things" : what_it_is(*node);
    refuse(key, fmt::format("must be a list of names, such as [a, b], not {}", what));
    return false;
  }
  x.clear();
  for (const auto& item : node->items)
    x.push_back(item.text);
  return true;
}

bool map_reader::read_duration(std::string_view key, double& x, range allowed) {
  constexpr auto expected = "a duration such as 90s, 2m30s or 12h";
  auto node = scalar(key, expected);
  if (!node)
    return false;
  auto seconds = parse_duration(node->text);
  if (!seconds) {
    refuse(key, fmt::format("must be {}, not {}", expected, what_it_is(*node)));
    return false;
  }
  auto words = duration_text(allowed.least) + " to " + duration_text(allowed.most);
  if (!within(key, *seconds, allowed, words))
    return false;
  x = *seconds;
  return true;
}

bool map_reader::read_size(std::string_view key, std::int64_t& x, range allowed) {
  constexpr auto expected = "a size such as 512MiB or 8GiB";
  auto node = scalar(key, expected);
  if (!node)
    return false;
  auto bytes = parse_size(node->text);
  if (!bytes) {
    refuse(key, fmt::format("must be {}, not {}", expected, what_it_is(*node)));
    return false;
  }
  auto words = size_text(allowed.least) + " to " + size_text(allowed.most);
  if (!within(key, static_cast<double>(*bytes), allowed, words))
    return false;
  x = *bytes;
  return true;
}

bool map_reader::read_money(std::string_view key, double& x) {
  constexpr auto expected = "an amount in USD such as 25 or 1.25";
  auto node = scalar(key, expected);
  if (!node)
    return false;
  auto amount = parse_money(node->text);
  if (!amount || *amount < 0) {
    refuse(key, fmt::format("must be {}, not {}", expected, what_it_is(*node)));
    return false;
  }
  x = *amount;
  return true;
}

bool map_reader::read_word(std::string_view key, std::string& x,
                           const std::vector<std::string>& known,
                           const std::vector<std::string>& later, std::string_view advice) {
  auto node = scalar(key, either(known));
  if (!node)
    return false;
  auto is = [&](const std::string& word) { return word == node->text; };
  if (std::any_of(known.begin(), known.end(), is)) {
    x = node->text;
    return true;
  }
  if (std::any_of(later.begin(), later.end(), is)) {
    refuse(key, fmt::format("'{}' is not in this version of Lathe; {}", node->text, advice));
  } else {
    refuse(key, fmt::format("must be {}, not {}{}", either(known), what_it_is(*node),
                            did_you_mean(node->text, known)));
  }
  return false;
}

bool map_reader::read_words(std::string_view key, std::vector<std::string>& x,
                            const std::vector<std::string>& known) {
  std::vector<std::string> words;
  if (!read(key, words))
    return false;
  for (const auto& word : words) {
    if (std::find(known.begin(), known.end(), word) == known.end()) {
      refuse(key, fmt::format("may hold {}, not '{}'{}", either(known), word,
                              did_you_mean(word, known)));
      return false;
    }
  }
  x = std::move(words);
  return true;
}

// -- parts ---------------------------------------------------------------------------

const yaml_node* map_reader::find(std::string_view key) {
  asked_.emplace(key);
  auto entry = node_->find(key);
  return entry ? &entry->value : nullptr;
}

map_reader map_reader::inner(std::string_view key) {
  asked_.emplace(key);
  if (auto entry = node_->find(key))
    return inner(*entry);
  auto result = map_reader{empty_map, called(key), *mistakes_};
  result.at_ = at_;
  return result;
}

map_reader map_reader::inner(const yaml_entry& entry) const {
  auto result = map_reader{entry.value, called(entry.key), *mistakes_};
  result.at_ = entry.at;
  return result;
}

const std::vector<yaml_entry>& map_reader::entries() const {
  return node_->entries;
}

// -- mistakes ------------------------------------------------------------------------

std::string map_reader::called(std::string_view key) const {
  return name_.empty() ? std::string{key} : fmt::format("{}.{}", name_, key);
}

void map_reader::refuse(std::string_view key, const std::string& message) {
  asked_.emplace(key);
  auto at = node_->find(key) ? place_of(*node_, {key}) : at_;
  mistakes_->add(at, called(key) + " " + message);
}

void map_reader::finish() {
  auto known = std::vector<std::string>{asked_.begin(), asked_.end()};
  for (const auto& entry : node_->entries)
    if (!asked_.contains(entry.key))
      mistakes_->add(entry.at, fmt::format("unknown key '{}'{}{}", entry.key,
                                           name_.empty() ? "" : " in " + name_,
                                           did_you_mean(entry.key, known)));
}

const yaml_node* map_reader::scalar(std::string_view key, std::string_view expected) {
  auto node = find(key);
  if (!node)
    return nullptr;
  if (node->type != yaml_node::kind::scalar) {
    refuse(key, fmt::format("must be {}, not {}", expected, what_it_is(*node)));
    return nullptr;
  }
  return node;
}

bool map_reader::within(std::string_view key, double number, range allowed,
                        const std::string& words) {
  if (number >= allowed.least && number <= allowed.most)
    return true;
  refuse(key, fmt::format("must be {}, not {}", words, what_it_is(*find(key))));
  return false;
}

} // namespace lathe::runtime
