#include "gpu/race_inputs.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace lathe::gpu::testing {

namespace {

class race_inputs_test : public ::testing::Test {
protected:
  static shared_memory file() {
    return std::move(*shared_memory::holding("inputs"));
  }

  static std::vector<input_draw> draws(const std::string& prefix, std::size_t count) {
    std::vector<input_draw> result;
    for (std::size_t i = 0; i < count; ++i)
      result.push_back({fmt::format("{}{}", prefix, i), 0, file(), file(), {}});
    return result;
  }

  race_inputs make(std::size_t places) {
    return {{&checked_[0], &checked_[1]}, timed_, places, random_};
  }

  bool is_timed(const input_draw* draw) const {
    return draw >= timed_.data() && draw < timed_.data() + timed_.size();
  }

  std::vector<input_draw> checked_ = draws("c", 2);
  std::vector<input_draw> timed_ = draws("t", 16);
  std::mt19937_64 random_{7};
};

} // namespace

TEST_F(race_inputs_test, what_is_missing_is_drawn_as_from_an_urn) {
  auto at_first = 0;
  for (auto seed = 0U; seed < 100; ++seed) {
    random_.seed(seed);
    auto inputs = make(16);
    race_blocks missing{10, 10};
    for (int i = 0; i < 20; ++i) {
      auto x = inputs.next(3, missing, true);
      at_first += i == 0 && x.fresh ? 1 : 0;
      auto& left = x.fresh ? missing.fresh : missing.repeated;
      ASSERT_GT(left, 0U) << "more of one kind than was missing, with seed " << seed;
      --left;
    }
  }
  EXPECT_NEAR(at_first, 50, 20) << "neither kind comes first";
}

TEST_F(race_inputs_test, of_long_calls_new_inputs_come_first) {
  auto inputs = make(16);
  for (std::size_t i = 0; i < 8; ++i)
    EXPECT_TRUE(inputs.next(3, {8 - i, 10}, false).fresh);
  EXPECT_FALSE(inputs.next(3, {0, 10}, false).fresh);
  EXPECT_TRUE(inputs.next(3, {0, 0}, false).fresh) << "what else there is may tell more";
}

TEST_F(race_inputs_test, new_inputs_come_first_in_their_block_and_once) {
  auto inputs = make(16);
  std::set<const input_draw*> met;
  while (!inputs.all_seen()) {
    auto x = inputs.next(5, {16, 0}, true);
    ASSERT_TRUE(x.fresh);
    ASSERT_EQ(x.calls.size(), 5U);
    EXPECT_TRUE(is_timed(x.calls.front()));
    EXPECT_TRUE(met.insert(x.calls.front()).second) << "it was new before";
    for (auto call = x.calls.begin() + 1; call != x.calls.end(); ++call)
      EXPECT_TRUE(!is_timed(*call) || met.contains(*call)) << "new, and not first";
    EXPECT_EQ(std::ranges::count(x.calls, x.calls.front()), 1) << "seen within its own block";
  }
  EXPECT_EQ(met.size(), 16U);
  EXPECT_FALSE(inputs.next(5, {16, 0}, true).fresh) << "none are left";
}

TEST_F(race_inputs_test, who_has_lost_its_place_is_not_asked_for_again) {
  auto inputs = make(2);
  EXPECT_EQ(inputs.places(), (std::vector<std::string>{"timed0", "timed1"}));
  std::vector<const input_draw*> newest;
  while (!inputs.all_seen()) {
    auto x = inputs.next(20, {16, 0}, true);
    newest.push_back(x.calls.front());
    auto held = std::span{newest}.last(std::min<std::size_t>(2, newest.size()));
    for (auto* call : x.calls)
      EXPECT_TRUE(!is_timed(call) || std::ranges::find(held, call) != held.end());
    std::set<std::string> names;
    for (auto* draw : held)
      names.insert(inputs.name_of(*draw));
    EXPECT_EQ(names.size(), held.size()) << "two draws in one place";
    for (auto& name : names)
      EXPECT_TRUE(name == "timed0" || name == "timed1") << name;
  }
}

TEST_F(race_inputs_test, known_draws_keep_their_names) {
  auto inputs = make(2);
  EXPECT_EQ(inputs.name_of(checked_[1]), "c1");
  auto x = inputs.repeat(4);
  EXPECT_FALSE(x.fresh);
  EXPECT_EQ(x.calls, std::vector<const input_draw*>(4, &inputs.familiar()));
}

} // namespace lathe::gpu::testing
