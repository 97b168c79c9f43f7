#include "tools/llm_server/http_text.hpp"

#include <boost/beast/http/status.hpp>
#include <fmt/format.h>

#include <iterator>

namespace lathe::llm_server {

namespace http = boost::beast::http;

namespace {

std::string reason_of(unsigned status) {
  if (status == 529)
    return "Overloaded";
  auto known = http::int_to_status(status);
  return known == http::status::unknown ? "Error" : std::string{http::obsolete_reason(known)};
}

} // namespace

std::string status_line(unsigned status) {
  return fmt::format("HTTP/1.1 {} {}\r\n", status, reason_of(status));
}

std::string header_line(std::string_view name, std::string_view value) {
  return fmt::format("{}: {}\r\n", name, value);
}

void append_part(framing how, std::string_view bytes, std::string& out) {
  if (bytes.empty())
    return;
  if (how == framing::chunked)
    fmt::format_to(std::back_inserter(out), "{:x}\r\n", bytes.size());
  out += bytes;
  if (how == framing::chunked)
    out += "\r\n";
}

void append_end(framing how, std::string& out) {
  if (how == framing::chunked)
    out += "0\r\n\r\n";
}

} // namespace lathe::llm_server
