#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace lathe::llm_clients {

/// One event of a text/event-stream.
struct sse_event {
  std::string_view type; ///< empty where the server gave none
  std::string_view data; ///< lines joined by line feeds
};

/// Takes an event stream apart as it comes, in parts that may end anywhere: the format of the
/// WHATWG's HTML standard, section "Server-sent events". Pure.
class sse_reader {
public:
  /// Of one event [bytes]; a longer one is no event.
  static constexpr std::size_t longest = 16u << 20;

  /// Calls `f` for each event that `part` completes, until one of these calls returns false; one
  /// without data is none. What `f` gets is only good during its call.
  /// @return false when `f` did, or an event is too long
  bool take(std::string_view part, const std::function<bool(const sse_event&)>& f);

private:
  bool take_line(std::string_view line, const std::function<bool(const sse_event&)>& f);

  std::string line_; // that has begun
  std::string type_;
  std::string data_;
  bool has_data_ = false;     // perhaps an empty line of it
  bool after_return_ = false; // a line feed that follows belongs to it
  bool first_ = true;         // a byte order mark may stand before the first line
};

/// Whether a body is an event stream, as far as its beginning tells.
bool looks_like_events(std::string_view body);

} // namespace lathe::llm_clients
