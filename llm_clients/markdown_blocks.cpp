#include "llm_clients/markdown_blocks.hpp"

#include <algorithm>
#include <optional>

namespace lathe::llm_clients {

namespace {

struct fence {
  std::size_t indent = 0;
  char mark = '`';
  std::size_t length = 0; // three or more
  std::string tag;
};

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> result;
  while (!text.empty()) {
    auto end = text.find('\n');
    result.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return result;
}

std::string first_word(std::string_view text) {
  auto begin = text.find_first_not_of(" \t{.");
  if (begin == std::string_view::npos)
    return {};
  text.remove_prefix(begin);
  std::string result{text.substr(0, text.find_first_of(" \t{},:"))};
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return result;
}

std::optional<fence> read_fence(std::string_view line) {
  fence result;
  result.indent = line.find_first_not_of(" \t");
  if (result.indent == std::string_view::npos)
    return std::nullopt;
  line.remove_prefix(result.indent);
  result.mark = line[0];
  result.length = std::min(line.find_first_not_of(result.mark), line.size());
  if ((result.mark != '`' && result.mark != '~') || result.length < 3)
    return std::nullopt;
  line.remove_prefix(result.length);
  if (line.find(result.mark) != std::string_view::npos)
    return std::nullopt; // ```code``` within a line
  result.tag = first_word(line);
  return result;
}

// Follows Python's strings through lines of code, to know whether one is open.
class string_tracker {
public:
  void feed(std::string_view line) {
    for (std::size_t at = 0; at < line.size();) {
      if (line[at] == '\\')
        at += 2;
      else if (open_)
        at += ends_triple(line, at) ? close() : 1;
      else if (line[at] == '#')
        return;
      else if (line[at] == '"' || line[at] == '\'')
        at = begin(line, at);
      else
        ++at;
    }
  }

  bool inside() const {
    return open_ != 0;
  }

private:
  static bool triple(std::string_view line, std::size_t at, char quote) {
    return line.substr(at, 3) == std::string(3, quote);
  }

  bool ends_triple(std::string_view line, std::size_t at) const {
    return triple(line, at, open_);
  }

  std::size_t close() {
    open_ = 0;
    return 3;
  }

  // Enters a triple-quoted string, or passes over one of a single line.
  std::size_t begin(std::string_view line, std::size_t at) {
    auto quote = line[at];
    if (triple(line, at, quote)) {
      open_ = quote;
      return at + 3;
    }
    for (++at; at < line.size() && line[at] != quote; ++at)
      if (line[at] == '\\')
        ++at;
    return at + 1;
  }

  char open_ = 0; // the quote of the open string
};

bool closes(const fence& end, const fence& start) {
  return end.mark == start.mark && end.length >= start.length && end.tag.empty();
}

struct block_end {
  std::size_t line = 0; // the first line that is not in the block
  bool closed = false;  // that line is the closing fence
  bool reopens = false; // that line is the fence of another block
};

block_end find_end(const std::vector<std::string_view>& lines, std::size_t first,
                   const fence& start, bool mind_strings) {
  string_tracker strings;
  for (auto i = first; i < lines.size(); ++i) {
    auto found = strings.inside() ? std::nullopt : read_fence(lines[i]);
    if (found && closes(*found, start))
      return {i, true, false};
    if (found && !found->tag.empty())
      return {i, false, true};
    if (mind_strings)
      strings.feed(lines[i]);
  }
  return {lines.size(), false, false};
}

std::string block_text(const std::vector<std::string_view>& lines, std::size_t first,
                       std::size_t last, std::size_t indent) {
  std::string result;
  for (auto i = first; i < last; ++i) {
    auto white = std::min(lines[i].find_first_not_of(" \t"), lines[i].size());
    result += lines[i].substr(std::min(white, indent));
    result += '\n';
  }
  return result;
}

} // namespace

std::vector<markdown_block> fenced_blocks(std::string_view text) {
  auto lines = split_lines(text);
  std::vector<markdown_block> result;
  for (std::size_t i = 0; i < lines.size();) {
    auto start = read_fence(lines[i++]);
    if (!start)
      continue;
    auto end = find_end(lines, i, *start, is_python_tag(start->tag));
    if (!end.closed && !end.reopens) // a stray quote may have hidden the end
      end = find_end(lines, i, *start, false);
    result.push_back(
      {start->tag, block_text(lines, i, end.line, start->indent), end.closed || end.reopens});
    i = end.closed ? end.line + 1 : end.line;
  }
  return result;
}

std::optional<std::string> fence_tag(std::string_view line) {
  auto found = read_fence(line);
  return found ? std::optional{std::move(found->tag)} : std::nullopt;
}

bool is_python_tag(std::string_view tag) {
  return tag.empty() || tag == "python" || tag == "py" || tag == "python3";
}

} // namespace lathe::llm_clients
