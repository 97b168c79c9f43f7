#include "tools/llm_server/behaviour.hpp"

#include <gtest/gtest.h>

using namespace lathe::llm_server;
using namespace std::chrono_literals;

namespace {

std::string complaint_about(std::string_view json) {
  auto result = parse_behaviour(json, {});
  return result ? "" : result.error().sentence;
}

} // namespace

TEST(behaviour, a_header_changes_only_what_it_names) {
  behaviour defaults;
  defaults.events = 7;
  defaults.key = "sk-1";
  auto result = parse_behaviour(
    R"({"interval": "5ms", "error": "cut", "error-rate": 0.25, "rate-limit": 60, "seed": 3})",
    defaults);
  ASSERT_TRUE(result);
  random_source random{0};
  EXPECT_EQ(result->events, 7u);
  EXPECT_EQ(result->key, "sk-1");
  EXPECT_EQ(result->interval.sample(random), 5ms);
  EXPECT_EQ(result->error.kind, fault_kind::cut);
  EXPECT_EQ(result->error_rate, 0.25);
  EXPECT_EQ(result->rate_limit, 60u);
  EXPECT_EQ(result->seed, 3u);
}

TEST(behaviour, numbers_can_be_text) {
  EXPECT_EQ(parse_behaviour(R"({"events": "12"})", {})->events, 12u);
}

TEST(behaviour, a_mistake_names_the_option) {
  EXPECT_EQ(complaint_about(R"({"event": 3})"), "there is no option 'event'");
  EXPECT_EQ(complaint_about(R"({"events": 0})"),
            "events: '0' is no whole number from 1 to 10000000");
  EXPECT_EQ(complaint_about(R"({"events": -1})"),
            "events: '-1' is no whole number from 1 to 10000000");
  EXPECT_EQ(complaint_about(R"({"error-rate": 1.5})"),
            "error-rate: '1.5' is no number from 0 to 1");
  EXPECT_EQ(complaint_about(R"({"error-rate": "nan"})"),
            "error-rate: 'nan' is no number from 0 to 1");
  EXPECT_EQ(complaint_about(R"({"text": ["x"]})"), "text: its value is neither text nor a number");
  EXPECT_EQ(complaint_about("events=3"), "the header x-llm-server is no JSON object");
  EXPECT_EQ(complaint_about("[]"), "the header x-llm-server is no JSON object");
}

TEST(behaviour, a_text_is_given_or_made_up) {
  behaviour x;
  x.events = 5;
  EXPECT_EQ(*text_of(x), "the quick brown fox ");
  EXPECT_FALSE(set_option(x, "text-bytes", "100"));
  EXPECT_EQ(text_of(x)->size(), 100u);
  EXPECT_FALSE(set_option(x, "text", "Grüße"));
  EXPECT_EQ(*text_of(x), "Grüße");
  EXPECT_FALSE(set_option(x, "text-bytes", "3"));
  EXPECT_EQ(*text_of(x), "the") << "what is said last holds";
}

TEST(behaviour, a_text_has_to_be_utf8) {
  behaviour x;
  EXPECT_TRUE(set_option(x, "text", "\xff"));
}
