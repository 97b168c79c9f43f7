#include "runtime/journal/file_lock.hpp"

#include "tests/runtime/journal/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

using namespace lathe;
using namespace lathe::test;
using runtime::file_lock;
using testing::HasSubstr;

namespace {

class file_lock_test : public temporary_folder {
protected:
  std::filesystem::path file() const {
    return folder / "lock";
  }

  // Starts a process that takes the lock and keeps it until it is killed. Returns when it has it.
  pid_t start_holder() {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe(ends.data()), 0);
    auto process = fork();
    if (process == 0) {
      auto lock = file_lock::take(file());
      if (lock && write(ends[1], "x", 1) == 1)
        for (;;)
          pause();
      _exit(1);
    }
    char byte = 0;
    EXPECT_EQ(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    close(ends[1]);
    return process;
  }

  void stop(pid_t process) {
    kill(process, SIGKILL);
    waitpid(process, nullptr, 0);
  }
};

} // namespace

TEST_F(file_lock_test, is_held_by_one_and_free_when_that_one_lets_go) {
  EXPECT_EQ(file_lock::holder(file()), std::nullopt);
  {
    auto lock = file_lock::take(file());
    ASSERT_TRUE(lock);
    EXPECT_EQ(file_lock::holder(file()), getpid());
    EXPECT_TRUE(failed_with(file_lock::take(file()), errc::user_error));
    auto moved = std::move(*lock);
    EXPECT_EQ(file_lock::holder(file()), getpid());
  }
  EXPECT_EQ(file_lock::holder(file()), std::nullopt);
  EXPECT_TRUE(file_lock::take(file()));
}

TEST_F(file_lock_test, names_the_process_that_holds_it) {
  auto process = start_holder();
  EXPECT_EQ(file_lock::holder(file()), process);
  EXPECT_EQ(sentence(file_lock::take(file())),
            "process " + std::to_string(process) + " is working on " + folder.string()
              + "; wait for it, or stop it with: lathe stop " + folder.string());
  stop(process);
}

TEST_F(file_lock_test, is_free_once_its_holder_was_killed) {
  stop(start_holder());
  EXPECT_EQ(file_lock::holder(file()), std::nullopt);
  EXPECT_TRUE(file_lock::take(file()));
}

TEST_F(file_lock_test, says_when_the_file_cannot_be_made) {
  auto lock = file_lock::take(folder / "none" / "lock");
  EXPECT_TRUE(failed_with(lock, errc::environment_error));
  EXPECT_THAT(sentence(lock), HasSubstr("none/lock cannot be locked: No such file"));
}
