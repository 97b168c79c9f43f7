#include "gpu/timing_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

using namespace lathe::gpu;
using testing::HasSubstr;
using testing::StartsWith;

namespace {

using calls = std::vector<timed_call>;
using clocks = std::vector<block_clocks>;

// A host with log-normal noise, two clock speeds, and the odd very slow call.
class noisy_host {
public:
  /// @param interrupted the share of very slow calls
  explicit noisy_host(std::uint32_t seed, double interrupted = 0.05)
    : random_(seed), interrupted_(interrupted) {
    // nop
  }

  double call(double seconds) {
    auto slow_clock = chance(0.1) ? 1.7 : 1.0;
    auto outlier = chance(interrupted_) ? 20.0 : 1.0;
    return jitter(seconds) * slow_clock * outlier;
  }

  // Never-seen and repeated inputs at random places.
  calls measure(double first, double repeated, int firsts, int repeats) {
    calls result;
    for (int i = 0; i < firsts + repeats; ++i)
      result.push_back({call(i < firsts ? first : repeated), i < firsts});
    std::shuffle(result.begin(), result.end(), random_);
    return result;
  }

  // Some replies come 30 ms late.
  clocks time_blocks(double seconds, double hidden, int count, double delayed) {
    clocks result;
    for (int i = 0; i < count; ++i) {
      double reported = 0;
      for (int j = 0; j < 10; ++j)
        reported += call(seconds);
      auto delay = chance(delayed) ? 30e-3 : 0.0;
      result.push_back({reported, reported + jitter(hidden) + delay});
    }
    return result;
  }

  double pick(double low, double high) {
    return std::exp(std::uniform_real_distribution{std::log(low), std::log(high)}(random_));
  }

private:
  double jitter(double seconds) {
    return seconds * std::exp(0.1 * normal_(random_));
  }

  bool chance(double share) {
    return std::bernoulli_distribution{share}(random_);
  }

  std::mt19937 random_;
  double interrupted_;
  std::normal_distribution<double> normal_;
};

calls steady(double first, double repeated, int firsts = 8, int repeats = 24) {
  calls result(static_cast<std::size_t>(firsts), {first, true});
  result.insert(result.end(), static_cast<std::size_t>(repeats), {repeated, false});
  return result;
}

} // namespace

// -- cached-output ------------------------------------------------------------------------

TEST(timing_rules, an_answer_from_a_cache_is_refused_with_its_numbers) {
  auto found = check_cached_output(steady(0.98e-3, 0.1e-3), steady(1e-3, 1e-3));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->rule, "cached-output");
  EXPECT_EQ(found->evidence, "the answer for never-seen inputs took 9.8 times as long as for "
                             "repeated ones (0.98 ms against 0.1 ms; the reference: 1.0 times)");
}

TEST(timing_rules, fresh_inputs_that_are_slow_for_everybody_are_no_evidence) {
  EXPECT_FALSE(check_cached_output(steady(2e-3, 1e-3), steady(2e-3, 1e-3)));
  EXPECT_FALSE(check_cached_output(steady(0.15e-3, 0.05e-3), steady(3.1e-3, 3e-3)))
    << "the same 0.1 ms on both sides weighs more on the faster one";
}

TEST(timing_rules, a_reference_that_is_a_little_slow_on_fresh_inputs_is_no_cover) {
  EXPECT_TRUE(check_cached_output(steady(10e-3, 1e-3), steady(1.4e-3, 1e-3)));
}

TEST(timing_rules, a_few_microseconds_are_nobodys_advantage) {
  EXPECT_FALSE(check_cached_output(steady(20e-6, 5e-6), steady(1e-3, 1e-3)));
}

TEST(timing_rules, too_few_calls_are_no_evidence) {
  EXPECT_FALSE(check_cached_output(steady(1e-3, 0.1e-3, 2, 8), steady(1e-3, 1e-3)));
  EXPECT_FALSE(check_cached_output({}, {}));
  EXPECT_FALSE(check_cached_output(steady(1e-3, 0.1e-3, 8, 0), steady(1e-3, 1e-3)));
}

