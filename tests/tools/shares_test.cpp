#include "tools/lathe/judging/shares.hpp"

#include "messages/error.hpp"
#include "tests/tools/judging_rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

using namespace lathe;
using namespace lathe::judging;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

// Three tasks with two candidates each, on devices that say where a candidate was judged.
class shares : public testing::Test {
protected:
  shares() {
    work.jobs = 4;
    work.judges.emplace_back();
    for (auto name : {"a", "b", "c"}) {
      task subject;
      subject.name = name;
      work.tasks.push_back(subject);
      for (auto number : {"1", "2"})
        work.entries.push_back({work.tasks.size() - 1, std::string{name} + number, "", {}});
    }
    work.warn = [this](const std::string& line) { warnings.push_back(line); };
  }

  void judge(std::size_t device, const batch& share, const std::function<void(const row&)>& tell) {
    for (auto& entry : share.entries) {
      auto x = row_of(share.tasks.at(entry.task).name, device, entry.candidate);
      jobs.store(share.jobs);
      tell(x);
    }
  }

  row row_of(const std::string& task, std::size_t device, const std::string& candidate) {
    std::lock_guard guard{mutex};
    auto name = "cuda:" + std::to_string(device);
    auto result = judging::test::row_of(candidate, {judging::test::failed(outcome::correct)});
    result.task = task + " on " + name;
    if (breaks_at[device] == candidate)
      lost.insert(device);
    if (lost.contains(device))
      result.judgements.front().problem = make_error(errc::device_lost, name + " is gone");
    return result;
  }

  // "a on cuda:0", or the problem, by row.
  std::vector<std::string> judge_all(std::size_t devices) {
    std::vector<std::string> told;
    auto rows = judge_in_shares(
      work, devices,
      [this](std::size_t device, const batch& share, const std::function<void(const row&)>& tell) {
        judge(device, share, tell);
      },
      [&](const row& x) { told.push_back(x.candidate); });
    EXPECT_THAT(told, ElementsAre("a1", "a2", "b1", "b2", "c1", "c2"));
    std::vector<std::string> result;
    for (auto& x : rows) {
      auto& problem = x.judgements.front().problem;
      result.push_back(problem ? describe(problem) : x.task);
    }
    return result;
  }

  batch work;
  std::mutex mutex; // guards the next two
  std::map<std::size_t, std::string> breaks_at;
  std::set<std::size_t> lost;
  std::atomic<std::size_t> jobs = 0;
  std::vector<std::string> warnings;
};

TEST_F(shares, keep_all_candidates_of_a_task_on_one_device) {
  EXPECT_THAT(judge_all(2), ElementsAre("a on cuda:0", "a on cuda:0", "b on cuda:1", "b on cuda:1",
                                        "c on cuda:0", "c on cuda:0"));
  EXPECT_EQ(jobs, 2U);
  EXPECT_THAT(warnings, IsEmpty());
}

TEST_F(shares, are_fewer_than_devices_when_there_are_fewer_tasks) {
  EXPECT_THAT(judge_all(5), ElementsAre("a on cuda:0", "a on cuda:0", "b on cuda:1", "b on cuda:1",
                                        "c on cuda:2", "c on cuda:2"));
}

TEST_F(shares, of_a_lost_device_go_on_on_the_others) {
  breaks_at[0] = "a2";
  EXPECT_THAT(judge_all(3), ElementsAre("a on cuda:0", "a on cuda:1", "b on cuda:1", "b on cuda:1",
                                        "c on cuda:2", "c on cuda:2"));
  EXPECT_THAT(warnings, ElementsAre("1 candidate goes on on the devices that are left"));
}

TEST_F(shares, follow_their_task_from_one_lost_device_to_the_next) {
  breaks_at[0] = "a1";
  breaks_at[1] = "a2";
  EXPECT_THAT(judge_all(3), ElementsAre("a on cuda:1", "a on cuda:2", "b on cuda:1", "b on cuda:1",
                                        "c on cuda:2", "c on cuda:2"));
}

TEST_F(shares, have_the_loss_for_their_problem_when_no_device_is_left) {
  breaks_at[0] = "a1";
  breaks_at[1] = "a2";
  EXPECT_THAT(judge_all(2), ElementsAre("a on cuda:1", "cuda:1 is gone", "b on cuda:1",
                                        "b on cuda:1", "cuda:1 is gone", "cuda:1 is gone"));
  EXPECT_THAT(warnings, ElementsAre("4 candidates go on on the device that is left"));
}

} // namespace
