#include "gpu/verifier/verifier_pool.hpp"

#include "messages/error.hpp"
#include "tests/gpu/verifier/values_writer.hpp"

#include <ATen/ATen.h>
#include <caf/init_global_meta_objects.hpp>
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include <unistd.h>

using namespace lathe;
using namespace lathe::verifier;
using namespace std::chrono_literals;
using lathe::verifier::test::file_of;
using lathe::verifier::test::to_bytes;
using testing::HasSubstr;

namespace {

auto soon() {
  return std::chrono::steady_clock::now() + 60s;
}

// Returns the only child of this process.
pid_t child() {
  std::ifstream children{"/proc/thread-self/children"};
  pid_t result = -1;
  children >> result;
  return result;
}

// A program that answers any question, but none before there are two of it.
class fake_verifiers {
public:
  fake_verifiers() {
    std::filesystem::create_directory(folder_);
    std::ofstream{program()}
      << "#!/bin/sh\n"
         "PATH=/usr/bin:/bin\n"
         "cd "
           + folder_.string()
           + "\n"
             "touch there.$$\n"
             "while [ -n \"$(dd bs=200000 count=1 <&3 2> /dev/null)\" ]; do\n"
             "  while [ $(ls | grep -c there) -lt 2 ]; do sleep 0.01; done\n"
             "  printf '%s' '{\"ok\": true, \"degenerate\": \"\"}' >&3\n"
             "done\n";
    std::filesystem::permissions(program(), std::filesystem::perms::owner_all);
  }

  fake_verifiers(const fake_verifiers&) = delete;
  fake_verifiers& operator=(const fake_verifiers&) = delete;

  ~fake_verifiers() {
    std::filesystem::remove_all(folder_);
  }

  std::string program() const {
    return folder_ / "verifier";
  }

  std::ptrdiff_t started() const {
    auto files = std::filesystem::directory_iterator{folder_};
    return std::count_if(begin(files), end(files),
                         [](auto& x) { return x.path().filename().string().starts_with("there"); });
  }

private:
  std::filesystem::path folder_ =
    std::filesystem::path{testing::TempDir()} / ("verifiers_" + std::to_string(::getpid()));
};

class verifier_pool_test : public testing::Test {
protected:
  static void SetUpTestSuite() {
    caf::core::init_global_meta_objects();
  }

  auto compare(const unique_fd& got) {
    return verifier.compare({"fp32", 8, expected.get(), correction.get(), got.get()}, soon());
  }

  at::Tensor answer = at::linspace(0, 1, 1000).view({10, 100});
  unique_fd expected = file_of(value{answer});
  unique_fd correction = file_of(value{at::zeros_like(answer)});
  verifier_pool verifier{LATHE_VERIFIER};
};

} // namespace

TEST_F(verifier_pool_test, equal_answers_agree) {
  auto found = compare(file_of(value{answer}));
  ASSERT_TRUE(found) << describe(found.error());
  EXPECT_TRUE(found->agrees);
  EXPECT_EQ(found->precision_class, "fp32");
  EXPECT_EQ(found->error_ratio, 0);
}

TEST_F(verifier_pool_test, a_wrong_answer_comes_back_with_evidence) {
  auto wrong = answer.clone();
  wrong[9].zero_();
  auto found = compare(file_of(value{wrong}));
  ASSERT_TRUE(found) << describe(found.error());
  EXPECT_FALSE(found->agrees);
  EXPECT_THAT(found->evidence, HasSubstr("all in row 9 (the last); all of these are zero"));
  EXPECT_GT(found->error_ratio, 1000);
}

// 80 MB and more: these are read by several threads.
TEST_F(verifier_pool_test, large_answers_are_told_apart_as_small_ones_are) {
  auto large = at::linspace(0, 1, 5 << 20);
  auto wrong = large.clone();
  wrong[4'000'000] = 7;
  auto cut = to_bytes(value{large});
  cut.resize(cut.size() / 2);
  expected = file_of(value{large});
  correction = file_of(value{at::zeros_like(large)});
  auto right = compare(file_of(value{large}));
  ASSERT_TRUE(right) << describe(right.error());
  EXPECT_TRUE(right->agrees);
  auto found = compare(file_of(value{wrong}));
  ASSERT_TRUE(found) << describe(found.error());
  EXPECT_THAT(found->evidence, HasSubstr("[4000000]"));
  auto unreadable = compare(file_of(cut));
  ASSERT_TRUE(unreadable) << describe(unreadable.error());
  EXPECT_THAT(unreadable->evidence, HasSubstr("cannot be read"));
}

TEST_F(verifier_pool_test, an_unreadable_answer_is_a_verdict_and_no_error) {
  auto found = compare(file_of(std::string_view{"not values"}));
  ASSERT_TRUE(found) << describe(found.error());
  EXPECT_FALSE(found->agrees);
  EXPECT_THAT(found->evidence, HasSubstr("cannot be read"));
}

TEST_F(verifier_pool_test, an_unreadable_reference_is_an_error) {
  auto bad = file_of(std::string_view{"not values"});
  auto found = verifier.compare({"fp32", 8, bad.get(), -1, expected.get()}, soon());
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error(), errc::evaluator_failed);
  EXPECT_THAT(describe(found.error()), HasSubstr("the reference's output cannot be read"));
}

TEST_F(verifier_pool_test, an_unknown_policy_is_an_error) {
  auto found = verifier.compare({"exactly", 8, expected.get(), -1, expected.get()}, soon());
  ASSERT_FALSE(found);
  EXPECT_THAT(describe(found.error()), HasSubstr("there is no such policy"));
}

