#include "runtime/journal/journal_store.hpp"

#include "tests/runtime/journal/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <random>

using namespace lathe;
using namespace lathe::test;
using runtime::journal_store;

namespace {

using journal_kill = temporary_folder;

struct child {
  pid_t process = 0;
  int acknowledged = -1; // a pipe with the number of each append that returned
};

// Appends until it is killed. Each append has two events and a text of its own.
[[noreturn]] void append_forever(const std::filesystem::path& file, int acknowledge) {
  auto store = journal_store::open_or_create(file);
  while (store) {
    auto number = std::to_string(random());
    auto text = make_content(std::string(3000, 'x') + number);
    auto last =
      store->append({make_record("a", "text", text.hash), make_record("a", "more")}, {text});
    if (!last || write(acknowledge, &*last, sizeof *last) != sizeof *last)
      break;
  }
  _exit(1);
}

child start(const std::filesystem::path& file) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0)
    return {};
  auto process = fork();
  if (process == 0) {
    srandom(static_cast<unsigned>(getpid()));
    close(ends[0]);
    append_forever(file, ends[1]);
  }
  close(ends[1]);
  return {process, ends[0]};
}

// Returns false when the child has ended.
bool read_acknowledgement(const child& x, std::int64_t& last) {
  return read(x.acknowledged, &last, sizeof last) == sizeof last;
}

} // namespace

TEST_F(journal_kill, a_process_killed_at_any_moment_loses_nothing_it_acknowledged) {
  auto file = folder / "journal.sqlite";
  std::mt19937 random{7};
  std::int64_t last = 0;
  for (int round = 0; round < 20; ++round) {
    auto writer = start(file);
    ASSERT_GT(writer.process, 0);
    for (auto count = random() % 40; count > 0; --count)
      ASSERT_TRUE(read_acknowledgement(writer, last));
    kill(writer.process, SIGKILL);
    while (read_acknowledgement(writer, last))
      ; // what it had said before it died
    close(writer.acknowledged);
    int status = 0;
    waitpid(writer.process, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer failed by itself";

    auto store = journal_store::open_or_create(file);
    ASSERT_TRUE(store) << sentence(store);
    auto events = store->read_events();
    ASSERT_TRUE(events) << sentence(events);
    ASSERT_GE(static_cast<std::int64_t>(events->size()), last);
    ASSERT_EQ(events->size() % 2, 0u) << "half an append";
    for (std::size_t i = 0; i < events->size(); ++i) {
      const auto& x = (*events)[i];
      ASSERT_EQ(x.seq, static_cast<std::int64_t>(i) + 1);
      ASSERT_EQ(x.kind, i % 2 == 0 ? "text" : "more");
    }
    auto text = store->content((*events)[events->size() - 2].payload);
    ASSERT_TRUE(text && *text) << "an event without its text";
    last = events->back().seq;
  }
}
