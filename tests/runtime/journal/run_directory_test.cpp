#include "runtime/journal/run_directory.hpp"

#include "tests/runtime/journal/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

using namespace lathe;
using namespace lathe::test;
using runtime::run_directory;
using runtime::run_paths;
using testing::EndsWith;
using testing::HasSubstr;

namespace fs = std::filesystem;

namespace {

class run_directory_test : public temporary_folder {
protected:
  fs::path runs() const {
    return folder / "runs";
  }

  std::string fresh_name(std::string_view base) {
    auto run = run_directory::create_fresh(runs(), base, "2026-11-22");
    return run ? run->paths().root.filename().string() : sentence(run);
  }
};

} // namespace

TEST_F(run_directory_test, is_made_with_the_folder_of_runs_and_held) {
  auto run = run_directory::create(runs(), "demo");
  ASSERT_TRUE(run) << sentence(run);
  EXPECT_TRUE(fs::is_directory(runs() / "demo"));
  EXPECT_EQ(run->paths().journal(), runs() / "demo" / "journal.sqlite");
  EXPECT_EQ(run->paths().best("attention"), runs() / "demo" / "attention_best.py");
  EXPECT_EQ(working_process(run->paths()), getpid());
}

TEST_F(run_directory_test, a_session_has_files_where_its_name_is_no_path) {
  using namespace std::string_view_literals;
  for (auto name : {"attention"sv, "a b"sv, "..a"sv, "größe"sv})
    EXPECT_TRUE(runtime::is_session_name(name)) << name;
  for (auto name : {""sv, "."sv, ".."sv, "/"sv, "../a"sv, "a/b"sv, "a\0b"sv, "\0"sv})
    EXPECT_FALSE(runtime::is_session_name(name)) << name;
}

TEST_F(run_directory_test, refuses_a_folder_that_holds_something) {
  fs::create_directories(runs() / "demo");
  write_file(runs() / "demo" / "notes.txt", "mine");
  auto run = run_directory::create(runs(), "demo");
  EXPECT_TRUE(failed_with(run, errc::user_error));
  EXPECT_EQ(sentence(run),
            (runs() / "demo").string() + " exists; go on with --resume, or choose another --name");
  EXPECT_FALSE(fs::exists(runs() / "demo" / "lock"));
}

TEST_F(run_directory_test, takes_a_folder_that_an_earlier_start_left_without_a_journal) {
  ASSERT_TRUE(run_directory::create(runs(), "demo"));
  EXPECT_TRUE(run_directory::create(runs(), "demo"));
}

TEST_F(run_directory_test, a_run_that_does_not_begin_is_in_nobodys_way) {
  run_paths paths{runs() / "demo"};
  for (auto attempt : {1, 2}) {
    auto run = run_directory::create(runs(), "demo");
    ASSERT_TRUE(run) << attempt << sentence(run);
    for (const auto& file : {paths.topology(), paths.journal(), paths.log()})
      write_file(file, "");
    write_file(paths.journal().string() + "-wal", "");
    auto moved = std::move(*run);
  }
  EXPECT_FALSE(fs::exists(paths.journal().string() + "-wal"));
  EXPECT_TRUE(fs::exists(paths.log()));
}

TEST_F(run_directory_test, a_run_that_has_begun_is_kept) {
  run_paths paths{runs() / "demo"};
  {
    auto run = run_directory::create(runs(), "demo");
    ASSERT_TRUE(run);
    write_file(paths.journal(), "");
    run->keep();
  }
  ASSERT_TRUE(run_directory::reopen(paths.root));
  EXPECT_TRUE(fs::exists(paths.journal()));
  EXPECT_THAT(sentence(run_directory::create(runs(), "demo")), HasSubstr("exists"));
  EXPECT_TRUE(fs::exists(paths.journal()));
}

TEST_F(run_directory_test, a_run_under_way_is_not_made_again) {
  auto run = run_directory::create(runs(), "demo");
  ASSERT_TRUE(run);
  EXPECT_THAT(sentence(run_directory::create(runs(), "demo")), HasSubstr("is working on"));
}

TEST_F(run_directory_test, refuses_names_that_lead_elsewhere) {
  for (auto name : {"", ".", "..", "../x", "a/b", "/tmp/x", ".hidden", "-rf", "a b", "a\nb"}) {
    auto run = run_directory::create(runs(), name);
    EXPECT_TRUE(failed_with(run, errc::user_error)) << name;
    EXPECT_THAT(sentence(run), HasSubstr("cannot be the name of a run"));
  }
  EXPECT_FALSE(fs::exists(runs()));
}

TEST_F(run_directory_test, says_which_folder_is_missing_or_not_writable) {
  EXPECT_EQ(sentence(run_directory::create(folder / "none" / "runs", "demo")),
            (folder / "none" / "runs").string() + " cannot be made: the folder "
              + (folder / "none").string() + " does not exist");
  auto run = run_directory::create("/proc", "lathe"); // not even root makes folders there
  EXPECT_TRUE(failed_with(run, errc::environment_error));
  EXPECT_THAT(sentence(run), HasSubstr("/proc/lathe cannot be made: "));
  write_file(folder / "file", "text");
  EXPECT_THAT(sentence(run_directory::create(folder, "file")), HasSubstr("cannot be made"));
}

TEST_F(run_directory_test, picks_a_fresh_name) {
  EXPECT_EQ(fresh_name("attention"), "attention-2026-11-22");
  EXPECT_EQ(fresh_name("attention"), "attention-2026-11-22-2");
  EXPECT_EQ(fresh_name("attention"), "attention-2026-11-22-3");
  EXPECT_EQ(fresh_name("my model/1"), "my_model_1-2026-11-22");
  EXPECT_EQ(fresh_name(""), "run-2026-11-22");
  EXPECT_EQ(fresh_name(".."), "run..-2026-11-22");
}

TEST_F(run_directory_test, is_reopened_when_nobody_works_on_it) {
  {
    auto run = run_directory::create(runs(), "demo");
    ASSERT_TRUE(run);
    write_file(run->paths().journal(), "");
    run->keep();
    auto second = run_directory::reopen(runs() / "demo");
    EXPECT_TRUE(failed_with(second, errc::user_error));
    EXPECT_EQ(sentence(second),
              "process " + std::to_string(getpid()) + " is working on " + (runs() / "demo").string()
                + "; wait for it, or stop it with: lathe stop " + (runs() / "demo").string());
  }
  auto run = run_directory::reopen(runs() / "demo/");
  ASSERT_TRUE(run) << sentence(run);
  EXPECT_EQ(run->paths().root, runs() / "demo");
}

TEST_F(run_directory_test, says_what_is_not_a_run) {
  EXPECT_THAT(sentence(run_directory::reopen(runs() / "demo")), EndsWith("it does not exist"));
  EXPECT_THAT(sentence(run_directory::reopen(folder)), EndsWith("it has no journal.sqlite"));
  EXPECT_FALSE(fs::exists(folder / "lock"));
}
