#include "gpu/device_probe.hpp"

#include <gtest/gtest.h>

#include <map>

using namespace lathe;
using gpu::gpu_process;

namespace {

constexpr pid_t ours = 100;

// Live processes and their groups, as this machine sees them.
const std::map<pid_t, pid_t> live = {{101, ours}, {205, 200}};

std::vector<pid_t> left(std::vector<gpu_process> listed) {
  auto group = [](pid_t pid) {
    auto i = live.find(pid);
    return i == live.end() ? std::nullopt : std::optional{i->second};
  };
  std::vector<pid_t> result;
  for (auto& x : gpu::left_behind(std::move(listed), ours, group))
    result.push_back(x.pid);
  return result;
}

} // namespace

TEST(device_probe, a_listed_process_that_is_gone_has_left_memory_behind) {
  EXPECT_EQ(left({{101, 5}, {303, 7}}), std::vector<pid_t>{303});
}

TEST(device_probe, processes_that_live_may_hold_memory) {
  EXPECT_TRUE(left({{101, 5}, {205, 7}}).empty());
}

TEST(device_probe, numbers_of_another_namespace_say_nothing) {
  EXPECT_TRUE(left({{9001, 5}, {9002, 7}}).empty()) << "ours is not among them";
  EXPECT_TRUE(left({{9001, 5}, {205, 7}}).empty()) << "a number may be somebody's by chance";
  EXPECT_TRUE(left({{101, 5}, {0, 7}}).empty()) << "no number at all";
  EXPECT_TRUE(left({}).empty());
}
