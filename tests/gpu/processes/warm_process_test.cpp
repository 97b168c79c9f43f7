#include "tests/gpu/processes/process_fixture.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
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

// What answers each request twice is confused from the second request on.
TEST_F(warm_process, an_answer_to_something_else_is_shown_and_a_new_process_asked) {
  auto folder = std::filesystem::temp_directory_path() / "confused_warm_process";
  std::filesystem::create_directories(folder);
  std::ofstream{folder / "zygote.py"}
    << "import json, os, socket\n"
       "channel = socket.socket(fileno=3)\n"
       "channel.send(b'{\"id\": 0, \"ok\": true}')\n"
       "while message := channel.recv(1 << 17):\n"
       "    number = json.loads(message)['id']\n"
       "    answer = {'id': number, 'ok': False, 'message': f'no {os.getpid()}'}\n"
       "    channel.send(json.dumps(answer).encode())\n"
       "    channel.send(b'{\"id\": 77, \"ok\": true}')\n";
  auto started = gpu::warm_process::start({LATHE_TEST_PYTHON, folder});
  ASSERT_TRUE(started) << describe(started.error());
  auto pid = (*started)->pid();
  EXPECT_THAT(describe((*started)->spawn(small()).error()), HasSubstr("no "));
  EXPECT_EQ((*started)->pid(), pid);
  // Asked twice: the new process's answer is the one that counts.
  auto answer = describe((*started)->spawn(small()).error());
  EXPECT_THAT(answer, HasSubstr(fmt::format("no {}", (*started)->pid())));
  EXPECT_NE((*started)->pid(), pid);
  std::filesystem::remove_all(folder);
}

} // namespace lathe::gpu::testing
