#include "llm_clients/fair_queue.hpp"

#include <gmock/gmock.h>

#include <string>

using namespace lathe;
using testing::ElementsAre;

using queue = llm_clients::fair_queue<std::string>;

namespace {

queue::choice anybody(const std::string&) {
  return queue::choice::take;
}

} // namespace

TEST(fair_queue, sessions_take_turns_however_many_one_of_them_has) {
  queue x;
  for (auto each : {"a1", "a2", "a3", "a4"})
    x.push("a", 0, each);
  x.push("b", 0, "b1");
  EXPECT_EQ(x.take(anybody), "a1");
  x.push("c", 0, "c1");
  EXPECT_THAT(x.drain(), ElementsAre("b1", "c1", "a2", "a3", "a4"));
  EXPECT_EQ(x.size(), 0u);
}

TEST(fair_queue, within_a_session_the_higher_priority_goes_first) {
  queue x;
  x.push("a", 0, "code");
  x.push("a", 0, "more code");
  x.push("a", 5, "fix");
  x.push("a", -5, "insight");
  x.push_front("a", 0, "again");
  EXPECT_THAT(x.drain(), ElementsAre("fix", "again", "code", "more code", "insight"));
}

TEST(fair_queue, priorities_of_one_session_do_not_hold_up_another) {
  queue x;
  x.push("a", 9, "a1");
  x.push("a", 9, "a2");
  x.push("b", 0, "b1");
  EXPECT_THAT(x.drain(), ElementsAre("a1", "b1", "a2"));
}

TEST(fair_queue, who_is_passed_over_keeps_his_place) {
  queue x;
  for (auto each : {"dear", "cheap", "free"})
    x.push("a", 0, each);
  auto no_money = [](const std::string& each) {
    return each == "dear" ? queue::choice::pass_over : queue::choice::take;
  };
  EXPECT_EQ(x.take(no_money), "cheap");
  EXPECT_THAT(x.drain(), ElementsAre("dear", "free"));
}

TEST(fair_queue, who_leaves_is_gone) {
  queue x;
  for (auto each : {"a1", "a2", "a3"})
    x.push("a", 0, each);
  EXPECT_TRUE(x.remove_if([](const std::string& each) { return each == "a2"; }));
  EXPECT_FALSE(x.remove_if([](const std::string& each) { return each == "a2"; }));
  EXPECT_EQ(x.size(), 2u);
  EXPECT_THAT(x.drain(), ElementsAre("a1", "a3"));
}

TEST(fair_queue, who_stops_the_queue_is_waited_for) {
  queue x;
  x.push("a", 0, "large");
  x.push("b", 0, "small");
  EXPECT_FALSE(x.take([](const std::string&) { return queue::choice::stop; }));
  EXPECT_EQ(x.size(), 2u);
}
