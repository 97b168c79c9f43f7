#include "llm_clients/provider.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

using namespace lathe;
using namespace lathe::llm_clients;

TEST(completion, the_first_reply_counts) {
  std::vector<reply> got;
  {
    completion done{[&](reply x) { got.push_back(std::move(x)); }};
    auto copy = done;
    llm_answer answer;
    answer.text = "first";
    copy(answer);
    done(failure{});
  }
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(std::get<llm_answer>(got[0]).text, "first");
}

TEST(completion, dropped_without_a_reply_it_gives_a_failure_that_can_be_retried) {
  std::vector<reply> got;
  auto done = std::make_optional<completion>([&](reply x) { got.push_back(std::move(x)); });
  auto copy = done;
  done.reset();
  EXPECT_TRUE(got.empty());
  copy.reset();
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(std::get<failure>(got[0]).kind, failure_kind::retry);
}

TEST(completion, of_many_threads_one_is_heard) {
  std::atomic<int> heard = 0;
  completion done{[&](reply) { ++heard; }};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([done] { done(failure{}); });
  for (auto& x : threads)
    x.join();
  EXPECT_EQ(heard, 1);
}
