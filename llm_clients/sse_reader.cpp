#include "llm_clients/sse_reader.hpp"

#include <utility>

namespace lathe::llm_clients {

bool sse_reader::take(std::string_view part, const std::function<bool(const sse_event&)>& f) {
  if (after_return_ && part.starts_with('\n'))
    part.remove_prefix(1);
  after_return_ = false;
  while (!part.empty()) {
    auto end = part.find_first_of("\r\n");
    if (end == std::string_view::npos) {
      line_ += part;
      return line_.size() + data_.size() <= longest;
    }
    auto whole =
      line_.empty() ? part.substr(0, end) : std::string_view{line_ += part.substr(0, end)};
    auto returned = part[end] == '\r';
    part.remove_prefix(end + 1);
    after_return_ = returned && part.empty();
    if (returned && part.starts_with('\n'))
      part.remove_prefix(1);
    auto goes_on = take_line(whole, f);
    line_.clear();
    if (!goes_on)
      return false;
  }
  return true;
}

bool sse_reader::take_line(std::string_view line, const std::function<bool(const sse_event&)>& f) {
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  if (std::exchange(first_, false) && line.starts_with(mark))
    line.remove_prefix(mark.size());
  if (line.empty()) {
    auto goes_on = !has_data_ || f({type_, data_});
    type_.clear();
    data_.clear();
    has_data_ = false;
    return goes_on;
  }
  auto colon = line.find(':');
  auto field = line.substr(0, colon);
  auto value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
  if (value.starts_with(' '))
    value.remove_prefix(1);
  if (field == "event") {
    type_ = value;
  } else if (field == "data") {
    if (std::exchange(has_data_, true))
      data_ += '\n';
    data_ += value;
  }
  return data_.size() <= longest;
}

} // namespace lathe::llm_clients