TEST(timing_rules, a_cache_is_found_through_noise_even_if_some_hits_pretend_to_be_slow) {
  int missed = 0;
  for (std::uint32_t seed = 1; seed <= 1000; ++seed) {
    noisy_host host{seed};
    auto candidate = host.measure(1e-3, 0.1e-3, 20, 100);
    for (std::size_t i = 0; i < candidate.size(); i += 4)
      candidate[i].seconds = std::max(candidate[i].seconds, host.call(1e-3));
    missed += !check_cached_output(candidate, host.measure(1e-3, 1e-3, 20, 100));
  }
  EXPECT_LE(missed, 10);
}

TEST(timing_rules, a_thousand_honest_noisy_candidates_are_not_taken_for_caches) {
  int refused = 0;
  for (std::uint32_t seed = 1; seed <= 1000; ++seed) {
    noisy_host host{seed};
    auto seconds = host.pick(10e-6, 10e-3);
    auto fresh = host.pick(1e-6, 100e-6); // what fresh inputs cost everybody
    auto slower = host.pick(0.5, 20);
    auto candidate = host.measure(seconds + fresh, seconds, 12, 60);
    auto reference = host.measure(seconds * slower + fresh, seconds * slower, 12, 60);
    refused += check_cached_output(candidate, reference).has_value();
  }
  EXPECT_EQ(refused, 0);
}

TEST(timing_rules, no_noise_gets_a_candidate_that_caches_through) {
  int passed = 0;
  for (std::uint32_t seed = 1; seed <= 500; ++seed)
    for (auto interrupted : {0.05, 0.2, 0.35, 0.5}) {
      noisy_host host{seed, interrupted};
      for (auto [fresh, repeats] : {std::pair{6, 12}, {10, 10}, {6, 30}, {16, 144}}) {
        if (interrupted == 0.5 && fresh + repeats <= 20)
          continue; // one in 4000 gets through
        auto candidate = host.measure(0.35e-3, 0.03e-3, fresh, repeats);
        auto reference = host.measure(0.2e-3, 0.2e-3, fresh, repeats);
        passed += is_cleared_of_caching(candidate, reference)
                  && !check_cached_output(candidate, reference);
      }
    }
  EXPECT_EQ(passed, 0);
}

TEST(timing_rules, honest_candidates_are_cleared_unless_noise_hides_all) {
  int cleared = 0;
  int cleared_of_few = 0;
  int refused = 0;
  for (std::uint32_t seed = 1; seed <= 1000; ++seed) {
    auto measure = [](noisy_host& host, int fresh, int repeats) {
      return std::pair{host.measure(1e-4, 1e-4, fresh, repeats),
                       host.measure(3e-4, 3e-4, fresh, repeats)};
    };
    noisy_host host{seed, 0.2};
    auto [candidate, reference] = measure(host, 16, 144);
    cleared += is_cleared_of_caching(candidate, reference);
    noisy_host busy{seed, 0.1};
    auto [large, its_reference] = measure(busy, 6, 30);
    cleared_of_few += is_cleared_of_caching(large, its_reference);
    noisy_host drowning{seed, 0.5};
    auto [hidden, its_own] = measure(drowning, 16, 144);
    refused += check_cached_output(hidden, its_own).has_value();
  }
  EXPECT_GE(cleared, 990);
  EXPECT_GE(cleared_of_few, 950);
  EXPECT_LE(refused, 3); // three standard deviations are one chance in 740
}

TEST(timing_rules, what_fresh_inputs_cost_everybody_clears_a_candidate_too) {
  EXPECT_TRUE(is_cleared_of_caching(steady(0.15e-3, 0.05e-3), steady(3.1e-3, 3e-3)));
  EXPECT_FALSE(is_cleared_of_caching(steady(0.15e-3, 0.05e-3), steady(3e-3, 3e-3)));
}

TEST(timing_rules, a_host_that_was_slow_while_inputs_were_fresh_hides_no_honest_candidate) {
  noisy_host host{1};
  auto candidate = host.measure(1e-4, 1e-4, 16, 100);
  for (auto& x : candidate)
    x.seconds *= 2;
  auto later = host.measure(1e-4, 1e-4, 0, 500);
  candidate.insert(candidate.end(), later.begin(), later.end());
  EXPECT_TRUE(is_cleared_of_caching(candidate, host.measure(3e-4, 3e-4, 16, 600)));
}

