#include "gpu/processes/cgroup.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace fs = std::filesystem;

using namespace lathe::gpu;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace {

constexpr auto unified_host = "24 31 0:22 / /proc rw,nosuid shared:12 - proc proc rw\n"
                              "35 25 0:29 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime "
                              "shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n";

constexpr auto hybrid_host =
  "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
  "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
  "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

constexpr auto old_host = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";

std::string text_of(const fs::path& file) {
  std::ifstream in{file};
  return {std::istreambuf_iterator<char>{in}, {}};
}

// Folders with the files that decide, as the kernel would show them.
class cgroup_places : public testing::Test {
protected:
  cgroup_places() {
    auto pattern = testing::TempDir() + "cgroup-XXXXXX";
    top = ::mkdtemp(pattern.data());
  }

  ~cgroup_places() override {
    fs::remove_all(top);
  }

  fs::path group(const fs::path& path, const std::string& available, const std::string& enabled,
                 const std::string& processes) {
    auto folder = top / path;
    fs::create_directories(folder);
    std::ofstream{folder / "cgroup.type"} << "domain\n";
    std::ofstream{folder / "cgroup.controllers"} << available << '\n';
    std::ofstream{folder / "cgroup.subtree_control"} << enabled << '\n';
    std::ofstream{folder / "cgroup.procs"} << processes;
    return folder;
  }

  fs::path top;
};

// A group in the real hierarchy, where this host has one.
class cgroups : public testing::Test {
protected:
  void SetUp() override {
    if (own_cgroup_place().folder.empty())
      GTEST_SKIP() << "this host lets nobody make control groups";
    group = cgroup::make(own_cgroup_place(), {1ull << 30, 100});
    ASSERT_TRUE(group);
  }

  // Starts a process that leaves the process group and turns in circles.
  pid_t start_inside() const {
    auto pid = ::fork();
    if (pid == 0) {
      ::setsid();
      std::ofstream{group->folder() / "cgroup.procs"} << "0";
      for (;;)
        continue;
    }
    while (text_of(group->folder() / "cgroup.procs").empty())
      std::this_thread::yield();
    return pid;
  }

  bool is_frozen() const {
    return text_of(group->folder() / "cgroup.events").find("frozen 1") != std::string::npos;
  }

  std::unique_ptr<cgroup> group;
};

} // namespace

// -- texts of several hosts -----------------------------------------------------------------

TEST(groups_around_a_process, go_from_its_own_to_the_top_of_the_hierarchy) {
  EXPECT_THAT(groups_around("0::/user.slice/user-0.slice/session-1.scope\n", unified_host),
              ElementsAre("/sys/fs/cgroup/user.slice/user-0.slice/session-1.scope",
                          "/sys/fs/cgroup/user.slice/user-0.slice", "/sys/fs/cgroup/user.slice",
                          "/sys/fs/cgroup"));
  EXPECT_THAT(groups_around("0::/\n", unified_host), ElementsAre("/sys/fs/cgroup"));
}

TEST(groups_around_a_process, are_found_beside_the_old_hierarchies) {
  EXPECT_THAT(groups_around("4:memory:/x\n1:cpu:/\n0::/y\n", hybrid_host),
              ElementsAre("/sys/fs/cgroup/unified/y", "/sys/fs/cgroup/unified"));
}

TEST(groups_around_a_process, are_none_where_there_is_only_the_old_kind) {
  EXPECT_THAT(groups_around("4:memory:/x\n", old_host), IsEmpty());
  EXPECT_THAT(groups_around("4:memory:/x\n0::/\n", old_host), IsEmpty());
  EXPECT_THAT(groups_around("4:memory:/x\n", hybrid_host), IsEmpty());
}

TEST(groups_around_a_process, follow_what_a_container_sees_of_the_hierarchy) {
  constexpr auto part = "35 25 0:29 /docker/abc /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n";
  EXPECT_THAT(groups_around("0::/docker/abc/job\n", part),
              ElementsAre("/sys/fs/cgroup/job", "/sys/fs/cgroup"));
  EXPECT_THAT(groups_around("0::/docker/abc\n", part), ElementsAre("/sys/fs/cgroup"));
  EXPECT_THAT(groups_around("0::/docker/other\n", part), IsEmpty());
  EXPECT_THAT(groups_around("0::/../other\n", unified_host), IsEmpty());
}

