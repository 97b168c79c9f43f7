#include "llm_clients/url.hpp"

#include "messages/error.hpp"

#include <gtest/gtest.h>

using namespace lathe;
using llm_clients::parse_url;

TEST(url, host_port_and_path_are_split) {
  auto x = parse_url("http://localhost:8091/v1/");
  ASSERT_TRUE(x);
  EXPECT_FALSE(x->tls);
  EXPECT_EQ(x->host, "localhost");
  EXPECT_EQ(x->port, "8091");
  EXPECT_EQ(x->path, "/v1");
  EXPECT_EQ(x->authority(), "localhost:8091");
}

TEST(url, the_usual_port_is_filled_in_and_not_shown) {
  auto x = parse_url("https://api.openai.com");
  ASSERT_TRUE(x);
  EXPECT_TRUE(x->tls);
  EXPECT_EQ(x->port, "443");
  EXPECT_EQ(x->path, "");
  EXPECT_EQ(x->authority(), "api.openai.com");
}

TEST(url, an_ipv6_address_stands_in_brackets) {
  auto x = parse_url("http://[::1]:8000/v1");
  ASSERT_TRUE(x);
  EXPECT_EQ(x->host, "::1");
  EXPECT_EQ(x->authority(), "[::1]:8000");
}

TEST(url, what_cannot_be_used_is_refused) {
  for (auto text : {"", "api.openai.com/v1", "ftp://host", "https://", "https://:80",
                    "http://h:0x50", "http://h:99999", "http://h:", "http://[::1", "http://[::1]x",
                    "http://a b/", "https://h/v1?key=1", "http://h/\r\nX: 1"})
    EXPECT_FALSE(parse_url(text)) << text;
}

TEST(url, the_error_does_not_quote_a_password) {
  auto x = parse_url("https://me:hunter2@host/v1");
  ASSERT_FALSE(x);
  EXPECT_EQ(describe(x.error()).find("hunter2"), std::string::npos);
}