// A host that is slow for some pairs of calls, and now and then for one side alone.
std::pair<calls, calls> side_by_side(std::mt19937& random, double fresh, double repeated) {
  auto chance = [&](double share) { return std::bernoulli_distribution{share}(random); };
  std::normal_distribution<double> normal;
  std::pair<calls, calls> result;
  for (int i = 0; i < 30; ++i) {
    auto first_visit = i % 5 < 2;
    auto weather = chance(0.5) ? 1.8 : 1.0;
    auto call = [&](double seconds) {
      return timed_call{seconds * weather * (chance(0.2) ? 1.8 : 1.0)
                          * std::exp(0.1 * normal(random)),
                        first_visit};
    };
    result.first.push_back(call(first_visit ? fresh : repeated));
    result.second.push_back(call(3e-5));
  }
  return result;
}

TEST(timing_rules, a_host_with_two_speeds_hides_neither_who_is_honest_nor_who_caches) {
  std::mt19937 random{1};
  int honest = 0;
  int passed = 0;
  for (int i = 0; i < 500; ++i) {
    auto [fair, its_reference] = side_by_side(random, 3e-5, 3e-5);
    honest += is_cleared_of_caching(fair, its_reference);
    auto [cheat, other_reference] = side_by_side(random, 1.5e-4, 5e-5);
    passed += is_cleared_of_caching(cheat, other_reference)
              && !check_cached_output(cheat, other_reference);
  }
  EXPECT_GE(honest, 480);
  EXPECT_EQ(passed, 0);
}

TEST(timing_rules, on_a_quiet_device_ten_blocks_of_each_kind_tell_who_saves_a_fifth) {
  std::mt19937 random{1};
  std::normal_distribution<double> normal;
  auto leads = [&](double fresh, double repeated) {
    auto result = steady(fresh, repeated, 10, 10);
    for (auto& x : result)
      x.seconds *= std::exp(0.02 * normal(random));
    std::ranges::shuffle(result, random);
    return result;
  };
  int caught = 0;
  int refused = 0;
  int cleared = 0;
  for (int i = 0; i < 1000; ++i) {
    caught += check_leading_calls(leads(1e-3, 0.8e-3), leads(2e-3, 2e-3)).has_value();
    auto fair = leads(1e-3, 1e-3);
    auto reference = leads(2e-3, 2e-3);
    refused += check_leading_calls(fair, reference) || check_cached_output(fair, reference);
    cleared += is_cleared_of_caching(fair, reference);
  }
  EXPECT_GE(caught, 990);
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(cleared, 1000);
}

TEST(timing_rules, too_few_calls_clear_nobody) {
  EXPECT_FALSE(is_cleared_of_caching({}, {}));
  EXPECT_FALSE(is_cleared_of_caching(steady(1e-3, 1e-3, 2, 2), steady(1e-3, 1e-3, 2, 2)));
  EXPECT_FALSE(is_cleared_of_caching(steady(1e-3, 1e-3, 8, 0), steady(1e-3, 1e-3, 8, 0)));
  EXPECT_FALSE(is_cleared_of_caching(steady(1e-3, 1e-3, 5, 10), steady(1e-3, 1e-3, 5, 10)));
  EXPECT_TRUE(is_cleared_of_caching(steady(1e-3, 1e-3, 10, 10), steady(1e-3, 1e-3, 10, 10)));
  EXPECT_TRUE(is_cleared_of_caching(steady(1e-3, 1e-3, 6, 30), steady(1e-3, 1e-3, 6, 30)));
}

TEST(timing_rules, a_small_saving_on_repeated_inputs_shows_in_the_first_calls_of_blocks) {
  auto found = check_leading_calls(steady(1.0e-3, 0.8e-3), steady(1.2e-3, 1.2e-3));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->rule, "cached-output");
  EXPECT_FALSE(check_leading_calls(steady(1.0e-3, 0.95e-3), steady(1.2e-3, 1.2e-3)));
  EXPECT_FALSE(check_leading_calls(steady(1.0e-3, 0.8e-3), steady(1.0e-3, 0.8e-3)))
    << "when the reference shows the same";
}

// Blocks of three calls, of which the first takes a little longer because of its place; `fresh` of
// them begin with never-seen inputs.
calls blocks_of_three(double never_seen, double repeated, double place, int fresh, int others) {
  calls result;
  for (int i = 0; i < fresh + others; ++i)
    result.insert(result.end(), {{place + (i < fresh ? never_seen : repeated), i < fresh},
                                 {repeated, false},
                                 {repeated, false}});
  return result;
}

