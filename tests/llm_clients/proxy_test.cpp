#include "llm_clients/proxy.hpp"

#include "llm_clients/http_message.hpp"
#include "messages/error.hpp"

#include <gmock/gmock.h>

#include <map>

using namespace lathe;
using namespace lathe::llm_clients;
using testing::HasSubstr;
using testing::Not;

namespace {

using variables = std::map<std::string, std::string>;

caf::expected<std::optional<proxy>> choice(const std::string& server, const variables& set) {
  return proxy_for(*parse_url(server), [&](const std::string& name) {
    auto i = set.find(name);
    return i == set.end() ? std::nullopt : std::optional{i->second};
  });
}

// Returns "host:port" of the proxy, or nothing.
std::string proxy_of(const std::string& server, const variables& set) {
  auto x = choice(server, set);
  EXPECT_TRUE(x) << describe(x.error());
  return x && *x ? (*x)->server.host_and_port() : "";
}

bool is_exempt(const std::string& server, const std::string& no_proxy) {
  return proxy_of(server, {{"https_proxy", "http://p:3128"},
                           {"http_proxy", "http://p:3128"},
                           {"no_proxy", no_proxy}})
    .empty();
}

proxy with_password(const std::string& user) {
  auto x = choice("https://h", {{"HTTPS_PROXY", "http://" + user + "@p:3128"}});
  EXPECT_TRUE(x && *x);
  return x && *x ? **x : proxy{};
}

std::string mistake_in(const std::string& text) {
  auto x = choice("https://h", {{"HTTPS_PROXY", text}});
  EXPECT_FALSE(x) << text;
  return x ? "" : describe(x.error());
}

} // namespace

// -- which one ------------------------------------------------------------------------------

TEST(proxy, each_scheme_has_its_variable_and_lower_case_goes_first) {
  EXPECT_EQ(proxy_of("https://h", {}), "");
  EXPECT_EQ(proxy_of("https://h", {{"HTTPS_PROXY", "http://up:1"}}), "up:1");
  EXPECT_EQ(proxy_of("https://h", {{"HTTPS_PROXY", "http://up:1"}, {"https_proxy", "low:2"}}),
            "low:2");
  EXPECT_EQ(proxy_of("https://h", {{"HTTPS_PROXY", "http://up:1"}, {"https_proxy", ""}}), "up:1")
    << "an empty variable is none";
  EXPECT_EQ(proxy_of("http://h", {{"HTTPS_PROXY", "http://up:1"}}), "");
  EXPECT_EQ(proxy_of("http://h", {{"http_proxy", "http://low:2"}}), "low:2");
  EXPECT_EQ(proxy_of("http://h", {{"HTTP_PROXY", "http://up:1"}}), "") << "anybody may set it";
}

TEST(proxy, what_is_for_all_schemes_counts_where_a_scheme_has_none_of_its_own) {
  for (auto* server : {"https://h", "http://h"}) {
    EXPECT_EQ(proxy_of(server, {{"ALL_PROXY", "http://up:1"}}), "up:1");
    EXPECT_EQ(proxy_of(server, {{"ALL_PROXY", "http://up:1"}, {"all_proxy", "low:2"}}), "low:2");
  }
  EXPECT_EQ(proxy_of("https://h", {{"ALL_PROXY", "all:1"}, {"HTTPS_PROXY", "own:2"}}), "own:2");
  EXPECT_EQ(proxy_of("https://h", {{"ALL_PROXY", "all:1"}, {"NO_PROXY", "h"}}), "");
}

TEST(proxy, this_machine_is_nothing_special) {
  EXPECT_EQ(proxy_of("http://127.0.0.1:8000", {{"http_proxy", "http://p:3128"}}), "p:3128");
  EXPECT_EQ(proxy_of("http://localhost:8000", {{"http_proxy", "http://p:3128"}}), "p:3128");
}

TEST(proxy, a_list_of_hosts_goes_without) {
  EXPECT_TRUE(is_exempt("https://h", "*"));
  EXPECT_TRUE(is_exempt("https://api.example.com", "x, api.example.com"));
  EXPECT_TRUE(is_exempt("https://api.example.com", "example.com"));
  EXPECT_TRUE(is_exempt("https://api.example.com", "x .example.com"));
  EXPECT_TRUE(is_exempt("https://example.com", ".example.com"));
  EXPECT_TRUE(is_exempt("https://API.Example.com", "example.COM."));
  EXPECT_TRUE(is_exempt("http://127.0.0.1:8000", "127.0.0.1"));
  EXPECT_TRUE(is_exempt("http://10.1.2.3", "10.0.0.0/8"));
  EXPECT_TRUE(is_exempt("http://[::1]:8000", "::1"));
  EXPECT_TRUE(is_exempt("http://[fd00::7]", "fd00::/8"));
  for (auto list : {"", ",", ".", "x,*", "ample.com", "api.example.com.org", "*.example.com"})
    EXPECT_FALSE(is_exempt("https://api.example.com", list)) << list;
  for (auto list : {"0.0.1", "127.0.0", "10.0.0.0/8", "::1", "127.0.0.1/99"})
    EXPECT_FALSE(is_exempt("http://127.0.0.1:8000", list)) << list;
}

