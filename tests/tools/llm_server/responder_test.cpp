#include "tools/llm_server/responder.hpp"

#include <gmock/gmock.h>

using namespace lathe::llm_server;
using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

namespace {

const responder::clock::time_point start{};

http_request question_with(std::string behaviour, bool stream = false) {
  http_request result;
  result.method = "POST";
  result.target = "/v1/chat/completions";
  result.body = stream ? R"({"model": "m", "messages": [], "stream": true})"
                       : R"({"model": "m", "messages": []})";
  result.behaviour = std::move(behaviour);
  return result;
}

// The first step's bytes.
std::string first_bytes(responder& x, const http_request& request,
                        responder::clock::time_point now = start) {
  std::string result;
  x.answer(request, now)->next(result);
  return result;
}

after first_end(responder& x, const http_request& request) {
  std::string ignored;
  return x.answer(request, start)->next(ignored).then;
}

} // namespace

TEST(responder, a_plain_question_gets_a_body_with_its_length) {
  responder x{{}};
  auto bytes = first_bytes(x, question_with(""));
  EXPECT_THAT(bytes, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(bytes, HasSubstr("content-type: application/json\r\n"));
  auto body = bytes.substr(bytes.find("\r\n\r\n") + 4);
  EXPECT_THAT(bytes, HasSubstr("content-length: " + std::to_string(body.size()) + "\r\n"));
  EXPECT_THAT(body, HasSubstr("the quick brown fox"));
}

TEST(responder, a_stream_begins_after_the_first_bytes_time) {
  responder x{{}};
  auto reply = x.answer(question_with(R"({"first-byte": "30ms", "events": 2})", true), start);
  EXPECT_TRUE(reply->is_stream);
  EXPECT_EQ(reply->first_byte, 30ms);
  std::string bytes;
  EXPECT_EQ(reply->next(bytes).then, after::next_step);
  EXPECT_THAT(bytes, HasSubstr("content-type: text/event-stream"));
  EXPECT_THAT(bytes, HasSubstr("transfer-encoding: chunked\r\n"));
}

TEST(responder, an_old_client_gets_no_chunks) {
  responder x{{}};
  auto request = question_with(R"({"events": 1})", true);
  request.chunks = false;
  request.keep_alive = false;
  EXPECT_THAT(first_bytes(x, request), Not(HasSubstr("chunked")));
  EXPECT_EQ(first_end(x, request), after::close);
}

TEST(responder, each_error_has_its_end) {
  responder x{{}};
  EXPECT_EQ(first_end(x, question_with(R"({"error": "reset"})")), after::reset);
  EXPECT_EQ(first_end(x, question_with(R"({"error": "hang"})")), after::hang);
  EXPECT_EQ(first_end(x, question_with(R"({"error": "cut"})")), after::close);
  EXPECT_EQ(first_end(x, question_with(R"({"error": "status:500"})")), after::keep_alive);
  EXPECT_THAT(first_bytes(x, question_with(R"({"error": "invalid-json"})")),
              HasSubstr("\r\n\r\nno JSON"));
  EXPECT_THAT(first_bytes(x, question_with(R"({"error": "large"})")),
              HasSubstr("content-length: 100000"));
}

TEST(responder, a_status_has_the_providers_body_or_a_page) {
  responder x{{}};
  auto error = first_bytes(x, question_with(R"({"error": "status:429,retry-after:2"})"));
  EXPECT_THAT(error, StartsWith("HTTP/1.1 429 Too Many Requests\r\n"));
  EXPECT_THAT(error, HasSubstr("retry-after: 2\r\n"));
  EXPECT_THAT(error, HasSubstr(R"("code":"rate_limit_exceeded")"));
  auto page = first_bytes(x, question_with(R"({"error": "status:502-html"})"));
  EXPECT_THAT(page, HasSubstr("content-type: text/html\r\n"));
  EXPECT_THAT(page, EndsWith("</html>\r\n"));
}

TEST(responder, the_same_seed_chooses_the_same_requests) {
  auto choices = [](std::uint64_t seed) {
    behaviour how;
    how.seed = seed;
    how.error = *parse_fault("status:500");
    how.error_rate = 0.25;
    responder x{how};
    std::string result;
    for (auto i = 0; i < 400; ++i)
      result += first_bytes(x, question_with("")).starts_with("HTTP/1.1 500") ? 'x' : '.';
    return result;
  };
  auto once = choices(7);
  EXPECT_EQ(once, choices(7));
  EXPECT_NE(once, choices(8));
  EXPECT_NEAR(std::count(once.begin(), once.end(), 'x'), 100, 30);
}

TEST(responder, a_wrong_key_is_refused_where_that_provider_looks_for_it) {
  behaviour how;
  how.key = "sk-1";
  responder x{how};
  auto request = question_with("");
  EXPECT_THAT(first_bytes(x, request), StartsWith("HTTP/1.1 401"));
  request.anthropic_key = "sk-1";
  EXPECT_THAT(first_bytes(x, request), StartsWith("HTTP/1.1 401"));
  request.authorization = "Bearer sk-1";
  EXPECT_THAT(first_bytes(x, request), StartsWith("HTTP/1.1 200"));
  request.target = "/v1beta/models/m:generateContent";
  request.body = R"({"contents": []})";
  EXPECT_THAT(first_bytes(x, request), HasSubstr(R"("status":"UNAUTHENTICATED")"));
  request.gemini_key = "sk-1";
  EXPECT_THAT(first_bytes(x, request), StartsWith("HTTP/1.1 200"));
}

TEST(responder, each_key_has_a_limit_of_its_own) {
  responder x{{}};
  auto request = question_with(R"({"rate-limit": 2})");
  request.authorization = "Bearer a";
  auto allowed = first_bytes(x, request);
  EXPECT_THAT(allowed, HasSubstr("x-ratelimit-limit-requests: 2\r\n"));
  EXPECT_THAT(allowed, HasSubstr("x-ratelimit-remaining-requests: 1\r\n"));
  EXPECT_THAT(allowed, HasSubstr("x-ratelimit-reset-requests: 30s\r\n"));
  first_bytes(x, request);
  auto refused = first_bytes(x, request);
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 429"));
  EXPECT_THAT(refused, HasSubstr("retry-after: 30\r\n"));
  EXPECT_THAT(first_bytes(x, request, start + 31s), StartsWith("HTTP/1.1 200"));
  request.authorization = "Bearer b";
  EXPECT_THAT(first_bytes(x, request), StartsWith("HTTP/1.1 200"));
}

TEST(responder, a_mistake_in_the_header_or_the_body_is_400) {
  responder x{{}};
  EXPECT_THAT(first_bytes(x, question_with(R"({"speed": 1})")),
              HasSubstr("there is no option 'speed'"));
  auto request = question_with("");
  request.body = "hello";
  EXPECT_THAT(first_bytes(x, request), StartsWith("HTTP/1.1 400 Bad Request\r\n"));
}

TEST(responder, bytes_that_are_no_request_end_the_connection) {
  std::string bytes;
  EXPECT_EQ(responder::refuse({400, "Nonsense."})->next(bytes).then, after::close);
  EXPECT_THAT(bytes, HasSubstr("connection: close\r\n"));
  EXPECT_THAT(bytes, HasSubstr(R"("message":"Nonsense.")"));
}
