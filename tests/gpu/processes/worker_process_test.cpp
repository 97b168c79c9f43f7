// A worker that misbehaves, as Lathe sees it.
#include "tests/gpu/processes/process_fixture.hpp"

#include "gpu/processes/process_group.hpp"

#include <gmock/gmock.h>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

namespace lathe::gpu::testing {

using std::chrono::steady_clock;
using ::testing::HasSubstr;

class worker_process : public process_fixture {
protected:
  static reply run_alone(std::string_view body, std::chrono::milliseconds limit = 60s) {
    auto worker = spawn();
    prepare(*worker, body);
    return run(*worker, limit);
  }
};

// Returns the processes of a group.
static std::set<std::string> members(pid_t group) {
  std::set<std::string> result;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc", ignored}) {
    std::ifstream file{entry.path() / "stat"};
    std::string line;
    if (std::getline(file, line) && parse_stat(line).group == group)
      result.insert(entry.path().filename());
  }
  return result;
}

static std::vector<pid_t> children_of(pid_t parent) {
  auto name = std::to_string(parent);
  std::ifstream file{"/proc/" + name + "/task/" + name + "/children"};
  return {std::istream_iterator<pid_t>{file}, {}};
}

TEST_F(worker_process, answers_within_its_limit) {
  auto worker = spawn();
  auto answer = worker->call({{"op", "describe"}}, {}, 60s);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer.text("torch"), warm->torch_version());
  EXPECT_GT(answer.wall, 0);
  EXPECT_TRUE(worker->alive());
}

TEST_F(worker_process, an_endless_loop_is_killed_at_its_limit) {
  auto worker = spawn();
  prepare(*worker, "while True: pass");
  auto start = steady_clock::now();
  auto answer = run(*worker, 200ms);
  auto taken = steady_clock::now() - start;
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.problem().how, outcome::timed_out);
  EXPECT_GE(taken, 200ms);
  EXPECT_LT(taken, 2s);
  EXPECT_EQ(run(*worker).problem().how, outcome::timed_out) << "and stays dead";
}

TEST_F(worker_process, who_gets_a_fifth_of_a_core_has_longer) {
  auto worker = spawn();
  prepare(*worker, "end = time.monotonic() + 2.4\n"
                   "    while time.monotonic() < end:\n"
                   "      begin = time.thread_time()\n"
                   "      while time.thread_time() - begin < 0.02: pass\n"
                   "      time.sleep(0.08)\n"
                   "    return x");
  EXPECT_TRUE(run(*worker, 1s).ok());
}

TEST_F(worker_process, who_waits_for_nothing_has_not) {
  auto worker = spawn();
  prepare(*worker, "time.sleep(1000)");
  auto start = steady_clock::now();
  EXPECT_EQ(run(*worker, 1s).problem().how, outcome::timed_out);
  EXPECT_LT(steady_clock::now() - start, 1900ms);
}

TEST_F(worker_process, too_much_memory_is_told_apart_from_a_crash) {
  auto answer = run_alone("return torch.zeros(3 << 28)"); // 3 GiB of 1
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.problem().how, outcome::out_of_memory);
}

TEST_F(worker_process, a_segmentation_fault_is_named) {
  auto answer = run_alone("import ctypes; ctypes.string_at(0)");
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.problem().how, outcome::crashed);
  EXPECT_THAT(answer.problem().message, HasSubstr("SIGSEGV"));
}

TEST_F(worker_process, an_abort_is_named) {
  EXPECT_THAT(run_alone("os.abort()").problem().message, HasSubstr("SIGABRT"));
}

TEST_F(worker_process, leaving_is_no_answer) {
  EXPECT_THAT(run_alone("os._exit(3)").problem().message, HasSubstr("exit 3"));
}

