#include "gpu/host_memory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace fs = std::filesystem;

namespace lathe::gpu::testing {

namespace {

constexpr std::uint64_t mebibyte = 1 << 20;

// A control group's folder.
class group_folder : public ::testing::Test {
protected:
  fs::path group = fs::path{::testing::TempDir()}
                   / ::testing::UnitTest::GetInstance()->current_test_info()->name();
  host_memory machine{1000 * mebibyte, 900 * mebibyte};

  void SetUp() override {
    fs::create_directories(group);
  }

  void TearDown() override {
    fs::remove_all(group);
  }

  void write(const char* file, const std::string& text) {
    std::ofstream{group / file} << text << '\n';
  }

  host_memory limited() {
    const fs::path around = group / "none";
    return within(machine, std::vector{around, group});
  }
};

std::string size_in_bytes(std::uint64_t mebibytes) {
  return std::to_string(mebibytes * mebibyte);
}

} // namespace

TEST(host_memory, is_read_as_the_kernel_writes_it) {
  auto found = parse_host_memory("MemTotal:       24605084 kB\nMemFree:         1000 kB\n"
                                 "MemAvailable:   20000000 kB\n");
  EXPECT_EQ(found.total, 24605084ull << 10);
  EXPECT_EQ(found.available, 20000000ull << 10);
  EXPECT_FALSE(found.is_short());
}

TEST(host_memory, is_short_when_little_is_left) {
  EXPECT_TRUE(parse_host_memory("MemTotal: 100 kB\nMemAvailable: 24 kB").is_short());
  EXPECT_FALSE(parse_host_memory("MemTotal: 100 kB\nMemAvailable: 25 kB").is_short());
}

TEST(host_memory, holds_what_leaves_enough_for_processes) {
  host_memory machine{1000, 10}; // what is in use now may be given back
  EXPECT_TRUE(machine.can_hold(700));
  EXPECT_FALSE(machine.can_hold(701));
}

TEST(host_memory, nothing_known_is_nothing_short) {
  EXPECT_TRUE(parse_host_memory("").can_hold(1'000'000'000'000));
  EXPECT_FALSE(parse_host_memory("").is_short());
  EXPECT_FALSE(parse_host_memory("MemTotalled: 5 kB\nMemAvailable").is_short());
}

TEST(host_memory, of_this_host_is_known) {
  auto found = measure_host_memory();
  EXPECT_GT(found.available, 0u);
  EXPECT_GE(found.total, found.available);
}

TEST(host_memory, walks_through_control_groups_of_both_versions) {
  using ::testing::ElementsAre;
  EXPECT_THAT(control_groups("0::/a/b\n", "memory", "/g"), ElementsAre("/g/a/b", "/g/a", "/g"));
  EXPECT_THAT(control_groups("0::/\n", "memory", "/g"), ElementsAre("/g"));
  EXPECT_THAT(control_groups("4:memory:/x\n2:cpu,cpuacct:/y\n", "memory", "/g"),
              ElementsAre("/g/memory/x", "/g/memory"));
  EXPECT_THAT(control_groups("nonsense", "memory", "/g"), ::testing::IsEmpty());
}

TEST_F(group_folder, without_a_limit_leaves_all) {
  write("memory.max", "max");
  write("memory.current", size_in_bytes(50));
  write("memory.limit_in_bytes", "9223372036854771712"); // what v1 says
  EXPECT_EQ(limited().total, machine.total);
  EXPECT_EQ(limited().available, machine.available);
}

TEST_F(group_folder, leaves_what_it_does_not_hold_itself) {
  write("memory.max", size_in_bytes(400));
  write("memory.current", size_in_bytes(150));
  write("memory.stat", "anon 1\ninactive_file_pages 7\ninactive_file " + size_in_bytes(30)
                         + "\nactive_file " + size_in_bytes(10));
  EXPECT_EQ(limited().total, 400 * mebibyte);
  EXPECT_EQ(limited().available, 290 * mebibyte) << "files could be read again";
  write("memory.current", size_in_bytes(500));
  EXPECT_EQ(limited().available, 0u);
}

TEST_F(group_folder, above_which_it_is_slowed_down_leaves_what_is_below_that) {
  write("memory.max", size_in_bytes(400));
  write("memory.high", size_in_bytes(300));
  write("memory.current", size_in_bytes(100));
  EXPECT_EQ(limited().total, 300 * mebibyte);
  EXPECT_EQ(limited().available, 200 * mebibyte);
}

TEST_F(group_folder, of_the_first_version_is_read_too) {
  write("memory.limit_in_bytes", size_in_bytes(400));
  write("memory.usage_in_bytes", size_in_bytes(150));
  write("memory.stat", "inactive_file 1\ntotal_inactive_file " + size_in_bytes(50));
  EXPECT_EQ(limited().available, 300 * mebibyte);
}

TEST_F(group_folder, with_more_than_the_machine_has_left_leaves_that) {
  write("memory.max", size_in_bytes(950));
  EXPECT_EQ(limited().total, 950 * mebibyte);
  EXPECT_EQ(limited().available, 900 * mebibyte);
}

} // namespace lathe::gpu::testing
