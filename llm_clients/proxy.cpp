#include "llm_clients/proxy.hpp"

#include "llm_clients/http_message.hpp"
#include "messages/error.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace lathe::llm_clients {

namespace ip = boost::asio::ip;

namespace {

struct variable {
  std::string name;
  std::string value;
};

// An empty variable counts as one that is not set.
std::optional<variable> first_set(std::initializer_list<const char*> names,
                                  const variable_lookup& environment) {
  for (auto name : names)
    if (auto value = environment(name); value && !value->empty())
      return variable{name, std::move(*value)};
  return std::nullopt;
}

// A web server that runs a program hands it a request's header "Proxy" as HTTP_PROXY, so everybody
// leaves that name alone.
std::optional<variable> proxy_variable(bool tls, const variable_lookup& environment) {
  return tls ? first_set({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}, environment)
             : first_set({"http_proxy", "all_proxy", "ALL_PROXY"}, environment);
}

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

// -- NO_PROXY -----------------------------------------------------------------------------

template <class Network, class Address>
bool holds(const Network& net, const Address& address) {
  return Network{address, net.prefix_length()}.canonical() == net.canonical();
}

bool is_in_network(const std::string& entry, const std::string& host) {
  boost::system::error_code no_address;
  auto address = ip::make_address(host, no_address);
  if (no_address)
    return false;
  boost::system::error_code no_network;
  if (address.is_v4()) {
    auto net = ip::make_network_v4(entry, no_network);
    return !no_network && holds(net, address.to_v4());
  }
  auto net = ip::make_network_v6(entry, no_network);
  return !no_network && holds(net, address.to_v6());
}

bool is_address(const std::string& host) {
  boost::system::error_code none;
  ip::make_address(host, none);
  return !none;
}

// "example.com" and ".example.com" are that host and all below it; an address is itself alone.
bool is_within(const std::string& host, std::string domain) {
  if (domain.starts_with('.'))
    domain.erase(0, 1);
  if (domain.ends_with('.'))
    domain.pop_back();
  if (domain.empty())
    return false;
  return host == domain || (!is_address(host) && host.ends_with("." + domain));
}

// Takes "host:port" and "[v6]:port" apart; curl knows no ports there, others do.
void split_port(std::string& entry, std::string& port) {
  auto bracket = entry.starts_with('[') ? entry.find(']') : 0;
  if (bracket == std::string::npos)
    return;
  auto colon = entry.find(':', bracket);
  if (colon != std::string::npos && entry.find(':', colon + 1) == std::string::npos) {
    port = entry.substr(colon + 1);
    entry.erase(colon);
  }
  if (entry.starts_with('[') && entry.ends_with(']'))
    entry = entry.substr(1, entry.size() - 2);
}

bool is_exempt(const url& server, const std::string& list) {
  auto host = lower_case(server.host);
  if (host.ends_with('.'))
    host.pop_back();
  if (list == "*")
    return true;
  constexpr auto blanks = ", \t";
  for (std::size_t at = 0; (at = list.find_first_not_of(blanks, at)) != std::string::npos;) {
    auto end = std::min(list.find_first_of(blanks, at), list.size());
    auto entry = lower_case(list.substr(at, end - at));
    at = end;
    std::string port;
    split_port(entry, port);
    if ((port.empty() || port == server.port)
        && (is_within(host, entry) || is_in_network(entry, host)))
      return true;
  }
  return false;
}

// -- the proxy's URL ------------------------------------------------------------------------

caf::error bad_proxy(const std::string& name, const char* what) {
  return make_error(errc::user_error, fmt::format("{} must read like http://host:port or "
                                                  "http://user:password@host:port, but {}",
                                                  name, what));
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    unsigned char byte = 0;
    auto digits = text.substr(i + 1, 2);
    auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (code != std::errc{} || end != digits.data() + 2)
      return std::nullopt;
    result += static_cast<char>(byte);
    i += 2;
  }
  return result;
}

std::string base64(const std::string& text) {
  std::string result((text.size() + 2) / 3 * 4 + 1, '\0'); // the last for OpenSSL's own zero
  auto size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(result.data()),
                              reinterpret_cast<const unsigned char*>(text.data()),
                              static_cast<int>(text.size()));
  result.resize(static_cast<std::size_t>(size));
  return result;
}

// Reads "user:password"; returns whether it can be used.
bool read_user(std::string_view text, proxy& x) {
  auto colon = std::min(text.find(':'), text.size());
  auto user = percent_decoded(text.substr(0, colon));
  auto password = percent_decoded(text.substr(std::min(colon + 1, text.size())));
  if (!user || !password || user->find(':') != std::string::npos)
    return false;
  x.credentials = secret{base64(*user + ":" + *password)};
  x.password = secret{std::move(*password)};
  return true;
}

caf::expected<proxy> parse_proxy(const variable& from) {
  std::string_view text{from.value};
  auto scheme_end = text.find("://");
  auto scheme = lower_case(std::string{text.substr(0, std::min(scheme_end, text.size()))});
  if (scheme_end != std::string_view::npos) {
    if (scheme.starts_with("socks"))
      return bad_proxy(from.name, "names a SOCKS proxy, which Lathe does not speak to");
    if (scheme == "https")
      return bad_proxy(from.name, "names a proxy that speaks TLS itself, which Lathe does not "
                                  "speak to; what goes through an http:// proxy is encrypted, too");
    if (scheme != "http")
      return bad_proxy(from.name, "begins with another scheme");
    text.remove_prefix(scheme_end + 3);
  }
  proxy result;
  result.variable = from.name;
  // The last '@', as curl has it: a password may hold another that is not encoded.
  if (auto at = text.rfind('@'); at != std::string_view::npos) {
    if (!read_user(text.substr(0, at), result))
      return bad_proxy(from.name, "its user and password are not percent-encoded as in URLs");
    text.remove_prefix(at + 1);
  }
  auto server = parse_url("http://" + std::string{text.substr(0, text.find('/'))});
  if (!server)
    return bad_proxy(from.name, "has no usable host and port");
  result.server = std::move(*server);
  return result;
}

} // namespace

std::optional<std::string> process_variable(const std::string& name) {
  auto value = std::getenv(name.c_str());
  return value ? std::optional<std::string>{value} : std::nullopt;
}

std::string proxy::name() const {
  return fmt::format("the proxy {} ({})", server.host_and_port(), variable);
}

caf::expected<std::optional<proxy>> proxy_for(const url& server,
                                              const variable_lookup& environment) {
  auto from = proxy_variable(server.tls, environment);
  auto none = first_set({"no_proxy", "NO_PROXY"}, environment);
  if (!from || (none && is_exempt(server, none->value)))
    return std::optional<proxy>{};
  auto result = parse_proxy(*from);
  if (!result)
    return std::move(result.error());
  return std::optional<proxy>{std::move(*result)};
}

http_failure refused_by(const proxy& x, const url& server, unsigned status) {
  auto says = [&](const std::string& what, bool permanent) {
    return http_failure{fmt::format("{} {} (HTTP {})", x.name(), what, status), false, permanent};
  };
  if (status == 407 && x.credentials.empty())
    return says("wants a user and a password, which belong into its URL", true);
  if (status == 407)
    return says("does not accept the user and password in its URL", true);
  if (status >= 500)
    return says(fmt::format("could not reach {}", server.authority()), false);
  if (status == 408 || status == 429)
    return says(fmt::format("does not let us through to {} now", server.authority()), false);
  return says(fmt::format("does not let anybody through to {}", server.authority()), true);
}

} // namespace lathe::llm_clients
