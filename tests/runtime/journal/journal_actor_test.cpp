#include "runtime/journal/journal_actor.hpp"

#include "tests/runtime/journal/temporary_folder.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/init_global_meta_objects.hpp>
#include <caf/scoped_actor.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>

using namespace lathe;
using namespace lathe::test;
using runtime::journal_options;
using runtime::journal_store;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

constexpr auto patience = std::chrono::seconds{20};

struct system_config : caf::actor_system_config {
  system_config() {
    caf::init_global_meta_objects<caf::id_block::lathe>();
    caf::core::init_global_meta_objects();
    set("caf.scheduler.policy", "sharing");
    set("caf.scheduler.max-threads", 1);
  }
};

// Counts the transactions of all connections, and lets some of them fail.
struct commit_counter {
  static inline std::atomic<int> commits = 0;
  static inline std::atomic<int> failing = 0; // how many of the next ones fail

  static int on_commit(void*) {
    ++commits;
    return failing > 0 ? failing-- : 0;
  }

  static int on_open(sqlite3* database, const char**, const void*) {
    sqlite3_commit_hook(database, &on_commit, nullptr);
    return SQLITE_OK;
  }

  commit_counter() {
    sqlite3_auto_extension(reinterpret_cast<void (*)()>(&on_open));
  }

  ~commit_counter() {
    sqlite3_reset_auto_extension();
  }
};

// A journal that stops in its clock, at its first append, until the test opens the gate: so the
// test decides what is in its mailbox by then.
class journal_actor_test : public temporary_folder {
protected:
  journal_actor spawn(std::size_t largest_batch = 1024) {
    journal_options options;
    options.largest_batch = largest_batch;
    options.sync_interval = sync_interval;
    options.now = [this] {
      opened.wait();
      return time += 0.5;
    };
    auto store = journal_store::open_or_create(file());
    EXPECT_TRUE(store) << sentence(store);
    counter.commits = 0;
    spawned = runtime::spawn_journal(sys, std::move(*store), options);
    return spawned;
  }

  void TearDown() override {
    self->send_exit(spawned, caf::exit_reason::user_shutdown);
  }

  auto send_append(const journal_actor& journal, std::size_t records) {
    journal_append x;
    for (std::size_t i = 0; i < records; ++i)
      x.records.push_back(make_record("a", "kind"));
    return self->request(journal, patience, std::move(x));
  }

  // Sends appends of one, two, ... records.
  auto send_appends(const journal_actor& journal, std::size_t count) {
    std::vector<decltype(send_append(journal, 1))> result;
    for (std::size_t i = 1; i <= count; ++i)
      result.push_back(send_append(journal, i));
    return result;
  }

  template <class Request>
  std::string answer(Request& request) {
    std::string result;
    request.receive([&](std::int64_t last) { result = std::to_string(last); },
                    [&](const caf::error& x) { result = describe(x); });
    return result;
  }

  template <class Request>
  std::vector<std::string> answers(std::vector<Request>& requests) {
    std::vector<std::string> result;
    for (auto& x : requests)
      result.push_back(answer(x));
    return result;
  }

  std::vector<journal_record> written() {
    return *journal_store::open_read_only(file())->read_events();
  }

  std::filesystem::path file() const {
    return folder / "journal.sqlite";
  }

  commit_counter counter;
  std::promise<void> gate;
  std::shared_future<void> opened = gate.get_future().share();
  double time = 0;
  std::chrono::milliseconds sync_interval{60'000};
  system_config config;
  caf::actor_system sys{config};
  caf::scoped_actor self{sys};
  journal_actor spawned;
};

} // namespace

TEST_F(journal_actor_test, writes_what_is_in_its_mailbox_in_one_transaction) {
  auto requests = send_appends(spawn(), 6);
  EXPECT_EQ(counter.commits, 0);
  gate.set_value();
  EXPECT_THAT(answers(requests), ElementsAre("1", "3", "6", "10", "15", "21"));
  EXPECT_EQ(counter.commits, 1);
  EXPECT_EQ(written().size(), 21u);
}