TEST(proxy, a_port_in_the_list_means_that_port_alone) {
  EXPECT_TRUE(is_exempt("http://localhost:8000", "localhost:8000"));
  EXPECT_FALSE(is_exempt("http://localhost:8000", "localhost:80"));
  EXPECT_TRUE(is_exempt("https://api.example.com", ".example.com:443"));
  EXPECT_TRUE(is_exempt("http://[::1]:8000", "[::1]:8000"));
  EXPECT_FALSE(is_exempt("http://[::1]:8000", "[::1]:80"));
}

TEST(proxy, the_list_is_found_under_both_names) {
  EXPECT_EQ(proxy_of("https://h", {{"https_proxy", "p:1"}, {"NO_PROXY", "h"}}), "");
  EXPECT_EQ(proxy_of("https://h", {{"https_proxy", "socks5://p:1"}, {"NO_PROXY", "h"}}), "")
    << "one that is not used may be any";
}

// -- its URL --------------------------------------------------------------------------------

TEST(proxy, a_url_may_be_short) {
  EXPECT_EQ(proxy_of("https://h", {{"https_proxy", "HTTP://p:3128/"}}), "p:3128");
  EXPECT_EQ(proxy_of("https://h", {{"https_proxy", "p"}}), "p:80");
  EXPECT_EQ(proxy_of("https://h", {{"https_proxy", "http://[::1]:3128"}}), "[::1]:3128");
}

TEST(proxy, user_and_password_are_decoded_and_never_printed) {
  auto x = with_password("me:p%40ss%3Aword");
  EXPECT_EQ(x.server.host_and_port(), "p:3128");
  EXPECT_EQ(x.password.reveal(), "p@ss:word");
  EXPECT_EQ(x.credentials.reveal(), "bWU6cEBzczp3b3Jk"); // by `base64`
  EXPECT_EQ(x.name(), "the proxy p:3128 (HTTPS_PROXY)");
  EXPECT_EQ(with_password("me:p@ss").password.reveal(), "p@ss");
  EXPECT_EQ(with_password("me").credentials.reveal(), "bWU6");
}

TEST(proxy, what_cannot_be_used_is_refused_without_being_quoted) {
  EXPECT_THAT(mistake_in("socks5h://me:hunter22@p:1080"), HasSubstr("HTTPS_PROXY"));
  EXPECT_THAT(mistake_in("socks5h://me:hunter22@p:1080"), HasSubstr("SOCKS"));
  EXPECT_THAT(mistake_in("https://me:hunter22@p:443"), HasSubstr("speaks TLS itself"));
  EXPECT_THAT(mistake_in("ftp://p"), HasSubstr("another scheme"));
  EXPECT_THAT(mistake_in("http://me:%zz@p:1"), HasSubstr("percent-encoded"));
  EXPECT_THAT(mistake_in("http://me:%4@p:1"), HasSubstr("percent-encoded"));
  for (auto text : {"http://", "http://me:hunter22@", "p:0x1", "http://p:99999", "p q", "@", "/"})
    EXPECT_THAT(mistake_in(text), HasSubstr("no usable host and port")) << text;
  for (auto text : {"socks5h://me:hunter22@p:1", "https://me:hunter22@p", "http://me:hunter22@",
                    "http://me:hunter22@p:port"})
    EXPECT_THAT(mistake_in(text), Not(HasSubstr("hunter22")));
}

// -- what its refusals mean -------------------------------------------------------------------

TEST(proxy, some_refusals_are_for_the_user_to_mend_and_some_may_pass) {
  auto anonymous = with_password("");
  anonymous.credentials = {};
  auto server = *parse_url("https://api.example.com");
  auto x = refused_by(anonymous, server, 407);
  EXPECT_TRUE(x.permanent);
  EXPECT_EQ(x.sentence, "the proxy p:3128 (HTTPS_PROXY) wants a user and a password, which belong "
                        "into its URL (HTTP 407)");
  x = refused_by(with_password("me:hunter22"), server, 407);
  EXPECT_TRUE(x.permanent);
  EXPECT_THAT(x.sentence, HasSubstr("does not accept the user and password"));
  x = refused_by(anonymous, server, 403);
  EXPECT_TRUE(x.permanent);
  EXPECT_THAT(x.sentence, HasSubstr("does not let anybody through to api.example.com (HTTP 403)"));
  for (unsigned status : {502u, 503u, 504u, 429u})
    EXPECT_FALSE(refused_by(anonymous, server, status).permanent) << status;
  EXPECT_THAT(refused_by(anonymous, server, 502).sentence,
              HasSubstr("could not reach api.example.com (HTTP 502)"));
}
