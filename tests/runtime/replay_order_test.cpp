#include "runtime/replay_order.hpp"

#include "tests/runtime/journal/temporary_folder.hpp"
#include "tests/runtime/recorded_run.hpp"

#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::test;
using runtime::recording;
using decision = runtime::replay_order::decision;

namespace {

class replay_order : public testing::Test {
protected:
  const llm_request q = question("a", 2);
  const std::vector<journal_record> begin_a{started("a"), issued("a", 1, "evaluator")};
  const std::vector<journal_record> begin_b{started("b"), issued("b", 1, "evaluator")};
  const std::vector<journal_record> prepared_a{prepared("a"), issued("a", 2, "coder")};
  const recording past =
    *recording::read(journal_of({begin_a, begin_b, {leased("a")}, prepared_a, {reserved(q)}}));
  runtime::replay_order order{past.events()};
};

} // namespace

TEST_F(replay_order, what_comes_too_early_is_held) {
  EXPECT_EQ(order.offer(begin_b).what, decision::hold);
  EXPECT_EQ(order.offer({reserved(q)}).what, decision::hold);
  EXPECT_EQ(order.due(), 0u);
  EXPECT_EQ(order.offer(begin_a).what, decision::write);
  EXPECT_TRUE(order.is_due(begin_b));
  EXPECT_EQ(order.offer(begin_b).what, decision::write);
  EXPECT_EQ(order.due(), 4u);
}

TEST_F(replay_order, records_of_devices_are_passed_when_they_are_next) {
  EXPECT_TRUE(order.pass_devices().empty());
  order.offer(begin_a);
  order.offer(begin_b);
  EXPECT_FALSE(order.is_due(prepared_a));
  EXPECT_EQ(order.pass_devices().size(), 1u);
  EXPECT_TRUE(order.is_due(prepared_a));
}

TEST_F(replay_order, is_over_at_the_last_event) {
  order.offer(begin_a);
  order.offer(begin_b);
  order.pass_devices();
  EXPECT_EQ(order.offer(prepared_a).what, decision::write);
  EXPECT_FALSE(order.is_over());
  EXPECT_EQ(order.offer({reserved(q)}).what, decision::write);
  EXPECT_TRUE(order.is_over());
  EXPECT_EQ(order.offer({ended("a")}).what, decision::late);
}

TEST_F(replay_order, parts_where_a_session_decides_less) {
  auto ruling = order.offer({started("a")});
  EXPECT_EQ(ruling.what, decision::parts);
  EXPECT_EQ(ruling.place, 1u);
  EXPECT_EQ(ruling.offered, std::nullopt);
  EXPECT_EQ(order.offer(begin_b).what, decision::late);
}

TEST_F(replay_order, parts_where_a_session_decides_more) {
  auto more = begin_a;
  more.push_back(issued("a", 2, "coder"));
  auto ruling = order.offer(more);
  EXPECT_EQ(ruling.what, decision::parts);
  EXPECT_EQ(ruling.place, 2u);
  EXPECT_EQ(ruling.offered, 2u);
}

TEST_F(replay_order, parts_where_a_record_is_another) {
  auto ruling = order.offer({started("a"), issued("a", 1, "coder")});
  EXPECT_EQ(ruling.what, decision::parts);
  EXPECT_EQ(ruling.place, 1u);
  EXPECT_EQ(ruling.offered, 1u);
}

TEST_F(replay_order, parts_where_nothing_like_it_is_left) {
  EXPECT_EQ(order.offer({reserved(question("a", 3))}).what, decision::parts);
}

TEST_F(replay_order, times_are_not_compared) {
  auto later = begin_a;
  for (auto& record : later)
    record.time = 1e9;
  EXPECT_EQ(order.offer(later).what, decision::write);
}
