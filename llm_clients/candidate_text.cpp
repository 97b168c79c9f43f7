#include "llm_clients/candidate_text.hpp"

#include "llm_clients/answer_text.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace lathe::llm_clients {

namespace {

constexpr std::string_view white = " \t\n";

template <class Predicate>
bool any_line(std::string_view text, Predicate holds) {
  for (; !text.empty(); text = without_first_line(text))
    if (holds(first_line(text)))
      return true;
  return false;
}

std::string_view trimmed_left(std::string_view text, std::string_view what = " \t") {
  text.remove_prefix(std::min(text.find_first_not_of(what), text.size()));
  return text;
}

bool starts_with_any(std::string_view text, std::span<const std::string_view> starts) {
  return std::ranges::any_of(starts, [&](auto x) { return text.starts_with(x); });
}

bool is_import(std::string_view line) {
  line = trimmed_left(line);
  return line.starts_with("import ")
         || (line.starts_with("from ") && line.find(" import ") != std::string_view::npos);
}

bool stands_for_others(std::string_view line) {
  line = trimmed_left(line);
  if (line.starts_with('#'))
    line = trimmed_left(line.substr(1));
  return line.starts_with("...") || line.starts_with("…");
}

// -- words ------------------------------------------------------------------------------

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

std::string_view take_word(std::string_view& line) {
  auto end = std::ranges::find_if_not(line, is_letter);
  auto result = line.substr(0, static_cast<std::size_t>(end - line.begin()));
  line = trimmed_left(line.substr(result.size()));
  return result;
}

// In Python two names follow one another only when one of them is a keyword.
bool is_keyword(std::string_view word) {
  constexpr std::array<std::string_view, 32> all = {
    "and",    "as",    "assert", "async", "await",  "break",   "case",  "class",
    "def",    "del",   "elif",   "else",  "except", "finally", "for",   "from",
    "global", "if",    "import", "in",    "is",     "lambda",  "match", "not",
    "or",     "raise", "return", "try",   "type",   "while",   "with",  "yield"};
  return std::ranges::find(all, word) != all.end();
}

// Whether a paragraph cannot begin with Python. One that holds the end of a string may be part of
// that string.
bool is_words(std::string_view paragraph) {
  constexpr std::array<std::string_view, 6> marks = {"- ", "* ", "**", "> ", "</", "1. "};
  if (paragraph.find("\"\"\"") != std::string_view::npos
      || paragraph.find("'''") != std::string_view::npos)
    return false;
  auto line = first_line(paragraph);
  if (starts_with_any(line, marks))
    return true;
  auto first = take_word(line);
  if (first.empty() || is_keyword(first))
    return false;
  auto second = take_word(line);
  return second.empty() ? line == ":" : !is_keyword(second);
}

bool begins_python(std::string_view line) {
  constexpr std::array<std::string_view, 8> starts = {"import ", "from ", "class ", "def ",
                                                      "@",       "#",     "\"\"\"", "if __name__"};
  return starts_with_any(line, starts);
}

std::string_view from_first_python(std::string_view text) {
  for (auto rest = text; !rest.empty(); rest = without_first_line(rest))
    if (begins_python(rest))
      return rest;
  return text;
}

std::string_view without_last_words(std::string_view text) {
  for (;;) {
    auto rest = text.substr(0, text.find_last_not_of(white) + 1);
    auto begin = rest.rfind("\n\n");
    if (begin == std::string_view::npos || !is_words(trimmed_left(rest.substr(begin), "\n")))
      return text;
    text = rest.substr(0, begin + 1);
  }
}

} // namespace

bool defines_model(std::string_view code) {
  constexpr std::string_view wanted = "class ModelNew";
  for (auto at = code.find(wanted); at != std::string_view::npos; at = code.find(wanted, at + 1)) {
    auto before = code.substr(0, at);
    auto indent = before.find_last_not_of(" \t");
    auto begins_line = indent == std::string_view::npos || before[indent] == '\n';
    auto after = trimmed_left(code.substr(at + wanted.size()));
    if (begins_line && (after.starts_with('(') || after.starts_with(':')))
      return true;
  }
  return false;
}

bool is_whole_file(std::string_view code) {
  return defines_model(code) && any_line(code, is_import) && !any_line(code, stands_for_others);
}

bool is_patch(std::string_view text) {
  constexpr std::array<std::string_view, 5> starts = {"diff --git ", "--- ", "@@ ",
                                                      "*** Begin Patch", "<<<<<<< "};
  return starts_with_any(trimmed_left(text, white), starts);
}

std::string_view without_words(std::string_view text) {
  return without_last_words(from_first_python(text));
}

} // namespace lathe::llm_clients