TEST(timing_rules, who_takes_longer_for_never_seen_inputs_in_long_calls_is_suspect) {
  auto is_suspect = [](double never_seen, double repeated, double reference, int fresh = 8) {
    return is_suspect_of_caching(blocks_of_three(never_seen, repeated, 0, fresh, 0),
                                 blocks_of_three(reference, 4e-3, 0, fresh, 0), 3);
  };
  EXPECT_TRUE(is_suspect(4e-3, 3e-3, 4e-3));
  EXPECT_TRUE(is_suspect(4e-3, 3e-3, 4e-3, 6)) << "large inputs are few";
  EXPECT_FALSE(is_suspect(4e-3, 3e-3, 4e-3, 4));
  EXPECT_FALSE(is_suspect(3.3e-3, 3e-3, 4e-3));
  EXPECT_FALSE(is_suspect(4e-3, 3e-3, 5.5e-3)) << "when the reference shows the same";
  EXPECT_FALSE(is_suspect(0.4e-3, 0.32e-3, 4e-3)) << "that little is anybody's";
  EXPECT_FALSE(is_suspect_of_caching({}, {}, 3));
}

TEST(timing_rules, a_small_saving_on_repeated_inputs_shows_in_long_calls) {
  auto reference = blocks_of_three(9e-3, 9e-3, 0.1e-3, 8, 10);
  auto found = check_long_calls(blocks_of_three(4e-3, 3e-3, 0, 8, 10), reference, 3);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->rule, "cached-output");
  EXPECT_EQ(found->evidence, "at the beginning of a block, beside the rest of it, the answer for "
                             "never-seen inputs took 1.33 times as long as for repeated ones, 1 ms "
                             "more (the reference: 1.00 times)");
  EXPECT_FALSE(check_long_calls(blocks_of_three(1e-3, 1e-3, 0.3e-3, 8, 10), reference, 3))
    << "its place in the block costs a fast candidate more";
  EXPECT_FALSE(check_long_calls(blocks_of_three(4e-3, 3e-3, 0, 8, 4), reference, 3));
  EXPECT_FALSE(check_long_calls({}, {}, 3));
}

// The weather changes from block to block, and each call has noise of its own.
TEST(timing_rules, noise_hides_no_third_of_a_long_call_that_is_saved_on_repeated_inputs) {
  std::mt19937 random{1};
  std::normal_distribution<double> normal;
  auto measure = [&](double never_seen, double repeated, double place) {
    auto result = blocks_of_three(never_seen, repeated, place, 8, 10);
    for (std::size_t i = 0; i < result.size(); i += 3) {
      auto weather = std::exp(0.3 * normal(random));
      for (std::size_t j = i; j < i + 3; ++j)
        result[j].seconds *= weather * std::exp(0.07 * normal(random));
    }
    return result;
  };
  int caught = 0;
  int passed = 0;
  int refused = 0;
  int cleared = 0;
  for (int i = 0; i < 1000; ++i) {
    auto reference = measure(4.5e-3, 4.5e-3, 0);
    auto saves = measure(4.5e-3, 3e-3, 0);
    caught += check_long_calls(saves, reference, 3).has_value();
    passed += is_cleared_of_saving(saves, reference, 3);
    auto honest = measure(3e-3, 3e-3, 0.9e-3);
    refused += check_long_calls(honest, reference, 3).has_value();
    cleared += is_cleared_of_saving(honest, reference, 3);
  }
  EXPECT_GE(caught, 980);
  EXPECT_EQ(passed, 0);
  EXPECT_LE(refused, 1);
  EXPECT_GE(cleared, 950);
}

// With noise of each call's own: the reference's, too, which must not excuse the candidate.
TEST(timing_rules, who_saves_a_third_of_long_calls_is_not_cleared_by_noise) {
  std::mt19937 random{1};
  std::normal_distribution<double> normal;
  auto measure = [&](double never_seen, double repeated) {
    auto result = blocks_of_three(never_seen, repeated, 0, 8, 10);
    for (auto& x : result)
      x.seconds *= std::exp(0.2 * normal(random));
    return result;
  };
  int passed = 0;
  int refused = 0;
  int cleared = 0;
  for (int i = 0; i < 1000; ++i) {
    auto reference = measure(4.5e-3, 4.5e-3);
    auto saves = measure(4.5e-3, 3e-3);
    passed += !check_long_calls(saves, reference, 3) && is_cleared_of_saving(saves, reference, 3);
    auto honest = measure(3e-3, 3e-3);
    refused += check_long_calls(honest, reference, 3).has_value();
    cleared += is_cleared_of_saving(honest, reference, 3);
  }
  EXPECT_LE(passed, 20);
  EXPECT_LE(refused, 2);
  EXPECT_GE(cleared, 700);
}