TEST_F(worker_process, being_killed_from_outside_is_a_crash) {
  auto worker = spawn();
  prepare(*worker, "while True: pass");
  std::thread killer{[&] {
    while (worker->cpu_seconds() < 0.05) // until it is busy
      std::this_thread::yield();
    worker->kill();
  }};
  auto answer = run(*worker);
  killer.join();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.problem().how, outcome::crashed);
  EXPECT_LT(answer.wall, 30);
}

// So who waits for the device can be told from who compiles.
TEST_F(worker_process, who_only_waits_is_seen_to_and_can_be_given_up) {
  auto worker = spawn();
  prepare(*worker, "while True: pass");
  EXPECT_FALSE(worker->progress()) << "between calls";
  auto faults = [&] { return page_faults_of_groups()[worker->group()]; };
  std::uint64_t before = 0;
  std::uint64_t after = 0;
  std::thread watcher{[&] {
    while (worker->cpu_seconds() < 0.2) // until it has begun
      std::this_thread::yield();
    auto ran = [&] { return worker->progress().value_or(call_progress{}).ran; };
    auto since = ran();
    before = faults();
    while (ran() < since + 200ms)
      std::this_thread::yield();
    after = faults();
    worker->give_up("it only waits");
  }};
  auto answer = run(*worker);
  watcher.join();
  EXPECT_GT(before, 0u);
  EXPECT_LE(after, before + 1);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.problem().how, outcome::timed_out);
  EXPECT_EQ(answer.problem().message, "it only waits");
  EXPECT_EQ(run(*worker).problem().message, "it only waits") << "and stays given up";
}

TEST_F(worker_process, two_hundred_megabytes_of_output_do_not_block) {
  auto worker = spawn();
  prepare(*worker, "for _ in range(200): os.write(1, b'x' * (1 << 20))\n"
                   "    os.write(2, b'the end')\n"
                   "    return x");
  ASSERT_TRUE(run(*worker).ok());
  EXPECT_LE(worker->output_tail().size(), 16u * 1024);
  EXPECT_TRUE(worker->output_tail().ends_with("xthe end"));
}

TEST_F(worker_process, a_fork_bomb_leaves_nothing_behind) {
  pid_t group = 0;
  {
    auto worker = spawn();
    group = worker->group();
    prepare(*worker, "while True:\n"
                     "      try: os.fork()\n"
                     "      except OSError: pass");
    EXPECT_EQ(run(*worker, 500ms).problem().how, outcome::timed_out);
  }
  auto deadline = steady_clock::now() + 10s;
  while (!members(group).empty() && steady_clock::now() < deadline)
    std::this_thread::yield();
  EXPECT_TRUE(members(group).empty());
  EXPECT_TRUE(spawn()->call({{"op", "describe"}}, {}, 60s).ok()) << "and others still start";
}

TEST_F(worker_process, dies_with_its_object) {
  auto worker = spawn();
  auto group = worker->group();
  ASSERT_FALSE(members(group).empty());
  auto start = steady_clock::now();
  worker.reset();
  EXPECT_LT(steady_clock::now() - start, 1s);
  auto deadline = steady_clock::now() + 10s;
  while (!members(group).empty() && steady_clock::now() < deadline)
    std::this_thread::yield();
  EXPECT_TRUE(members(group).empty());
}

TEST_F(worker_process, time_spent_frozen_is_not_charged) {
  auto worker = spawn();
  prepare(*worker, "end = time.process_time() + 0.05\n"
                   "    while time.process_time() < end: pass\n"
                   "    return x");
  worker->freeze();
  // Frozen for longer than the call's limit.
  std::thread thaw{[&] {
    auto until = steady_clock::now() + 2500ms;
    while (steady_clock::now() < until)
      std::this_thread::yield();
    worker->thaw();
  }};
  auto answer = run(*worker, 2000ms);
  thaw.join();
  ASSERT_TRUE(answer.ok()) << answer.problem().message;
  EXPECT_GT(answer.frozen, 2.0);
  EXPECT_LT(answer.wall, 2.0);
}

