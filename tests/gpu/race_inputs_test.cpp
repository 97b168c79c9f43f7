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

  // What is to be handed over now.
  static std::vector<const input_draw*> give(race_inputs& inputs) {
    std::vector<const input_draw*> result;
    while (auto* draw = inputs.hand_over())
      result.push_back(draw);
    return result;
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
      give(inputs);
      auto x = inputs.next(3, 1, missing);
      at_first += i == 0 && x.fresh ? 1 : 0;
      auto& left = x.fresh ? missing.fresh : missing.repeated;
      ASSERT_GT(left, 0U) << "more of one kind than was missing, with seed " << seed;
      --left;
    }
  }
  EXPECT_NEAR(at_first, 50, 20) << "neither kind comes first";
}

TEST_F(race_inputs_test, new_inputs_come_once_and_in_any_place_that_counts) {
  std::set<std::size_t> used;
  std::set<std::size_t> controls;
  auto inputs = make(16);
  std::set<const input_draw*> met;
  while (inputs.unseen() > 0) {
    give(inputs);
    auto x = inputs.next(5, 1, {16, 0});
    ASSERT_TRUE(x.fresh);
    ASSERT_EQ(x.calls.size(), 5U);
    used.insert(*x.fresh);
    EXPECT_NE(x.control, *x.fresh);
    controls.insert(x.control);
    auto* fresh = x.calls[*x.fresh];
    EXPECT_TRUE(is_timed(fresh));
    EXPECT_TRUE(met.insert(fresh).second) << "it was new before";
    for (auto* call : x.calls)
      EXPECT_TRUE(!is_timed(call) || met.contains(call)) << "new, and not said to be";
    EXPECT_EQ(std::ranges::count(x.calls, fresh), 1) << "seen within its own block";
  }
  EXPECT_EQ(met.size(), 16U);
  EXPECT_EQ(used, (std::set<std::size_t>{1, 2, 3, 4}));
  EXPECT_EQ(controls, used);
  EXPECT_EQ(inputs.hand_over(), nullptr);
  EXPECT_FALSE(inputs.next(5, 1, {16, 0}).fresh) << "none are left";
}

TEST_F(race_inputs_test, all_places_are_filled_before_the_first_block) {
  auto inputs = make(4);
  EXPECT_EQ(give(inputs).size(), 4U);
  EXPECT_EQ(inputs.hand_over(), nullptr) << "what is new has not been met";
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(inputs.next(3, 0, {16, 0}).fresh);
    EXPECT_EQ(give(inputs).size(), i < 3 ? 0U : 1U) << "not before all of it was met";
  }
}

TEST_F(race_inputs_test, without_anything_new_no_block_has_any) {
  timed_.clear();
  auto inputs = make(0);
  EXPECT_EQ(inputs.unseen(), 0u);
  EXPECT_EQ(inputs.hand_over(), nullptr);
  EXPECT_FALSE(inputs.next(3, 1, {10, 4}).fresh);
}

TEST_F(race_inputs_test, who_has_lost_its_place_is_not_asked_for_again) {
  auto inputs = make(2);
  EXPECT_EQ(inputs.places(), (std::vector<std::string>{"timed0", "timed1"}));
  std::vector<const input_draw*> held;
  while (inputs.unseen() > 0) {
    for (auto* draw : give(inputs))
      held.push_back(draw);
    auto here = std::span{held}.last(2);
    auto x = inputs.next(20, 1, {16, 0});
    for (auto* call : x.calls)
      EXPECT_TRUE(!is_timed(call) || std::ranges::find(here, call) != here.end());
    std::set<std::string> names;
    for (auto* draw : here)
      names.insert(inputs.name_of(*draw));
    EXPECT_EQ(names, (std::set<std::string>{"timed0", "timed1"})) << "two draws in one place";
  }
  EXPECT_EQ(held.size(), 16U);
}

TEST_F(race_inputs_test, known_draws_keep_their_names) {
  auto inputs = make(2);
  EXPECT_EQ(inputs.name_of(checked_[1]), "c1");
  auto x = inputs.repeat(4);
  EXPECT_FALSE(x.fresh);
  EXPECT_EQ(x.calls, std::vector<const input_draw*>(4, &inputs.familiar()));
}

} // namespace lathe::gpu::testing