TEST(groups_around_a_process, survive_odd_names_and_broken_lines) {
  constexpr auto odd = "nonsense\n\n1 2 - cgroup2\n"
                       R"(35 25 0:29 / /sys/my\040groups rw shared:9 master:1 - cgroup2 none rw)";
  EXPECT_THAT(groups_around("0::/a b:c\n", odd),
              ElementsAre("/sys/my groups/a b:c", "/sys/my groups"));
  EXPECT_THAT(groups_around("", unified_host), IsEmpty());
  EXPECT_THAT(groups_around("0::\n", unified_host), IsEmpty());
  EXPECT_THAT(groups_around("0::/x\n", ""), IsEmpty());
}

// -- choosing a place -------------------------------------------------------------------------

TEST_F(cgroup_places, the_nearest_group_that_hands_its_controllers_on_is_taken) {
  auto slice = group("slice", "cpu memory pids", "memory pids", "");
  auto scope = group("slice/scope", "memory pids", "", "10\n77\n");
  auto place = find_cgroup_place({scope, slice, top}, 77);
  EXPECT_EQ(place.folder, slice);
  EXPECT_TRUE(place.limits);
  EXPECT_EQ(text_of(scope / "cgroup.subtree_control"), "\n") << "others live there";
}

TEST_F(cgroup_places, a_group_that_is_ours_alone_is_made_one_that_hands_them_on) {
  auto scope = group("scope", "memory pids", "", "77\n");
  group("scope/lathe-77-self", "", "", "");
  auto place = find_cgroup_place({scope}, 77);
  EXPECT_EQ(place.folder, scope);
  EXPECT_TRUE(place.limits);
  EXPECT_EQ(text_of(scope / "lathe-77-self/cgroup.procs"), "77");
  EXPECT_THAT(text_of(scope / "cgroup.subtree_control"), HasSubstr("+memory +pids"));
}

TEST_F(cgroup_places, without_controllers_groups_still_freeze_and_kill) {
  auto root = group("root", "hugetlb", "", "1\n77\n");
  auto place = find_cgroup_place({root}, 77);
  EXPECT_EQ(place.folder, root);
  EXPECT_FALSE(place.limits);
  auto one = group("one", "memory", "memory", "");
  EXPECT_FALSE(find_cgroup_place({one}, 77).limits) << "processes could not be limited";
}

TEST_F(cgroup_places, there_is_none_where_nothing_may_be_written) {
  EXPECT_TRUE(find_cgroup_place({top / "not-there"}, 77).folder.empty());
  EXPECT_TRUE(find_cgroup_place({}, 77).folder.empty());
  EXPECT_FALSE(cgroup::make({}, {}));
}

TEST_F(cgroup_places, what_dead_makers_left_is_removed_and_nothing_else) {
  auto gone = ::fork();
  if (gone == 0)
    ::_exit(0);
  ::waitpid(gone, nullptr, 0);
  auto name = [](pid_t pid) { return "lathe-" + std::to_string(pid) + "-1"; };
  for (auto& folder : {name(gone), name(::getpid()), std::string{"lathe-x"}, std::string{"other"}})
    fs::create_directories(top / folder);
  remove_stale_cgroups(top);
  EXPECT_FALSE(fs::exists(top / name(gone)));
  EXPECT_TRUE(fs::exists(top / name(::getpid())));
  EXPECT_TRUE(fs::exists(top / "lathe-x"));
  EXPECT_TRUE(fs::exists(top / "other"));
}

// -- real groups ------------------------------------------------------------------------------

TEST_F(cgroups, stop_what_left_its_process_group_and_let_it_go_on) {
  auto pid = start_inside();
  EXPECT_FALSE(is_frozen());
  group->freeze();
  while (!is_frozen())
    std::this_thread::yield();
  ::kill(pid, SIGCONT);
  EXPECT_TRUE(is_frozen()) << "no signal ends it";
  group->thaw();
  while (is_frozen())
    std::this_thread::yield();
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

TEST_F(cgroups, take_what_is_in_them_along_when_they_go) {
  auto pid = start_inside();
  auto folder = group->folder();
  group->freeze();
  group.reset();
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_FALSE(fs::exists(folder));
}

TEST_F(cgroups, have_their_limits_where_the_host_has_controllers) {
  EXPECT_EQ(group->is_limited(), own_cgroup_place().limits);
  EXPECT_FALSE(group->ran_out_of_memory());
  if (!group->is_limited())
    GTEST_SKIP() << "this host gives no controllers for memory and processes";
  EXPECT_EQ(text_of(group->folder() / "memory.max"), "1073741824\n");
  EXPECT_EQ(text_of(group->folder() / "pids.max"), "100\n");
}
