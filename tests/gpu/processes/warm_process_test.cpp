#include "tests/gpu/processes/process_fixture.hpp"

#include <gmock/gmock.h>

#include <array>
#include <csignal>
#include <thread>

namespace lathe::gpu::testing {

using std::chrono::steady_clock;
using ::testing::HasSubstr;

class warm_process : public process_fixture {};

TEST_F(warm_process, knows_its_versions) {
  EXPECT_THAT(warm->python_version(), HasSubstr("3."));
  EXPECT_THAT(warm->torch_version(), HasSubstr("."));
}

TEST_F(warm_process, makes_workers_for_several_threads_at_once) {
  std::vector<std::thread> threads;
  std::array<bool, 4> ok{};
  for (auto& result : ok)
    threads.emplace_back([&result] { result = spawn()->call({{"op", "describe"}}, {}, 60s).ok(); });
  for (auto& thread : threads)
    thread.join();
  EXPECT_THAT(ok, ::testing::Each(true));
}

TEST_F(warm_process, is_started_again_when_it_has_died) {
  auto before = warm->pid();
  ASSERT_EQ(::kill(before, SIGKILL), 0);
  EXPECT_TRUE(spawn()->call({{"op", "describe"}}, {}, 60s).ok());
  EXPECT_NE(warm->pid(), before);
}

TEST_F(warm_process, takes_its_workers_along_when_it_dies) {
  auto worker = spawn();
  ASSERT_EQ(::kill(warm->pid(), SIGKILL), 0);
  auto answer = worker->call({{"op", "describe"}}, {}, 60s);
  // The request may have been answered before the news of the death arrived; the next one is not.
  if (answer.ok()) {
    auto deadline = steady_clock::now() + 10s;
    while (worker->alive() && steady_clock::now() < deadline)
      std::this_thread::yield();
    answer = worker->call({{"op", "describe"}}, {}, 60s);
  }
  EXPECT_FALSE(answer.ok());
  EXPECT_FALSE(worker->alive());
}

TEST_F(warm_process, imports_modules_before_it_forks) {
  auto config = small();
  config.preload = {"colorsys"};
  auto worker = spawn(config);
  load(*worker, "import sys\nprint('colorsys' in sys.modules)\nclass ModelNew: pass");
  EXPECT_EQ(worker->output_tail(), "True\n");
}

TEST_F(warm_process, a_module_that_is_not_there_is_an_error_of_the_environment) {
  auto config = small();
  config.preload = {"no_such_module"};
  auto worker = warm->spawn(config);
  ASSERT_FALSE(worker);
  EXPECT_EQ(worker.error(), errc::environment_error);
  EXPECT_THAT(describe(worker.error()), HasSubstr("no_such_module"));
}

TEST_F(warm_process, a_python_without_torch_is_an_error_that_names_torch) {
  auto started = gpu::warm_process::start({"/usr/bin/python3", LATHE_TEST_PROCESSES});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error(), errc::environment_error);
  EXPECT_THAT(describe(started.error()), HasSubstr("torch"));
}

TEST_F(warm_process, a_python_that_is_not_there_is_an_error_that_names_it) {
  auto started = gpu::warm_process::start({"/no/such/python", LATHE_TEST_PROCESSES});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error(), errc::environment_error);
  EXPECT_THAT(describe(started.error()), HasSubstr("/no/such/python"));
}

} // namespace lathe::gpu::testing