TEST(timing_rules, who_is_no_suspect_is_cleared_of_saving) {
  auto alone = blocks_of_three(4e-3, 3e-3, 0, 8, 0);
  EXPECT_TRUE(is_cleared_of_saving(alone, alone, 3));
  EXPECT_TRUE(is_cleared_of_saving({}, {}, 3));
  auto both = blocks_of_three(4e-3, 3e-3, 0, 8, 10);
  EXPECT_TRUE(is_cleared_of_saving(both, both, 3)) << "when the reference shows the same";
}

TEST(timing_rules, a_thousand_honest_noisy_candidates_have_honest_first_calls) {
  int refused = 0;
  for (std::uint32_t seed = 1; seed <= 1000; ++seed) {
    noisy_host host{seed};
    auto seconds = host.pick(10e-6, 10e-3);
    auto candidate = host.measure(seconds, seconds, 16, 20);
    auto reference = host.measure(2 * seconds, 2 * seconds, 16, 20);
    refused += check_leading_calls(candidate, reference).has_value();
  }
  EXPECT_EQ(refused, 0);
}

// -- clock-mismatch ------------------------------------------------------------------------

TEST(timing_rules, work_hidden_from_the_marks_is_refused_with_both_clocks) {
  auto found = check_clocks(clocks(5, {5e-3, 50e-3}), clocks(5, {48e-3, 50e-3}));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->rule, "clock-mismatch");
  EXPECT_EQ(found->evidence, "a block that reports 5 ms took 50 ms by the parent's clock: 45 ms "
                             "are unaccounted for, 2 ms with the reference");
}

TEST(timing_rules, time_that_the_reference_hides_too_is_no_evidence) {
  EXPECT_FALSE(check_clocks(clocks(5, {5e-3, 50e-3}), clocks(5, {48e-3, 80e-3})));
}

TEST(timing_rules, single_delayed_replies_and_too_few_blocks_are_no_evidence) {
  auto delayed = clocks(5, {5e-3, 6e-3});
  delayed[1].wall = delayed[4].wall = 1;
  EXPECT_FALSE(check_clocks(delayed, clocks(5, {5e-3, 6e-3})));
  EXPECT_FALSE(check_clocks(clocks(2, {5e-3, 50e-3}), clocks(5, {5e-3, 6e-3})));
}

TEST(timing_rules, a_thousand_honest_noisy_candidates_have_honest_clocks) {
  int refused = 0;
  for (std::uint32_t seed = 1; seed <= 1000; ++seed) {
    noisy_host host{seed};
    auto hidden = host.pick(0.2e-3, 20e-3);
    for (auto [blocks, delayed] : {std::pair{6, 0.01}, std::pair{20, 0.1}}) {
      auto candidate = host.time_blocks(host.pick(10e-6, 10e-3), hidden, blocks, delayed);
      auto reference = host.time_blocks(host.pick(10e-6, 10e-3), hidden, blocks, delayed);
      refused += check_clocks(candidate, reference).has_value();
    }
  }
  EXPECT_EQ(refused, 0);
}

TEST(timing_rules, little_work_hidden_in_every_block_is_found) {
  auto candidate = clocks(40, {0.1e-3, 5.0e-3});
  auto reference = clocks(40, {2.0e-3, 5.6e-3});
  auto found = check_clocks(candidate, reference);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->rule, "clock-mismatch");
  EXPECT_FALSE(check_clocks(clocks(40, {0.1e-3, 3.7e-3}), reference)) << "no more than the reference";
}

TEST(timing_rules, chores_that_a_device_leaves_are_no_hidden_work) {
  auto candidate = clocks(40, {2.0e-3, 8.0e-3});
  auto reference = clocks(40, {2.0e-3, 6.0e-3});
  EXPECT_TRUE(check_clocks(candidate, reference));
  EXPECT_FALSE(check_clocks(candidate, reference, 0.6));
}

