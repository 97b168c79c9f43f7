#pragma once

#include "tools/llm_server/parsed.hpp"

#include <optional>
#include <string_view>

namespace lathe::llm_server {

/// What goes wrong with an answer.
enum class fault_kind {
  none,
  status,       ///< an error's status and body instead of the answer
  reset,        ///< a TCP reset before the answer
  cut,          ///< the connection is closed in the middle of the body, or of an event
  invalid_json, ///< the body, or one event in the middle, is no JSON
  large,        ///< 100 MB of blanks before the JSON of the body, or of the first event
  slow_body,    ///< one byte of the body a second
  hang,         ///< no answer
};

struct fault {
  fault_kind kind = fault_kind::none;
  unsigned status = 0;
  bool html = false;                   ///< a page of a proxy instead of the API's own JSON
  std::optional<unsigned> retry_after; ///< [seconds]
};

/// Reads "none", "reset", "cut", "invalid-json", "large", "slow-body", "hang", or
/// "status:CODE[-html][,retry-after:SECONDS]" with a code from 400 to 599.
parsed<fault> parse_fault(std::string_view text);

} // namespace lathe::llm_server
