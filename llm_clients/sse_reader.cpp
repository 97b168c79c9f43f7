#include "llm_clients/sse_reader.hpp"

#include "llm_clients/json_text.hpp"

#include <algorithm>
#include <array>
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
  if (std::exchange(first_, false))
    line = without_byte_order_mark(line);
  if (line.empty()) {
    auto goes_on = data_.empty() || f({type_, data_});
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

bool looks_like_events(std::string_view body) {
  constexpr std::array<std::string_view, 5> fields{"", "data", "event", "id", "retry"};
  body = without_byte_order_mark(body);
  body.remove_prefix(std::min(body.find_first_not_of("\r\n"), body.size()));
  auto colon = body.find(':');
  return colon != std::string_view::npos
         && std::ranges::find(fields, body.substr(0, colon)) != fields.end();
}

} // namespace lathe::llm_clients