TEST_F(journal_actor_test, writes_no_more_than_its_largest_batch_at_once) {
  auto requests = send_appends(spawn(2), 5);
  gate.set_value();
  EXPECT_THAT(answers(requests), ElementsAre("1", "3", "6", "10", "15"));
  EXPECT_EQ(counter.commits, 3);
}

TEST_F(journal_actor_test, gives_each_append_its_time) {
  auto requests = send_appends(spawn(), 2);
  gate.set_value();
  answers(requests);
  std::vector<double> times;
  for (const auto& x : written())
    times.push_back(x.time);
  EXPECT_THAT(times, ElementsAre(0.5, 1.0, 1.0));
}

TEST_F(journal_actor_test, answers_an_append_of_texts_alone) {
  auto journal = spawn();
  gate.set_value();
  auto text = make_content("text");
  auto events = send_append(journal, 2);
  EXPECT_EQ(answer(events), "2");
  auto texts = self->request(journal, patience, journal_append{{}, {text}});
  EXPECT_EQ(answer(texts), "2");
  EXPECT_EQ(journal_store::open_read_only(file())->content(text.hash)->value(), "text");
}

TEST_F(journal_actor_test, a_failed_transaction_fails_its_own_appends_and_no_others) {
  auto journal = spawn(2);
  counter.failing = 1;
  auto requests = send_appends(journal, 4);
  gate.set_value();
  auto result = answers(requests);
  EXPECT_THAT(result[0], HasSubstr("journal.sqlite does not work: "));
  EXPECT_EQ(result[1], result[0]);
  EXPECT_EQ(result[2], "3");
  EXPECT_EQ(result[3], "7");
  EXPECT_EQ(written().size(), 7u);
}

TEST_F(journal_actor_test, goes_on_after_a_transaction_that_failed) {
  auto journal = spawn();
  gate.set_value();
  counter.failing = 1;
  auto first = send_append(journal, 1);
  EXPECT_THAT(answer(first), HasSubstr("does not work"));
  auto second = send_append(journal, 1);
  EXPECT_EQ(answer(second), "1");
}

TEST_F(journal_actor_test, writes_what_it_has_when_it_is_told_to_flush) {
  auto journal = spawn();
  auto requests = send_appends(journal, 2);
  auto flush = self->request(journal, patience, flush_atom_v);
  gate.set_value();
  std::size_t found = 0;
  flush.receive([&] { found = written().size(); },
                [](const caf::error& x) { FAIL() << describe(x); });
  EXPECT_EQ(found, 3u);
  EXPECT_THAT(answers(requests), ElementsAre("1", "3"));
}

TEST_F(journal_actor_test, a_flush_says_that_writing_failed) {
  auto journal = spawn();
  counter.failing = 1;
  auto append = send_append(journal, 1);
  auto flush = self->request(journal, patience, flush_atom_v);
  gate.set_value();
  flush.receive([] { FAIL() << "flushed"; },
                [](const caf::error& x) { EXPECT_EQ(x, errc::journal_failed); });
  EXPECT_THAT(answer(append), HasSubstr("does not work"));
}

TEST_F(journal_actor_test, writes_what_it_has_before_it_quits) {
  auto journal = spawn();
  auto requests = send_appends(journal, 3);
  self->send_exit(journal, caf::exit_reason::user_shutdown);
  gate.set_value();
  EXPECT_THAT(answers(requests), ElementsAre("1", "3", "6"));
  self->wait_for(journal);
  EXPECT_EQ(counter.commits, 1);
  EXPECT_EQ(written().size(), 6u);
}

TEST_F(journal_actor_test, syncs_by_itself) {
  sync_interval = std::chrono::milliseconds{0};
  auto journal = spawn();
  gate.set_value();
  // The file itself, without its write-ahead log, is what a power cut leaves.
  auto is_synced = [this] {
    auto copy = folder / "copy.sqlite";
    std::filesystem::copy_file(file(), copy, std::filesystem::copy_options::overwrite_existing);
    auto store = journal_store::open_read_only(copy);
    auto events = store ? store->read_events() : store.error();
    return events && !events->empty();
  };
  bool synced = false;
  for (int i = 0; i < 100 && !synced; ++i) { // too few for SQLite to sync on its own account
    auto append = send_append(journal, 1);
    answer(append);
    synced = is_synced();
  }
  EXPECT_TRUE(synced);
}
