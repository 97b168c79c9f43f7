#include "llm_clients/idea_list_reader.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace lathe::llm_clients {

namespace {

// In the order of preference: bullets below numbers or headings are details.
enum class list_style { number, heading, bullet };

struct line_view {
  std::size_t indent = 0;
  std::optional<list_style> style; // nothing: not the first line of an item
  std::string_view text;           // without marker
  bool blank = false;
};

// Takes `count` characters and the white space after them off `text`.
std::string_view without(std::string_view text, std::size_t count) {
  text.remove_prefix(count);
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return text;
}

// The length of "12." or "3)" at the beginning of `text`; 0 when there is none.
std::size_t number_length(std::string_view text) {
  auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0 || digits > 3 || digits == text.size())
    return 0;
  auto spaced = digits + 1 == text.size() || text[digits + 1] == ' ' || text[digits + 1] == '\t'
                || text[digits + 1] == '*';
  return (text[digits] == '.' || text[digits] == ')') && spaced ? digits + 1 : 0;
}

std::size_t bullet_length(std::string_view text) {
  constexpr std::array<std::string_view, 4> bullets = {"- ", "* ", "+ ", "• "};
  for (auto x : bullets)
    if (text.starts_with(x))
      return x.size();
  return 0;
}

// "# ", "## " ... or a line that begins in bold; its marker, and a number behind it, are taken off.
std::optional<std::string_view> heading_text(std::string_view text) {
  auto marks = std::min(text.find_first_not_of('#'), text.size());
  if (marks > 0 && marks <= 6 && marks < text.size() && text[marks] == ' ')
    text = without(text, marks);
  else if (text.starts_with("**") && text.size() > 2 && text[2] != ' ')
    text = without(text, 2);
  else
    return std::nullopt;
  return without(text, number_length(text));
}

line_view view(std::string_view line) {
  line_view result;
  result.indent = line.find_first_not_of(" \t");
  if (result.indent == std::string_view::npos) {
    result.blank = true;
    return result;
  }
  result.text = line.substr(result.indent);
  if (auto length = number_length(result.text)) {
    result.style = list_style::number;
    result.text = without(result.text, length);
  } else if (auto bullet = bullet_length(result.text)) {
    result.style = list_style::bullet;
    result.text = without(result.text, bullet);
  } else if (auto heading = heading_text(result.text)) {
    result.style = list_style::heading;
    result.text = *heading;
  }
  return result;
}

std::vector<line_view> view_lines(std::string_view text) {
  std::vector<line_view> result;
  while (!text.empty()) {
    auto end = text.find('\n');
    result.push_back(view(text.substr(0, end)));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return result;
}

std::size_t outermost(const std::vector<line_view>& lines, list_style style) {
  auto result = std::string_view::npos;
  for (const auto& x : lines)
    if (x.style == style)
      result = std::min(result, x.indent);
  return result;
}

std::optional<list_style> style_of(const std::vector<line_view>& lines) {
  constexpr std::array styles = {list_style::number, list_style::heading, list_style::bullet};
  std::optional<list_style> single;
  for (auto style : styles) {
    auto indent = outermost(lines, style);
    auto count = std::count_if(lines.begin(), lines.end(), [&](const line_view& x) {
      return x.style == style && x.indent == indent;
    });
    if (count >= 2)
      return style;
    // One bullet or number is a list of one; one heading is the title above it.
    if (count == 1 && (!single || single == list_style::heading))
      single = style;
  }
  return single;
}

// Appends `word` without the `**` around bold text. Within a word, or alone, it is Python's power.
void append_plain(std::string& out, std::string_view word) {
  if (word.size() > 2 && word.starts_with("**"))
    word.remove_prefix(2);
  auto last = word.find_last_not_of(".,:;!?");
  auto bold_end = word.size() > 2 && last != std::string_view::npos && last >= 2
                  && word.substr(last - 1, 2) == "**";
  out += word.substr(0, bold_end ? last - 1 : word.size());
  if (bold_end)
    out += word.substr(last + 1);
}

} // namespace

std::vector<std::string> read_idea_list(std::string_view text) {
  auto lines = view_lines(text);
  auto style = style_of(lines);
  if (!style)
    return {};
  auto indent = outermost(lines, *style);
  std::vector<std::string> result;
  auto open = false; // lines still belong to the last item
  auto after_blank = false;
  for (const auto& x : lines) {
    // Behind a blank line, words at the margin of a list are no longer part of it.
    if (after_blank && !x.blank && !x.style && x.indent <= indent && style != list_style::heading)
      open = false;
    if (x.style == style && x.indent == indent) {
      result.emplace_back(x.text);
      open = true;
    } else if (open && !x.blank) {
      result.back().append(" ").append(x.text);
    }
    after_blank = x.blank;
  }
  std::transform(result.begin(), result.end(), result.begin(),
                 [](const std::string& item) { return one_line(item); });
  return result;
}

std::string one_line(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    auto end = std::min(text.find_first_of(" \t\n\r"), text.size());
    auto word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.empty() || word.starts_with("```"))
      continue;
    result += result.empty() ? "" : " ";
    append_plain(result, word);
  }
  return result;
}

} // namespace lathe::llm_clients
