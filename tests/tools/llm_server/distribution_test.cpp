#include "tools/llm_server/distribution.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

using namespace lathe::llm_server;
using namespace std::chrono_literals;

namespace {

// Sorted, [microseconds].
std::vector<double> samples(std::string_view text) {
  auto times = distribution::parse(text);
  EXPECT_TRUE(times) << text;
  random_source random{1};
  std::vector<double> result(20'000);
  for (auto& x : result)
    x = static_cast<double>(times->sample(random).count());
  std::sort(result.begin(), result.end());
  return result;
}

double mean(const std::vector<double>& x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

} // namespace

TEST(distribution, durations_have_a_unit) {
  EXPECT_EQ(*parse_duration("50ms"), 50ms);
  EXPECT_EQ(*parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(*parse_duration("100us"), 100us);
  EXPECT_EQ(*parse_duration("2m"), 2min);
  EXPECT_EQ(*parse_duration("0"), 0ms);
}

TEST(distribution, what_is_no_time_is_refused) {
  for (auto text : {"", "50", "ms", "-1ms", "1h", "1..5s", "inf", "nan", "1e9s", "2000m", " 1ms"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(distribution, what_is_no_distribution_is_refused) {
  for (auto text :
       {"", "uniform", "uniform:1ms", "uniform:2ms:1ms", "uniform:1ms:2ms:3ms", "gauss:1ms",
        "exponential", "exponential:1ms:1ms", "lognormal:1ms", "lognormal:1ms:x",
        "lognormal:1ms:-1", "lognormal:1ms:nan", "1ms:2ms", ":", "::"})
    EXPECT_FALSE(distribution::parse(text)) << text;
}

TEST(distribution, the_sentence_says_what_would_be_right) {
  EXPECT_EQ(distribution::parse("fast").error().sentence,
            "'fast' is no time and none of uniform:LEAST:MOST, exponential:MEAN and "
            "lognormal:MEDIAN:SIGMA");
}

TEST(distribution, a_duration_is_always_the_same) {
  auto found = samples("50ms");
  EXPECT_EQ(found.front(), 50'000);
  EXPECT_EQ(found.back(), 50'000);
}

TEST(distribution, a_uniform_one_fills_its_range) {
  auto found = samples("uniform:10ms:90ms");
  EXPECT_GE(found.front(), 10'000);
  EXPECT_LE(found.back(), 90'000);
  EXPECT_NEAR(mean(found), 50'000, 1'000);
}

TEST(distribution, an_exponential_one_has_its_mean) {
  auto found = samples("exponential:50ms");
  EXPECT_NEAR(mean(found), 50'000, 2'000);
  EXPECT_NEAR(found[found.size() / 2], 50'000 * 0.693, 2'000);
}

TEST(distribution, a_lognormal_one_has_its_median) {
  auto found = samples("lognormal:400ms:0.5");
  EXPECT_NEAR(found[found.size() / 2], 400'000, 10'000);
  EXPECT_NEAR(mean(found), 400'000 * 1.133, 10'000);
}

TEST(distribution, no_time_is_longer_than_a_day) {
  EXPECT_LE(samples("lognormal:1000m:10").back(), 86'400e6);
}
