#include "tools/llm_server/request_reader.hpp"

#include <gmock/gmock.h>

using namespace lathe::llm_server;
using state = request_reader::state;
using testing::StartsWith;

namespace {

constexpr std::string_view post = "POST /v1/messages HTTP/1.1\r\n"
                                  "Host: x\r\n"
                                  "X-Api-Key: sk-1\r\n"
                                  "x-llm-server: {}\r\n"
                                  "Content-Length: 5\r\n"
                                  "\r\n"
                                  "hello";

unsigned refused(std::string_view bytes) {
  request_reader reader;
  EXPECT_EQ(reader.feed(bytes), state::refused);
  EXPECT_EQ(reader.feed("more"), state::refused);
  return reader.refused().status;
}

} // namespace

TEST(request_reader, a_request_is_read_whole) {
  request_reader reader;
  ASSERT_EQ(reader.feed(post), state::complete);
  auto request = reader.take();
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/v1/messages");
  EXPECT_EQ(request.anthropic_key, "sk-1");
  EXPECT_EQ(request.behaviour, "{}");
  EXPECT_EQ(request.body, "hello");
  EXPECT_TRUE(request.chunks);
  EXPECT_TRUE(request.keep_alive);
}

TEST(request_reader, a_request_can_come_in_any_pieces) {
  for (std::size_t size : {1u, 2u, 7u, 50u}) {
    request_reader reader;
    for (std::size_t i = 0; i < post.size(); i += size) {
      auto last = i + size >= post.size();
      ASSERT_EQ(reader.feed(post.substr(i, size)), last ? state::complete : state::incomplete);
    }
    EXPECT_EQ(reader.take().body, "hello");
  }
}

TEST(request_reader, a_body_can_be_chunked) {
  request_reader reader;
  std::string_view bytes = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i)
    ASSERT_EQ(reader.feed(bytes.substr(i, 1)), state::incomplete) << i;
  ASSERT_EQ(reader.feed(bytes.substr(bytes.size() - 1)), state::complete);
  EXPECT_EQ(reader.take().body, "abcde");
}

TEST(request_reader, requests_can_follow_each_other_at_once) {
  request_reader reader;
  ASSERT_EQ(reader.feed(std::string{post} + std::string{post} + "GET "), state::complete);
  EXPECT_EQ(reader.take().body, "hello");
  ASSERT_EQ(reader.feed({}), state::complete);
  EXPECT_EQ(reader.take().body, "hello");
  EXPECT_EQ(reader.feed({}), state::incomplete);
  EXPECT_EQ(reader.ahead(), 4u);
}

TEST(request_reader, old_clients_know_no_chunks_and_close) {
  request_reader reader;
  ASSERT_EQ(reader.feed("GET / HTTP/1.0\r\n\r\n"), state::complete);
  auto request = reader.take();
  EXPECT_FALSE(request.chunks);
  EXPECT_FALSE(request.keep_alive);
}

TEST(request_reader, a_client_that_waits_for_continue_is_told_once) {
  request_reader reader;
  EXPECT_FALSE(reader.wants_continue());
  reader.feed("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
  EXPECT_TRUE(reader.wants_continue());
  EXPECT_FALSE(reader.wants_continue());
  EXPECT_EQ(reader.feed("x"), state::complete);
  EXPECT_FALSE(reader.wants_continue());
}

TEST(request_reader, what_is_no_request_is_refused) {
  EXPECT_EQ(refused("hello\r\n\r\n"), 400u);
  EXPECT_EQ(refused(std::string(100, '\0')), 400u);
  EXPECT_EQ(refused("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 \r\n\r\n"), 400u);
  EXPECT_EQ(refused("GET / HTTP/3.7\r\n\r\n"), 400u);
  EXPECT_EQ(refused("POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n"), 400u);
  EXPECT_EQ(refused("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"), 400u);
}

TEST(request_reader, what_is_too_large_is_refused) {
  EXPECT_EQ(refused("POST / HTTP/1.1\r\nContent-Length: 33554433\r\n\r\n"), 413u);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nx: " + std::string(70'000, 'x')), 431u);
  request_reader chunked;
  chunked.feed("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
  auto chunk = "100000\r\n" + std::string(1u << 20, 'x') + "\r\n";
  for (auto i = 0; i < 32; ++i)
    ASSERT_EQ(chunked.feed(chunk), state::incomplete) << i;
  EXPECT_EQ(chunked.feed(chunk), state::refused);
  EXPECT_EQ(chunked.refused().status, 413u);
}

TEST(request_reader, the_sentence_says_what_is_wrong) {
  request_reader reader;
  reader.feed("hello\r\n\r\n");
  EXPECT_THAT(reader.refused().sentence, StartsWith("This is no HTTP request: "));
}
