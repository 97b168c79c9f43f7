#include "gpu/processes/process_group.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace lathe::gpu::testing {

TEST(process_group, a_process_may_have_any_name) {
  auto stat = parse_stat("12 (a) b (c) S 1 34 34 0 -1 4194560 1 2 3 4 100 50 30 20 20 0 1 0 99");
  EXPECT_EQ(stat.state, 'S');
  EXPECT_EQ(stat.parent, 1);
  EXPECT_EQ(stat.group, 34);
  EXPECT_EQ(stat.started, 99);
  EXPECT_EQ(stat.page_faults, 10u);
  EXPECT_DOUBLE_EQ(stat.cpu_seconds, 200.0 / static_cast<double>(::sysconf(_SC_CLK_TCK)));
}

TEST(process_group, a_line_that_is_none_belongs_to_no_group) {
  EXPECT_EQ(parse_stat("").group, 0);
  EXPECT_EQ(parse_stat("12 (x)").group, 0);
}

TEST(process_group, a_process_that_only_waits_to_be_reaped_is_not_alive) {
  EXPECT_EQ(live_group(::getpid()), ::getpgrp());
  auto child = ::fork();
  if (child == 0)
    ::_exit(0);
  siginfo_t ended{};
  ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT);
  EXPECT_FALSE(live_group(child)) << "a zombie";
  ::waitpid(child, nullptr, 0);
  EXPECT_FALSE(live_group(child));
}

TEST(process_group, counts_the_time_of_all_members) {
  auto child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    for (volatile bool busy = true; busy;)
      continue;
  }
  ::setpgid(child, child);
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  double seen = 0;
  while (seen < 0.05 && std::chrono::steady_clock::now() < deadline)
    seen = group_cpu_seconds(child);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_GE(seen, 0.05);
  EXPECT_EQ(group_cpu_seconds(child), 0);
}

namespace {

// How far ahead of others a thread is: 0 of most, 20 at the most without real-time.
int lead_of(pid_t thread) {
  sched_param order{};
  if (::sched_getparam(thread, &order) == 0 && order.sched_priority > 0)
    return 20 + order.sched_priority;
  return -::getpriority(PRIO_PROCESS, static_cast<id_t>(thread));
}

std::vector<int> allowed_cpus() {
  std::vector<int> result;
  cpu_set_t allowed;
  ::sched_getaffinity(0, sizeof(allowed), &allowed);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &allowed))
      result.push_back(cpu);
  return result;
}

void bind(pid_t thread, const std::vector<int>& cpus) {
  cpu_set_t wanted;
  CPU_ZERO(&wanted);
  for (auto cpu : cpus)
    CPU_SET(static_cast<std::size_t>(cpu), &wanted);
  ::sched_setaffinity(thread, sizeof(wanted), &wanted);
}

int processors_of(pid_t thread) {
  cpu_set_t allowed;
  return ::sched_getaffinity(thread, sizeof(allowed), &allowed) == 0 ? CPU_COUNT(&allowed) : 0;
}

} // namespace

TEST(process_group, is_favoured_for_a_while) {
  auto child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    ::pause();
    ::_exit(0);
  }
  ::setpgid(child, child);
  cpu_set_t before;
  cpu_set_t during;
  ::sched_getaffinity(child, sizeof(before), &before);
  int first = 0;
  while (!CPU_ISSET(static_cast<std::size_t>(first), &before))
    ++first;
  {
    const std::vector<int> cpus{first};
    favoured_group favoured{child, cpus};
    ::sched_getaffinity(child, sizeof(during), &during);
    EXPECT_EQ(CPU_COUNT(&during), 1);
    EXPECT_TRUE(CPU_ISSET(static_cast<std::size_t>(first), &during));
    if (::geteuid() == 0) {
      EXPECT_GE(lead_of(child), 20);
      EXPECT_NE(::sched_getscheduler(child) & SCHED_RESET_ON_FORK, 0);
    }
    int last = CPU_SETSIZE - 1;
    while (!CPU_ISSET(static_cast<std::size_t>(last), &before))
      --last;
    favoured.move(std::vector<int>{last});
    ::sched_getaffinity(child, sizeof(during), &during);
    EXPECT_EQ(CPU_COUNT(&during), 1);
    EXPECT_TRUE(CPU_ISSET(static_cast<std::size_t>(last), &during));
    if (::geteuid() == 0) {
      EXPECT_GE(lead_of(child), 20) << "it is still ahead";
    }
  }
  ::sched_getaffinity(child, sizeof(during), &during);
  EXPECT_TRUE(CPU_EQUAL(&before, &during));
  EXPECT_EQ(::sched_getscheduler(child), SCHED_OTHER);
  EXPECT_EQ(lead_of(child), lead_of(0));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST(process_group, who_answers_for_it_goes_ahead_of_all_that_it_has_begun) {
  if (::geteuid() != 0)
    GTEST_SKIP() << "only root may say who goes ahead";
  constexpr int generations = 4; // guard, init, worker, and a process that the worker forked
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  auto leader = ::fork();
  if (leader == 0) {
    ::setpgid(0, 0);
    for (int i = 0; i < generations; ++i) {
      auto self = ::getpid();
      [[maybe_unused]] auto told = ::write(ends[1], &self, sizeof(self));
      if (i + 1 == generations || ::fork() != 0)
        break;
    }
    ::pause();
    ::_exit(0);
  }
  std::vector<pid_t> family(generations);
  for (auto& pid : family)
    ASSERT_EQ(::read(ends[0], &pid, sizeof(pid)), static_cast<ssize_t>(sizeof(pid)));
  {
    favoured_group favoured{leader, std::vector<int>{::sched_getcpu()}};
    EXPECT_GT(lead_of(family[2]), lead_of(family[3]));
    EXPECT_GT(lead_of(family[3]), lead_of(0));
    {
      const unbound_thread unbound{leader, allowed_cpus()};
      EXPECT_EQ(processors_of(family[2]), processors_of(0)); // who answers
      EXPECT_EQ(processors_of(family[3]), 1);
      bind(family[3], allowed_cpus()); // as one that it makes meanwhile would be
    }
    EXPECT_EQ(processors_of(family[2]), 1);
    EXPECT_EQ(processors_of(family[3]), 1);
  }
  EXPECT_EQ(lead_of(family[2]), lead_of(0));
  ::kill(-leader, SIGKILL);
  ::waitpid(leader, nullptr, 0);
  ::close(ends[0]);
  ::close(ends[1]);
}

} // namespace lathe::gpu::testing
