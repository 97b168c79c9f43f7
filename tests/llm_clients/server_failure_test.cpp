#include "llm_clients/server_failure.hpp"

#include <gmock/gmock.h>

using namespace std::chrono_literals;
using namespace lathe;
using namespace lathe::llm_clients;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

namespace {

failure failure_to(unsigned status, const std::string& body,
                   const std::map<std::string, std::string>& headers = {}) {
  model_config model;
  model.name = "strong";
  return failure_of(model, status, complaint_in(body), headers);
}

} // namespace

TEST(server_failure, every_status_has_its_meaning) {
  using enum failure_kind;
  const std::map<unsigned, failure_kind> expected = {
    {301, fail},  {400, refuse}, {401, fail},   {402, fail},   {403, fail},
    {404, fail},  {408, retry},  {413, refuse}, {422, refuse}, {429, retry},
    {500, retry}, {502, retry},  {503, retry},  {529, retry}};
  for (auto [status, kind] : expected) {
    auto x = failure_to(status, R"({"error":{"message":"because"}})");
    EXPECT_EQ(x.kind, kind) << status;
    EXPECT_FALSE(x.may_be_charged) << status;
    EXPECT_THAT(x.sentence, HasSubstr("(HTTP " + std::to_string(status) + "): because"));
    EXPECT_THAT(x.sentence, HasSubstr("'strong'"));
  }
}

TEST(server_failure, some_codes_say_more_than_their_status) {
  auto x = failure_to(429, R"({"error":{"message":"x","code":"insufficient_quota"}})");
  EXPECT_EQ(x.kind, failure_kind::fail);
  EXPECT_THAT(x.sentence, HasSubstr("no credit left (HTTP 429)"));
  EXPECT_EQ(failure_to(400, R"({"error":{"message":"x","code":"model_not_found"}})").kind,
            failure_kind::fail);
}

TEST(server_failure, what_is_said_of_a_question_closes_no_model) {
  auto flagged = R"({"error":{"message":"flagged","code":403,"metadata":{"reasons":["x"]}}})";
  EXPECT_EQ(failure_to(403, flagged).kind, failure_kind::refuse);
  EXPECT_EQ(failure_to(403, "<html>blocked</html>").kind, failure_kind::refuse);
  EXPECT_EQ(failure_to(403, R"({"error":{"message":"no"}})").kind, failure_kind::fail);
}

TEST(server_failure, litellm_says_in_two_ways_that_a_model_is_not_there) {
  for (auto said : {R"({"error":{"message":"Invalid model name","param":"model",
                     "type":"invalid_request_error","code":"400"}})",
                    R"({"error":{"message":"/chat/completions: Invalid model name passed in model=x.",
                     "param":null,"type":"invalid_request_error","code":"400"}})"}) {
    auto x = failure_to(400, said);
    EXPECT_EQ(x.kind, failure_kind::fail) << said;
    EXPECT_THAT(x.sentence, HasSubstr("does not know this model"));
  }
}

TEST(server_failure, an_account_without_credit_says_so_in_words_alone) {
  auto x = failure_to(400, R"({"error":{"type":"invalid_request_error",
    "message":"Your credit balance is too low to access the API."}})");
  EXPECT_EQ(x.kind, failure_kind::fail);
  EXPECT_THAT(x.sentence, HasSubstr("no credit left"));
}

TEST(server_failure, google_asks_for_time_in_the_body) {
  auto body = R"({"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"slowly",
    "details":[{"@type":"x"},{"retryDelay":"34.5s"}]}})";
  EXPECT_EQ(failure_to(429, body).retry_after, 34'500ms);
}

TEST(server_failure, complaints_are_found_in_many_shapes) {
  for (auto body : {R"({"error":"because"})", R"({"message":"because"})", R"({"detail":"because"})",
                    R"({"error":{"message":"because","code":7}})",
                    R"([{"error":{"message":"because"}}])", "because"})
    EXPECT_THAT(failure_to(400, body).sentence, HasSubstr(": because")) << body;
}

TEST(server_failure, a_long_complaint_is_cut_between_characters) {
  auto x = failure_to(400, "a" + std::string(1'000, 'b') + std::string("ääääääääääääääääääääää"));
  EXPECT_LT(x.sentence.size(), 1'200u);
  EXPECT_TRUE(simdjson::validate_utf8(x.sentence));
}

TEST(server_failure, a_complaint_is_one_line) {
  auto x = failure_to(500, R"({"error":{"message":"\n no\n\n\tconnection "}})");
  EXPECT_THAT(x.sentence, EndsWith("(HTTP 500): no connection "));
}

TEST(server_failure, html_is_called_html) {
  auto gateway = failure_to(502, "<html><body>Bad gateway</body></html>");
  EXPECT_EQ(gateway.kind, failure_kind::retry);
  EXPECT_THAT(gateway.sentence, HasSubstr("HTML page"));
  EXPECT_THAT(gateway.sentence, Not(HasSubstr("<body>")));
  EXPECT_TRUE(looks_like_html("\n<!DOCTYPE html>"));
  EXPECT_FALSE(looks_like_html("{}"));
}

TEST(server_failure, a_server_may_ask_for_time_in_three_ways) {
  EXPECT_EQ(retry_after({}, 0), 0ms);
  EXPECT_EQ(retry_after({{"retry-after", "2"}}, 0), 2s);
  EXPECT_EQ(retry_after({{"retry-after", "0.5"}}, 0), 500ms);
  EXPECT_EQ(retry_after({{"retry-after-ms", "70"}, {"retry-after", "2"}}, 0), 70ms);
  EXPECT_EQ(retry_after({{"retry-after", "Thu, 01 Jan 1970 00:01:00 GMT"}}, 20), 40s);
  EXPECT_EQ(failure_to(429, "{}", {{"retry-after", "3"}}).retry_after, 3s);
}

TEST(server_failure, what_makes_no_sense_is_no_time) {
  for (auto text : {"", "soon", "-5", "nan", "Thu, 01 Jan 1970 00:00:10 GMT"})
    EXPECT_EQ(retry_after({{"retry-after", text}}, 20), 0ms) << text;
  EXPECT_LE(retry_after({{"retry-after", "1e300"}}, 0), 1'000'000s);
}

TEST(server_failure, a_delay_that_is_no_number_asks_for_nothing) {
  for (auto delay : {"nans", "-nans", "s", "", "x", "-5s"})
    EXPECT_EQ(
      complaint_in(R"({"error":{"details":[{"retryDelay":")" + std::string{delay} + "\"}]}}")
        .retry_after.count(),
      0)
      << delay;
  EXPECT_EQ(complaint_in(R"({"error":{"details":[{"retryDelay":"infs"}]}})").retry_after.count(),
            1'000'000'000);
}
