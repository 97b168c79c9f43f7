#include "tools/llm_server/fault.hpp"

#include "tools/llm_server/numbers.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace lathe::llm_server {

namespace {

constexpr std::array<std::pair<std::string_view, fault_kind>, 7> plain_faults{{
  {"none", fault_kind::none},
  {"reset", fault_kind::reset},
  {"cut", fault_kind::cut},
  {"invalid-json", fault_kind::invalid_json},
  {"large", fault_kind::large},
  {"slow-body", fault_kind::slow_body},
  {"hang", fault_kind::hang},
}};

bool take_front(std::string_view& text, std::string_view front) {
  if (!text.starts_with(front))
    return false;
  text.remove_prefix(front.size());
  return true;
}

// Reads what follows "status:".
std::optional<fault> parse_status(std::string_view text) {
  fault result{fault_kind::status};
  auto status = number<unsigned>(text.substr(0, 3));
  if (!status || *status < 400 || *status > 599)
    return std::nullopt;
  result.status = *status;
  text.remove_prefix(3);
  result.html = take_front(text, "-html");
  if (take_front(text, ",retry-after:")) {
    result.retry_after = number<unsigned>(text);
    return result.retry_after ? std::optional{result} : std::nullopt;
  }
  return text.empty() ? std::optional{result} : std::nullopt;
}

} // namespace

parsed<fault> parse_fault(std::string_view text) {
  for (const auto& [name, kind] : plain_faults)
    if (text == name)
      return fault{kind};
  if (auto rest = text; take_front(rest, "status:"))
    if (auto result = parse_status(rest))
      return *result;
  return mistake{fmt::format("'{}' is none of none, reset, cut, invalid-json, large, slow-body, "
                             "hang and status:400 to status:599 with or without -html and "
                             ",retry-after:SECONDS",
                             text)};
}

} // namespace lathe::llm_server
