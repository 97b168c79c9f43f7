#include "tools/llm_server/http_text.hpp"

#include <gtest/gtest.h>

using namespace lathe::llm_server;

TEST(http_text, a_status_has_its_reason) {
  EXPECT_EQ(status_line(429), "HTTP/1.1 429 Too Many Requests\r\n");
  EXPECT_EQ(status_line(529), "HTTP/1.1 529 Overloaded\r\n");
  EXPECT_EQ(status_line(555), "HTTP/1.1 555 Error\r\n");
}

TEST(http_text, a_chunk_has_its_length_in_hexadecimal) {
  std::string out;
  append_part(framing::chunked, "data: 0123456789", out);
  append_end(framing::chunked, out);
  EXPECT_EQ(out, "10\r\ndata: 0123456789\r\n0\r\n\r\n");
}

TEST(http_text, an_empty_part_does_not_end_the_body) {
  std::string out;
  append_part(framing::chunked, "", out);
  EXPECT_EQ(out, "");
}

TEST(http_text, a_plain_body_is_as_it_is) {
  std::string out;
  append_part(framing::plain, "abc", out);
  append_end(framing::plain, out);
  EXPECT_EQ(out, "abc");
}
