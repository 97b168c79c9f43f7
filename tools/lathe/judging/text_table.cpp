#include "tools/lathe/judging/text_table.hpp"

#include <algorithm>

namespace lathe::judging {

namespace {

constexpr std::string_view gap = "  ";

// With less than this the last column says nothing.
constexpr std::size_t least_last = 20;

bool begins_character(char x) {
  return (static_cast<unsigned char>(x) & 0xc0) != 0x80;
}

// Where the character with this number begins.
std::size_t position(std::string_view text, std::size_t number) {
  std::size_t at = 0;
  for (; at < text.size(); ++at)
    if (begins_character(text[at]) && number-- == 0)
      break;
  return at;
}

} // namespace

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, begins_character));
}

std::string shortened(std::string_view text, std::size_t width, bool cut_in_front) {
  auto size = characters(text);
  if (size <= width)
    return std::string{text};
  if (width == 0)
    return {};
  if (cut_in_front)
    return "…" + std::string{text.substr(position(text, size - width + 1))};
  return std::string{text.substr(0, position(text, width - 1))} + "…";
}

text_table::text_table(std::vector<column> columns, std::size_t width)
  : columns_(std::move(columns)), width_(width) {
  for (auto& x : columns_)
    x.width = std::max(x.width, characters(x.title));
}

void text_table::fit(std::size_t column, std::string_view text, std::size_t most) {
  auto& width = columns_[column].width;
  width = std::max(width, std::min(characters(text), most));
}

std::string text_table::header() const {
  std::vector<std::string> titles;
  for (auto& x : columns_)
    titles.push_back(x.title);
  return line(titles);
}

std::string text_table::line(const std::vector<std::string>& cells) const {
  std::string result;
  std::size_t used = 0;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    auto& column = columns_[i];
    auto last = i + 1 == columns_.size();
    auto room = column.width;
    if (last)
      room =
        width_ == 0 ? std::string::npos : std::max(least_last, width_ - std::min(width_, used));
    auto cell = shortened(cells[i], room, column.cut_in_front);
    result += cell;
    if (!last)
      result.append(column.width - characters(cell), ' ').append(gap);
    used += column.width + gap.size();
  }
  result.erase(result.find_last_not_of(' ') + 1);
  return result;
}

} // namespace lathe::judging
