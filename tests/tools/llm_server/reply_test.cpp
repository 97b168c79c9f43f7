#include "tools/llm_server/reply.hpp"

#include <gmock/gmock.h>

using namespace lathe::llm_server;
using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

namespace {

stream_plan plan_of(std::size_t events, fault_kind fault = fault_kind::none) {
  stream_plan result;
  result.head = "head\r\n\r\n";
  result.format = &messages_format();
  result.what.text = std::make_shared<const std::string>("abcdefgh");
  result.what.events = events;
  result.interval = *distribution::parse("20ms");
  result.fault = fault;
  return result;
}

// All that a reply sends, and how it ends.
struct ran {
  std::string bytes;
  after end = after::next_step;
  std::chrono::microseconds waited{0};
  std::size_t steps = 0;
  std::size_t events = 0;
};

ran run(reply& x) {
  ran result;
  while (result.end == after::next_step) {
    auto now = x.next(result.bytes);
    result.end = now.then;
    result.waited += now.wait;
    result.events += now.events;
    ++result.steps;
  }
  return result;
}

} // namespace

TEST(reply, a_whole_one_is_one_step) {
  auto found = run(*whole_reply("bytes", after::keep_alive));
  EXPECT_EQ(found.bytes, "bytes");
  EXPECT_EQ(found.steps, 1u);
  EXPECT_EQ(found.end, after::keep_alive);
}

TEST(reply, a_slow_one_sends_a_byte_a_second) {
  auto found = run(*slow_reply("head ", "abc", framing::plain, after::keep_alive));
  EXPECT_EQ(found.bytes, "head abc");
  EXPECT_EQ(found.steps, 3u);
  EXPECT_EQ(found.waited, 2s);
  EXPECT_EQ(run(*slow_reply("", "ab", framing::chunked, after::close)).bytes,
            "1\r\na\r\n1\r\nb\r\n0\r\n\r\n");
}

TEST(reply, a_large_one_has_blanks_before_its_json) {
  auto large = large_reply("head ", "data: {}", framing::plain, after::keep_alive);
  std::string out;
  std::size_t size = 0;
  for (auto end = after::next_step; end == after::next_step; size += out.size()) {
    out.clear();
    end = large->next(out).then;
    EXPECT_LE(out.size(), 70'000u) << "it is never in memory as a whole";
    if (size == 0) {
      EXPECT_THAT(out, StartsWith("head data:   "));
    }
  }
  EXPECT_EQ(size, 100'000'013u);
  EXPECT_EQ(out, "{}");
}

TEST(reply, a_stream_sends_one_delta_each_interval) {
  auto found = run(*stream_reply(plan_of(4)));
  EXPECT_EQ(found.steps, 4u);
  EXPECT_EQ(found.events, 4u);
  EXPECT_EQ(found.waited, 60ms) << "the first delta goes at once, the end with the last";
  EXPECT_THAT(found.bytes, StartsWith("head\r\n\r\n"));
  EXPECT_THAT(found.bytes, EndsWith("0\r\n\r\n"));
  EXPECT_EQ(found.end, after::keep_alive);
}

TEST(reply, a_stream_without_chunks_is_the_events_as_they_are) {
  auto plan = plan_of(4);
  plan.how = framing::plain;
  plan.end = after::close;
  auto expected = "head\r\n\r\n" + all_events(messages_format(), plan.what);
  EXPECT_EQ(run(*stream_reply(std::move(plan))).bytes, expected);
}

TEST(reply, a_stream_that_is_cut_ends_in_the_middle_of_its_middle_event) {
  auto plan = plan_of(4, fault_kind::cut);
  plan.how = framing::plain;
  auto found = run(*stream_reply(std::move(plan)));
  EXPECT_EQ(found.end, after::close);
  EXPECT_EQ(found.events, 2u);
  EXPECT_THAT(found.bytes, HasSubstr(R"("text":"cd")"));
  EXPECT_THAT(found.bytes, Not(HasSubstr(R"("text":"ef")")));
  EXPECT_THAT(found.bytes, Not(EndsWith("\n\n")));
}

TEST(reply, a_stream_with_invalid_json_goes_on_after_it) {
  auto found = run(*stream_reply(plan_of(4, fault_kind::invalid_json)));
  EXPECT_THAT(found.bytes, HasSubstr("data: {no JSON"));
  EXPECT_THAT(found.bytes, HasSubstr("message_stop"));
  EXPECT_EQ(found.end, after::keep_alive);
}
