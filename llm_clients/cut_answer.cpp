#include "llm_clients/cut_answer.hpp"

#include "llm_clients/answer_parsing.hpp"
#include "llm_clients/answer_text.hpp"
#include "llm_clients/markdown_blocks.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

namespace lathe::llm_clients {

namespace {

constexpr std::string_view go_on =
  "Your answer was cut off at the token limit. Go on exactly where it stopped, in the middle of "
  "the line if it stopped there: do not repeat what is there, do not explain, and do not open a "
  "new code block. What you write is put directly behind it.";

constexpr std::size_t longest_repetition = 4096; // [bytes]
constexpr std::size_t longest_introduction = 4;  // [lines]

// Letters and digits that are said twice by intention, not by chance.
constexpr std::ptrdiff_t enough_of_words = 3; // of which the last was cut
constexpr std::ptrdiff_t enough_of_lines = 6; // from the beginning of a line
constexpr std::ptrdiff_t enough_anywhere = 20;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_of_word(char c) {
  return is_alphanumeric(c) || c == '_';
}

std::string_view without_blank_lines(std::string_view text) {
  while (!text.empty() && is_blank(first_line(text)))
    text = without_first_line(text);
  return text;
}

// -- what is said twice -----------------------------------------------------------------

// For each beginning of `text` the length of the longest shorter one that it ends with (Knuth,
// Morris and Pratt).
std::vector<std::size_t> borders_of(std::string_view text) {
  std::vector<std::size_t> result(text.size(), 0);
  for (std::size_t i = 1, length = 0; i < text.size(); ++i) {
    while (length > 0 && text[i] != text[length])
      length = result[length - 1];
    length += text[i] == text[length];
    result[i] = length;
  }
  return result;
}

// Whether a line of `text` begins at `at`, but for its white space.
bool begins_line(std::string_view text, std::size_t at) {
  auto before = text.substr(0, at).find_last_not_of(" \t");
  return before == std::string_view::npos || text[before] == '\n';
}

// Whether the last `length` characters of `first`, with which `second` begins, are whole words but
// for the last, which `second` goes on with.
bool ends_in_cut_word(std::string_view first, std::string_view second, std::size_t length) {
  auto begins_word = length == first.size() || !is_of_word(first[first.size() - length - 1]);
  return begins_word && is_of_word(first.back()) && length < second.size()
         && is_of_word(second[length]);
}

// For each place in `text` how many letters and digits there are from there on.
std::vector<std::ptrdiff_t> counts_from(std::string_view text) {
  std::vector<std::ptrdiff_t> result(text.size() + 1, 0);
  for (auto at = text.size(); at > 0; --at)
    result[at - 1] = result[at] + is_alphanumeric(text[at - 1]);
  return result;
}

// Returns how much of the beginning of `second` repeats the end of `first` [bytes].
std::size_t repetition(std::string_view first, std::string_view second) {
  first.remove_prefix(first.size() - std::min(first.size(), longest_repetition));
  second = second.substr(0, longest_repetition);
  auto borders = borders_of(second);
  std::size_t length = 0;
  for (auto c : first) {
    while (length > 0 && (length == second.size() || c != second[length]))
      length = borders[length - 1];
    length += length < second.size() && c == second[length];
  }
  auto counts = counts_from(first);
  auto last_line = first.rfind('\n') + 1; // from 0 where there is one line
  auto is_said_twice = [&] {
    auto begin = first.size() - length;
    // Half a line is told again from its beginning.
    auto enough = begin >= last_line ? 1 : enough_of_lines;
    return counts[begin] >= enough_anywhere
           || (counts[begin] >= enough_of_words && ends_in_cut_word(first, second, length))
           || (counts[begin] >= enough && begins_line(first, begin));
  };
  while (length > 0 && !is_said_twice())
    length = borders[length - 1];
  return length;
}

// -- a block that is opened anew --------------------------------------------------------

// "Here is the rest:"
bool is_introduction(std::string_view line) {
  auto end = line.find_last_not_of(" \t*");
  if (end == std::string_view::npos || is_blank(line.substr(0, 1))
      || line.find_first_of("=(") != std::string_view::npos)
    return false;
  auto is_sentence = line.find(' ') != std::string_view::npos; // and not "else:"
  return line[end] == '!' || (is_sentence && (line[end] == ':' || line[end] == '.'));
}

bool has_closing_fence(std::string_view text) {
  for (; !text.empty(); text = without_first_line(text))
    if (fence_tag(first_line(text)) == "")
      return true;
  return false;
}

// Returns what stands behind a fence that is opened amid a block; nothing where there is none.
std::optional<std::string_view> behind_new_fence(std::string_view text) {
  auto rest = without_blank_lines(text);
  auto introduced = false;
  for (std::size_t i = 0; i < longest_introduction && is_introduction(first_line(rest)); ++i) {
    rest = without_blank_lines(without_first_line(rest));
    introduced = true;
  }
  auto tag = fence_tag(first_line(rest));
  rest = without_first_line(rest);
  // One without a tag may be the end that was missing.
  auto opens = tag && (introduced || !tag->empty() || has_closing_fence(rest));
  return opens ? std::optional{rest} : std::nullopt;
}

bool begin_alike(std::string_view a, std::string_view b) {
  auto line = first_line(without_blank_lines(a));
  return std::ranges::any_of(line, is_alphanumeric) && line == first_line(without_blank_lines(b));
}

// -- where they meet --------------------------------------------------------------------

bool is_json(std::string_view text) {
  text = without_blank_lines(text);
  return text.starts_with('{') || text.starts_with('[');
}

// Whether `second`, which somebody took the line feed off, has to begin on a line of its own.
bool needs_own_line(std::string_view first, std::string_view second) {
  constexpr std::array<std::string_view, 11> starts = {"  ",      "\t",       "```",        "~~~",
                                                       "import ", "from ",    "class ",     "def ",
                                                       "@torch.", "@triton.", "if __name__"};
  if (first.empty() || std::string_view{"\n \t`~"}.find(first.back()) != std::string_view::npos)
    return false;
  return std::ranges::any_of(starts, [&](auto x) { return second.starts_with(x); });
}

} // namespace

std::optional<llm_request> question_to_go_on(const llm_request& asked, const llm_answer& answer) {
  if (answer.finish != "length" || !asked.follow_ups.empty() || is_blank(answer.text)
      || is_still_reasoning(answer.text) || has_whole_code(answer.text + "\n"))
    return std::nullopt;
  auto result = asked;
  result.follow_ups.push_back({std::string{without_reasoning(answer.text)}, std::string{go_on}});
  return result;
}

llm_answer joined(llm_answer first, const llm_answer& second) {
  first.text = join_parts(first.text, second.text);
  first.finish = second.finish;
  first.cost += second.cost;
  first.seconds += second.seconds;
  first.recorded &= second.recorded;
  return first;
}

std::string join_parts(std::string_view first, std::string_view second) {
  auto result = with_line_feeds(first);
  auto told = without_reasoning(second);
  auto text = with_line_feeds(told);
  std::string_view rest = text;
  if (told.size() < second.size())
    rest = without_blank_lines(rest);
  auto blocks = fenced_blocks(result);
  auto open = !blocks.empty() && !blocks.back().closed;
  auto repeated = repetition(result, rest);
  auto behind = open && repeated == 0 ? behind_new_fence(rest) : std::nullopt;
  if (open && repeated == 0 && begin_alike(blocks.back().text, behind.value_or(rest)))
    return behind ? text : "```" + blocks.back().tag + "\n" + text;
  if (behind) {
    repeated = repetition(result, without_blank_lines(*behind));
    rest = repeated > 0 ? without_blank_lines(*behind) : *behind;
  }
  rest.remove_prefix(repeated);
  auto within_json = is_json(open ? blocks.back().text : result);
  if (repeated == 0 && !within_json && needs_own_line(result, rest))
    result += '\n';
  return result.append(rest);
}

} // namespace lathe::llm_clients