// -- background-work -----------------------------------------------------------------------

TEST(timing_rules, processor_time_that_nobody_asked_for_is_refused) {
  auto found = check_background(0.9, 0.5, 1);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->rule, "background-work");
  EXPECT_EQ(found->evidence, "while it was timed its processes used 400 ms of processor time that "
                             "nobody had asked for, within 1e+03 ms");
}

TEST(timing_rules, processor_time_within_its_own_calls_is_its_own) {
  EXPECT_FALSE(check_background(0.5, 0.5, 1));
  EXPECT_FALSE(check_background(0.6, 0.5, 1));
  EXPECT_FALSE(check_background(0.02, 0, 0.01)) << "the kernel counts in ticks";
}

// -- implausible-time ------------------------------------------------------------------------

TEST(timing_rules, times_that_no_call_can_take_are_refused) {
  for (auto bad : {0.0, -1e-3, 50e-9, std::nan(""), HUGE_VAL}) {
    auto found = check_plausible(std::vector{1e-3, bad, 1e-3}, 1);
    ASSERT_TRUE(found) << bad;
    EXPECT_EQ(found->rule, "implausible-time");
    EXPECT_THAT(found->evidence, StartsWith("call 2 reports"));
  }
}

TEST(timing_rules, a_block_cannot_add_up_to_more_than_the_parent_saw) {
  EXPECT_FALSE(check_plausible(std::vector{1e-3, 2e-3}, 3e-3));
  auto found = check_plausible(std::vector{1e-3, 2e-3}, 2e-3);
  ASSERT_TRUE(found);
  EXPECT_THAT(found->evidence, HasSubstr("report 3 ms together"));
}

TEST(timing_rules, the_fastest_honest_call_is_plausible) {
  EXPECT_FALSE(check_plausible(std::vector{0.3e-6, 1e-6}, 1e-3));
}

// -- devices ------------------------------------------------------------------------------

TEST(check_joined, work_that_goes_on_after_the_call_is_refused) {
  std::vector<double> reference(20, 12e-6);
  auto found = check_joined(std::vector<double>(20, 900e-6), reference, 50e-6);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->rule, "unjoined-work");
  EXPECT_NE(found->evidence.find("0.9 ms"), std::string::npos) << found->evidence;
}

TEST(check_joined, a_slower_wait_is_no_offence) {
  std::vector<double> reference(20, 12e-6);
  EXPECT_FALSE(check_joined(std::vector<double>(20, 30e-6), reference, 50e-6));
  EXPECT_FALSE(check_joined(std::vector<double>(20, 100e-6), reference, 1e-3)) << "a tenth of it";
}

TEST(check_joined, one_late_answer_is_no_offence) {
  std::vector<double> reference(20, 12e-6);
  auto candidate = reference;
  candidate[3] = 5e-3;
  EXPECT_FALSE(check_joined(candidate, reference, 50e-6));
}

TEST(check_trace, work_after_the_call_is_refused) {
  auto found = check_trace({5, 1e-3}, 5);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->rule, "late-work");
}

TEST(check_trace, an_answer_without_a_kernel_is_refused_where_the_reference_needs_some) {
  auto found = check_trace({0, 0}, 5);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->rule, "no-device-work");
  EXPECT_FALSE(check_trace({0, 0}, 0)) << "a task that moves no data needs none";
  EXPECT_FALSE(check_trace({1, 0}, 5)) << "fused";
}

// -- the roofline -------------------------------------------------------------------------

TEST(check_roofline, a_call_that_is_faster_than_its_data_is_refused_with_the_numbers) {
  auto found = check_roofline(12e-6, 61e-6, 0.2e9);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->rule, "below-roofline");
  for (auto* part : {"0.012 ms", "0.2 GB", "0.061 ms"})
    EXPECT_NE(found->evidence.find(part), std::string::npos) << found->evidence;
}

TEST(check_roofline, a_call_at_the_bound_is_possible) {
  EXPECT_FALSE(check_roofline(61e-6, 61e-6, 0.2e9));
}

TEST(check_roofline, where_nothing_is_sure_nobody_is_refused) {
  EXPECT_FALSE(check_roofline(1e-9, 0, 0));
}
