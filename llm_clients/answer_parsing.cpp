#include "llm_clients/answer_parsing.hpp"

#include "llm_clients/idea_list_reader.hpp"
#include "llm_clients/markdown_blocks.hpp"
#include "messages/error.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>

namespace lathe::llm_clients {

namespace dom = simdjson::dom;

namespace {

constexpr std::string_view white = " \t\n";

// Line feeds only, and without the reasoning that some models put in front of their answer.
std::string normalised(std::string_view answer) {
  constexpr std::string_view end_of_thought = "</think>";
  if (auto at = answer.rfind(end_of_thought); at != std::string_view::npos)
    answer.remove_prefix(at + end_of_thought.size());
  std::string result;
  result.reserve(answer.size());
  for (std::size_t i = 0; i < answer.size(); ++i) {
    if (answer[i] != '\r')
      result += answer[i];
    else if (i + 1 == answer.size() || answer[i + 1] != '\n')
      result += '\n';
  }
  return result;
}

// -- code -------------------------------------------------------------------------------

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Whether a line of `code` begins with `class ModelNew`.
bool defines_model(std::string_view code) {
  constexpr std::string_view wanted = "class ModelNew";
  for (auto at = code.find(wanted); at != std::string_view::npos; at = code.find(wanted, at + 1)) {
    auto line = code.substr(0, at);
    line.remove_prefix(line.rfind('\n') + 1); // from 0 where there is no line feed
    auto end = at + wanted.size();
    if (line.find_first_not_of(" \t") == std::string_view::npos
        && (end == code.size() || !is_name(code[end])))
      return true;
  }
  return false;
}

const markdown_block* best_block(const std::vector<markdown_block>& blocks) {
  const markdown_block* longest = nullptr;
  for (auto i = blocks.rbegin(); i != blocks.rend(); ++i) {
    if (defines_model(i->text))
      return &*i;
    if (is_python_tag(i->tag) && (!longest || i->text.size() > longest->text.size()))
      longest = &*i;
  }
  auto blank = longest && longest->text.find_first_not_of(white) == std::string::npos;
  return blank ? nullptr : longest;
}

bool begins_python(std::string_view line) {
  constexpr std::array<std::string_view, 8> starts = {"import ", "from ", "class ", "def ",
                                                      "@",       "#",     "\"\"\"", "if __name__"};
  return std::any_of(starts.begin(), starts.end(),
                     [&](std::string_view x) { return line.starts_with(x); });
}

// Cuts words in front of the first line of Python; the interpreter judges the rest.
std::string_view from_first_python(std::string_view text) {
  for (auto rest = text; !rest.empty();) {
    if (begins_python(rest))
      return rest;
    auto end = rest.find('\n');
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return text;
}

// -- ideas ------------------------------------------------------------------------------

std::vector<std::string> strings_of(dom::array array) {
  std::vector<std::string> result;
  for (auto element : array)
    if (std::string_view text; element.get(text) == simdjson::SUCCESS)
      result.push_back(one_line(text));
  return result;
}

// The strings of a JSON array, or of the first array in a JSON object.
std::vector<std::string> json_strings(std::string_view text) {
  dom::parser parser;
  dom::element root;
  if (parser.parse(text.data(), text.size()).get(root) != simdjson::SUCCESS)
    return {};
  dom::array array;
  if (root.get(array) == simdjson::SUCCESS)
    return strings_of(array);
  dom::object object;
  if (root.get(object) == simdjson::SUCCESS)
    for (auto field : object)
      if (field.value.get(array) == simdjson::SUCCESS)
        return strings_of(array);
  return {};
}

std::vector<std::string> json_ideas(const std::string& text) {
  auto first = text.find_first_not_of(white);
  if (first != std::string::npos && (text[first] == '[' || text[first] == '{'))
    if (auto ideas = json_strings(text); !ideas.empty())
      return ideas;
  for (const auto& block : fenced_blocks(text))
    if (block.tag.empty() || block.tag == "json")
      if (auto ideas = json_strings(block.text); !ideas.empty())
        return ideas;
  return {};
}

} // namespace

caf::expected<std::string> extract_code(std::string_view answer) {
  auto text = normalised(answer);
  if (text.find_first_not_of(white) == std::string::npos)
    return make_error(errc::bad_answer, "the answer is empty");
  auto blocks = fenced_blocks(text);
  if (auto block = best_block(blocks))
    return block->text;
  if (blocks.empty() && defines_model(text))
    return std::string{from_first_python(text)};
  return make_error(errc::bad_answer,
                    "the answer holds no Python code: neither a fenced block nor a "
                    "class ModelNew");
}

bool has_whole_code(std::string_view answer) {
  auto whole_lines = answer.substr(0, answer.rfind('\n') + 1);
  if (whole_lines.find("<think>") != std::string_view::npos
      && whole_lines.find("</think>") == std::string_view::npos)
    return false;
  auto blocks = fenced_blocks(normalised(whole_lines));
  return std::any_of(blocks.begin(), blocks.end(),
                     [](const markdown_block& x) { return x.closed && defines_model(x.text); });
}

std::vector<std::string> extract_ideas(std::string_view answer, std::size_t limit) {
  auto text = normalised(answer);
  auto result = json_ideas(text);
  if (result.empty())
    result = read_idea_list(text);
  result.erase(std::remove(result.begin(), result.end(), ""), result.end());
  if (result.size() > limit)
    result.resize(limit);
  return result;
}

} // namespace lathe::llm_clients
