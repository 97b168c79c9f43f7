#include "llm_clients/json_answer.hpp"

#include <simdjson.h>

#include <algorithm>
#include <optional>

namespace lathe::llm_clients {

namespace dom = simdjson::dom;

namespace {

std::string with_escaped_breaks(std::string_view text) {
  std::string result;
  result.reserve(text.size() + text.size() / 16);
  auto inside = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    auto c = text[at];
    if (inside && c == '\\' && at + 1 < text.size()) {
      result += c;
      c = text[++at];
    } else if (c == '"') {
      inside = !inside;
    } else if (inside && (c == '\n' || c == '\t')) {
      result += '\\';
      c = c == '\n' ? 'n' : 't';
    }
    result += c;
  }
  return result;
}

// What is found is only good as long as `parser`.
std::optional<dom::element> parse(dom::parser& parser, std::string_view text) {
  auto first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos || (text[first] != '{' && text[first] != '['))
    return std::nullopt;
  dom::element root;
  if (parser.parse(text.data(), text.size()).get(root) == simdjson::SUCCESS)
    return root;
  if (parser.parse(with_escaped_breaks(text)).get(root) == simdjson::SUCCESS)
    return root;
  return std::nullopt;
}

// simdjson bounds the depth of what it reads.
void add_texts(dom::element x, std::vector<std::string>& result) {
  std::string_view text;
  if (x.get(text) == simdjson::SUCCESS)
    result.emplace_back(text);
  else if (dom::array list; x.get(list) == simdjson::SUCCESS)
    for (auto item : list)
      add_texts(item, result);
  else if (dom::object object; x.get(object) == simdjson::SUCCESS)
    for (auto field : object)
      add_texts(field.value, result);
}

std::vector<std::string> items_of(dom::array list) {
  std::vector<std::string> result;
  for (auto item : list) {
    std::vector<std::string> texts;
    if (!item.is_array())
      add_texts(item, texts);
    std::string joined;
    for (const auto& x : texts)
      joined += (joined.empty() ? "" : ": ") + x;
    result.push_back(std::move(joined));
  }
  return result;
}

} // namespace

std::vector<std::string> texts_in_json(std::string_view text) {
  dom::parser parser;
  std::vector<std::string> result;
  if (auto root = parse(parser, text))
    add_texts(*root, result);
  return result;
}

std::vector<std::string> items_in_json(std::string_view text) {
  dom::parser parser;
  auto root = parse(parser, text);
  if (!root)
    return {};
  dom::array list;
  if (root->get(list) == simdjson::SUCCESS)
    return items_of(list);
  dom::object object;
  if (root->get(object) == simdjson::SUCCESS)
    for (auto field : object)
      if (field.value.get(list) == simdjson::SUCCESS)
        return items_of(list);
  return {};
}

std::string_view part_between(std::string_view text, char begin, char end) {
  text = text.substr(0, text.rfind(end) + 1); // nothing where there is none
  text.remove_prefix(std::min(text.find(begin), text.size()));
  return text;
}

} // namespace lathe::llm_clients