TEST_F(verifier_pool_test, the_float64_run_may_be_missing) {
  auto found = verifier.compare({"fp32", 8, expected.get(), -1, expected.get()}, soon());
  ASSERT_TRUE(found) << describe(found.error());
  EXPECT_TRUE(found->agrees);
}

TEST_F(verifier_pool_test, audits_name_degenerate_tasks) {
  auto zeros = file_of(value{at::zeros({8})});
  std::array same{zeros.get(), zeros.get()};
  EXPECT_EQ(*verifier.audit("fp32", same, soon()), "an answer of zeros passes");
  auto other = file_of(value{answer.square()});
  std::array different{expected.get(), other.get()};
  EXPECT_EQ(*verifier.audit("fp32", different, soon()), "");
  auto tried = verifier.try_trivial_answers("fp32", same, soon());
  ASSERT_TRUE(tried);
  ASSERT_FALSE(tried->empty());
  EXPECT_EQ(tried->front().name, "zeros");
  EXPECT_EQ(tried->front().passes, true);
}

TEST_F(verifier_pool_test, a_verifier_that_died_is_started_again) {
  ASSERT_TRUE(compare(file_of(value{answer})));
  auto first = child();
  ASSERT_GT(first, 0);
  ASSERT_EQ(::kill(first, SIGKILL), 0);
  auto found = compare(file_of(value{answer}));
  ASSERT_TRUE(found) << describe(found.error());
  EXPECT_TRUE(found->agrees);
  EXPECT_NE(child(), first);
}

TEST_F(verifier_pool_test, a_verifier_that_does_not_answer_is_ended_at_the_deadline) {
  ASSERT_TRUE(compare(file_of(value{answer})));
  ASSERT_EQ(::kill(child(), SIGSTOP), 0);
  auto late = verifier.compare({"fp32", 8, expected.get(), correction.get(), expected.get()},
                               std::chrono::steady_clock::now() + 50ms);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error(), errc::timed_out);
  auto next = compare(file_of(value{answer}));
  ASSERT_TRUE(next) << describe(next.error());
  EXPECT_TRUE(next->agrees);
}

TEST_F(verifier_pool_test, a_verifier_that_is_not_there_is_an_error) {
  verifier_pool missing{"/nowhere/lathe-verifier"};
  auto found = missing.compare({"fp32", 8, expected.get(), -1, expected.get()}, soon());
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error(), errc::environment_error);
  EXPECT_THAT(describe(found.error()), HasSubstr("cannot start /nowhere/lathe-verifier"));
}

TEST_F(verifier_pool_test, a_program_that_is_no_verifier_is_an_error) {
  verifier_pool other{"/bin/true"};
  auto found = other.compare({"fp32", 8, expected.get(), -1, expected.get()}, soon());
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error(), errc::evaluator_failed);
}

TEST_F(verifier_pool_test, any_thread_may_ask) {
  std::atomic<int> right = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      auto mine = file_of(value{i % 2 == 0 ? answer : answer + 1});
      for (int round = 0; round < 20; ++round)
        if (auto found = compare(mine); found && found->agrees == (i % 2 == 0))
          ++right;
    });
  threads.clear();
  EXPECT_EQ(right, 80);
}

// Each says that it is there, and answers once two are.
TEST_F(verifier_pool_test, as_many_questions_are_answered_at_once_as_there_may_be_processes) {
  fake_verifiers fakes;
  std::atomic<int> answered = 0;
  {
    verifier_pool two{fakes.program(), 2};
    std::vector<std::jthread> threads;
    for (int i = 0; i < 6; ++i)
      threads.emplace_back([&] {
        if (two.audit("fp32", {}, soon()))
          ++answered;
      });
  }
  EXPECT_EQ(answered, 6);
  EXPECT_EQ(fakes.started(), 2);
}

TEST_F(verifier_pool_test, all_may_be_started_before_anybody_asks) {
  fake_verifiers fakes;
  {
    verifier_pool two{fakes.program(), 2};
    two.start();
    two.start(); // there are enough
    EXPECT_TRUE(two.audit("fp32", {}, soon()));
  }
  EXPECT_EQ(fakes.started(), 2);
}

TEST_F(verifier_pool_test, nobody_waits_for_those_who_are_being_started_and_not_needed) {
  fake_verifiers fakes;
  std::ofstream{fakes.program(), std::ios::trunc} << "#!/bin/sh\nexec /bin/sleep 3600\n";
  auto began = std::chrono::steady_clock::now();
  {
    verifier_pool two{fakes.program(), 2};
    two.start();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - began, 30s) << "half of what a start may take";
}

TEST_F(verifier_pool_test, who_was_started_ahead_compares_as_others_do) {
  verifier.start();
  auto found = compare(file_of(value{answer}));
  ASSERT_TRUE(found) << describe(found.error());
  EXPECT_TRUE(found->agrees);
}

TEST_F(verifier_pool_test, a_verifier_that_cannot_be_started_ahead_is_an_error_when_it_is_asked) {
  verifier_pool absent{"/nonexistent/lathe-verifier"};
  absent.start();
  EXPECT_FALSE(absent.audit("fp32", {}, soon()));
}

TEST_F(verifier_pool_test, descriptors_do_not_pile_up) {
  auto count = [] {
    auto files = std::filesystem::directory_iterator{"/proc/" + std::to_string(child()) + "/fd"};
    return std::distance(begin(files), end(files));
  };
  ASSERT_TRUE(compare(file_of(value{answer})));
  auto before = count();
  for (int round = 0; round < 10; ++round)
    ASSERT_TRUE(compare(file_of(value{answer})));
  EXPECT_EQ(count(), before);
}