TEST_F(worker_process, a_frozen_worker_uses_no_processor) {
  auto worker = spawn();
  prepare(*worker, "while True: pass");
  auto how = outcome::correct;
  std::thread caller{[&] { how = run(*worker).problem().how; }};
  while (worker->cpu_seconds() < 0.05)
    std::this_thread::yield();
  worker->freeze();
  auto before = worker->cpu_seconds();
  auto until = steady_clock::now() + 200ms;
  while (steady_clock::now() < until)
    std::this_thread::yield();
  EXPECT_LE(worker->cpu_seconds() - before, 0.03);
  worker->kill(); // which needs no thaw
  caller.join();
  EXPECT_EQ(how, outcome::crashed);
}

TEST_F(worker_process, whose_guard_or_init_is_killed_was_killed_from_outside) {
  for (auto init : {false, true}) {
    auto worker = spawn();
    prepare(*worker, "while True: pass");
    std::thread killer{[&] {
      while (worker->cpu_seconds() < 0.05) // until it is busy
        std::this_thread::yield();
      auto inits = children_of(worker->group());
      ::kill(init && inits.size() == 1 ? inits[0] : worker->group(), SIGKILL);
    }};
    auto answer = run(*worker);
    killer.join();
    ASSERT_FALSE(answer.ok());
    EXPECT_TRUE(answer.problem().from_outside);
    EXPECT_EQ(answer.problem().how, outcome::crashed);
  }
}

// The kernel closes a killed process's socket some time before it is gone.
TEST_F(worker_process, who_takes_a_while_to_end_was_killed_all_the_same) {
  auto ends = channel::make();
  ASSERT_TRUE(ends);
  ends->second.reset();
  auto child = ::fork();
  if (child == 0) {
    ::usleep(100'000); // its way to the end
    ::_exit(0);
  }
  ::setpgid(child, child);
  worker_handles handles{std::move(ends->first)};
  handles.pidfd = unique_fd{static_cast<int>(::syscall(SYS_pidfd_open, child, 0))};
  handles.group = child;
  gpu::worker_process worker{std::move(handles)};
  auto answer = worker.call({{"op", "describe"}}, {}, 60s);
  EXPECT_FALSE(worker.usable());
  ASSERT_FALSE(answer.ok());
  EXPECT_TRUE(answer.problem().from_outside) << answer.problem().message;
  ::waitpid(child, nullptr, 0);
}

TEST_F(worker_process, who_kills_itself_was_not_killed_from_outside) {
  for (auto body : {"os.kill(os.getpid(), 9)", "os._exit(137)",
                    "import socket\n"
                    "    s = socket.socket(fileno=os.dup(3))\n"
                    "    s.send(b'{\"ended\": {\"signal\": \"SIGKILL\", \"init\": true}}')\n"
                    "    while True: pass",
                    "import socket\n"
                    "    s = socket.socket(fileno=os.dup(3))\n"
                    "    s.send(b'')\n"
                    "    while True: pass"}) {
    auto answer = run_alone(body);
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.problem().how, outcome::crashed);
    EXPECT_FALSE(answer.problem().from_outside) << body;
  }
}

TEST_F(worker_process, is_ready_without_importing_torch_again) {
  // The figure itself is tools/bench's business; this catches an import of torch after the fork.
  auto start = steady_clock::now();
  ASSERT_TRUE(spawn()->call({{"op", "describe"}}, {}, 60s).ok());
  EXPECT_LT(steady_clock::now() - start, 1s);
}

TEST_F(worker_process, an_answer_without_the_workers_seal_is_a_forgery) {
  auto answer = run_alone("import socket\n"
                          "    s = socket.socket(fileno=os.dup(3))\n"
                          "    s.send(b'{\"id\": 4, \"ok\": true}')\n"
                          "    return x");
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.problem().how, outcome::refused);
  EXPECT_EQ(answer.problem().rule, "forged-reply");
}

} // namespace lathe::gpu::testing
