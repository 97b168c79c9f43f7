#include "llm_clients/answer_text.hpp"

#include <algorithm>
#include <array>

namespace lathe::llm_clients {

namespace {

constexpr std::string_view white = " \t\r\n";

struct tag_pair {
  std::string_view begin;
  std::string_view end;
};

constexpr std::array<tag_pair, 6> reasoning_tags = {{{"<think>", "</think>"},
                                                     {"<thinking>", "</thinking>"},
                                                     {"<thought>", "</thought>"},
                                                     {"<reasoning>", "</reasoning>"},
                                                     {"[THINK]", "[/THINK]"},
                                                     {"◁think▷", "◁/think▷"}}};

const tag_pair* reasoning_of(std::string_view answer) {
  answer.remove_prefix(std::min(answer.find_first_not_of(white), answer.size()));
  for (const auto& x : reasoning_tags)
    if (answer.starts_with(x.begin))
      return &x;
  return nullptr;
}

} // namespace

bool is_blank(std::string_view text) {
  return text.find_first_not_of(white) == std::string_view::npos;
}

std::string with_line_feeds(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r')
      result += text[i];
    else if (i + 1 == text.size() || text[i + 1] != '\n')
      result += '\n';
  }
  return result;
}

std::string_view first_line(std::string_view text) {
  return text.substr(0, text.find('\n'));
}

std::string_view without_first_line(std::string_view text) {
  auto end = text.find('\n');
  return end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
}

std::string_view after_reasoning(std::string_view answer) {
  // Where a model's template begins the reasoning, the answer holds its end alone.
  auto pair = reasoning_of(answer);
  auto end = pair == nullptr ? reasoning_tags[0].end : pair->end;
  auto at = answer.rfind(end);
  return at == std::string_view::npos ? answer : answer.substr(at + end.size());
}

std::string_view without_reasoning(std::string_view answer) {
  auto rest = after_reasoning(answer);
  return is_blank(rest) ? answer : rest;
}

bool is_still_reasoning(std::string_view answer) {
  auto pair = reasoning_of(answer);
  return pair != nullptr && answer.find(pair->end) == std::string_view::npos;
}

} // namespace lathe::llm_clients
