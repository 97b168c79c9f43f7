#include "runtime/journal/atomic_file.hpp"

#include "tests/runtime/journal/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/resource.h>

using namespace lathe;
using namespace lathe::test;
using runtime::write_atomically;
using testing::HasSubstr;

namespace {

using atomic_file = temporary_folder;

std::size_t files_in(const std::filesystem::path& folder) {
  auto begin = std::filesystem::directory_iterator{folder};
  return static_cast<std::size_t>(std::distance(begin, std::filesystem::directory_iterator{}));
}

// No file may grow beyond `bytes` while this lives.
struct file_size_limit {
  explicit file_size_limit(rlim_t bytes) : old_handler(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &old_limit);
    auto limit = old_limit;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }

  ~file_size_limit() {
    setrlimit(RLIMIT_FSIZE, &old_limit);
    signal(SIGXFSZ, old_handler);
  }

  rlimit old_limit{};
  sighandler_t old_handler;
};

} // namespace

TEST_F(atomic_file, replaces_a_file_and_leaves_nothing_else) {
  auto file = folder / "report.md";
  ASSERT_TRUE(write_atomically(file, "one"));
  EXPECT_EQ(read_file(file), "one");
  std::string bytes("two\0\xff", 5);
  ASSERT_TRUE(write_atomically(file, bytes));
  EXPECT_EQ(read_file(file), bytes);
  EXPECT_EQ(files_in(folder), 1u);
}

TEST_F(atomic_file, keeps_the_old_text_when_the_new_one_cannot_be_written) {
  auto file = folder / "report.md";
  ASSERT_TRUE(write_atomically(file, "old"));
  caf::expected<void> result;
  {
    file_size_limit limit{10'000};
    result = write_atomically(file, std::string(50'000, 'x'));
  }
  EXPECT_TRUE(failed_with(result, errc::environment_error));
  EXPECT_THAT(sentence(result), HasSubstr("report.md cannot be written: File too large"));
  EXPECT_EQ(read_file(file), "old");
  EXPECT_EQ(files_in(folder), 1u);
}

TEST_F(atomic_file, says_when_there_is_no_such_folder) {
  auto result = write_atomically(folder / "none" / "report.md", "text");
  EXPECT_TRUE(failed_with(result, errc::environment_error));
  EXPECT_THAT(sentence(result), HasSubstr("No such file or directory"));
}
