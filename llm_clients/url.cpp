#include "llm_clients/url.hpp"

#include "messages/error.hpp"

#include <algorithm>

namespace lathe::llm_clients {

namespace {

// The text is not quoted: a mistaken URL may hold a password.
caf::error bad_url(const char* what) {
  return make_error(errc::user_error,
                    std::string{"base_url must read like https://host/v1, but "} + what);
}

bool is_port(std::string_view text) {
  auto digits = std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return digits && !text.empty() && text.size() <= 5 && std::stoi(std::string{text}) <= 65'535;
}

// Splits "host", "host:port", "[v6]" and "[v6]:port"; an empty port stays empty.
bool split_authority(std::string_view text, url& x) {
  auto host_end = text.find(':');
  if (text.starts_with('[')) {
    auto bracket = text.find(']');
    if (bracket == std::string_view::npos)
      return false;
    x.host = text.substr(1, bracket - 1);
    host_end = bracket + 1;
    if (host_end < text.size() && text[host_end] != ':')
      return false;
  } else {
    x.host = text.substr(0, host_end);
  }
  if (host_end >= text.size())
    return true;
  x.port = text.substr(host_end + 1);
  return is_port(x.port);
}

} // namespace

std::string url::authority() const {
  auto result = host_and_port();
  if (port == (tls ? "443" : "80"))
    result.resize(result.size() - port.size() - 1);
  return result;
}

std::string url::host_and_port() const {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
}

caf::expected<url> parse_url(std::string_view text) {
  url result;
  if (text.starts_with("https://"))
    text.remove_prefix(8);
  else if (text.starts_with("http://")) {
    text.remove_prefix(7);
    result.tls = false;
  } else
    return bad_url("does not begin with https:// or http://");
  auto odd = [](char c) { return c <= ' ' || c >= '\x7f'; };
  if (std::any_of(text.begin(), text.end(), odd))
    return bad_url("holds a space or a character that is not ASCII");
  auto authority = text.substr(0, text.find_first_of("/?#"));
  if (authority.find('@') != std::string_view::npos)
    return bad_url("holds a user name; a key belongs into api_key");
  text.remove_prefix(authority.size());
  if (text.find_first_of("?#") != std::string_view::npos)
    return bad_url("holds a query or a fragment");
  if (!split_authority(authority, result) || result.host.empty())
    return bad_url("has no usable host and port");
  if (result.port.empty())
    result.port = result.tls ? "443" : "80";
  while (text.ends_with('/'))
    text.remove_suffix(1);
  result.path = text;
  return result;
}

} // namespace lathe::llm_clients
