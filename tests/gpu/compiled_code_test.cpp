#include "gpu/compiled_code.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <string_view>
#include <unistd.h>

using namespace lathe;
using namespace lathe::gpu;
namespace fs = std::filesystem;

namespace {

std::span<const std::byte> bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

/// A record as it stands in an archive.
std::string framed(const std::string& record) {
  std::uint64_t length = record.size();
  return std::string{reinterpret_cast<const char*>(&length), sizeof(length)} + record;
}

/// What `find` gives; empty where it gives nothing.
std::string found(compiled_code& x, const std::string& name, author whose = author::rules) {
  auto archive = x.find(name, whose);
  if (!archive)
    return {};
  auto view = archive->map();
  EXPECT_TRUE(view);
  auto content = view->bytes();
  return {reinterpret_cast<const char*>(content.data()), content.size()};
}

class compiled_code_test : public testing::Test {
protected:
  void SetUp() override {
    auto pattern = (fs::temp_directory_path() / "lathe-compiled-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    home = pattern;
    folder = home / "compiled";
  }

  void TearDown() override {
    fs::remove_all(home);
  }

  fs::path home;
  fs::path folder;
};

} // namespace

TEST_F(compiled_code_test, keeps_what_is_added_under_one_name_together) {
  compiled_code code{folder, 1000};
  EXPECT_EQ(found(code, "a"), "");
  EXPECT_TRUE(code.add("a", bytes("one ")));
  EXPECT_TRUE(code.add("a", bytes("two")));
  EXPECT_TRUE(code.add("b", bytes("three")));
  EXPECT_EQ(found(code, "a"), framed("one ") + framed("two"));
  compiled_code later{folder, 1000};
  EXPECT_EQ(found(later, "a"), framed("one ") + framed("two"));
}

TEST_F(compiled_code_test, gives_a_candidate_back_what_it_left_only_in_a_later_run) {
  compiled_code code{folder, 1000};
  ASSERT_TRUE(code.add("a", bytes("note")));
  EXPECT_EQ(found(code, "a", author::anybody), "");
  EXPECT_EQ(found(code, "a", author::rules), framed("note"));
  compiled_code later{folder, 1000};
  EXPECT_EQ(found(later, "a", author::anybody), framed("note"));
  ASSERT_TRUE(later.add("a", bytes("another")));
  EXPECT_EQ(found(later, "a", author::anybody), "") << "a part of it is from this run";
}

TEST_F(compiled_code_test, lets_go_what_was_not_used_for_longest) {
  compiled_code code{folder, 120};
  std::string forty(40, 'x');
  ASSERT_TRUE(code.add("old", bytes(forty)));
  ASSERT_TRUE(code.add("used", bytes(forty)));
  for (auto& entry : fs::directory_iterator{folder})
    fs::last_write_time(entry.path(), fs::file_time_type::clock::now() - std::chrono::hours{1});
  EXPECT_EQ(found(code, "used"), framed(forty));
  ASSERT_TRUE(code.add("new", bytes(forty)));
  EXPECT_EQ(found(code, "old"), "");
  EXPECT_EQ(found(code, "used"), framed(forty));
  EXPECT_EQ(found(code, "new"), framed(forty));
}

TEST_F(compiled_code_test, counts_what_earlier_runs_left) {
  std::string sixty(60, 'x');
  ASSERT_TRUE((compiled_code{folder, 100}.add("old", bytes(sixty))));
  ASSERT_TRUE((compiled_code{folder, 100}.add("new", bytes(sixty))));
  EXPECT_EQ(std::distance(fs::directory_iterator{folder}, {}), 1);
}

TEST_F(compiled_code_test, a_record_that_was_cut_off_hides_none_that_comes_after_it) {
  compiled_code code{folder, 1000};
  ASSERT_TRUE(code.add("a", bytes("one")));
  auto file = fs::directory_iterator {
    folder
    } -> path();
  for (auto& broken : {framed("two").substr(0, 9), std::string{"x"}, std::string(12, '\xff')}) {
    std::ofstream{file, std::ios::app | std::ios::binary} << broken;
    ASSERT_TRUE(code.add("a", bytes("three")));
  }
  EXPECT_EQ(found(code, "a"), framed("one") + framed("three") + framed("three") + framed("three"));
}

TEST_F(compiled_code_test, wants_of_a_candidate_only_what_it_does_not_have) {
  compiled_code code{folder, 1000};
  EXPECT_TRUE(code.wants("a", author::anybody));
  ASSERT_TRUE(code.add("a", bytes("one")));
  EXPECT_FALSE(code.wants("a", author::anybody)) << "it got nothing back, and packs the same again";
  EXPECT_TRUE(code.wants("a", author::rules));
  code.drop("a");
  EXPECT_EQ(found(code, "a"), "");
}

TEST_F(compiled_code_test, keeps_nothing_without_room_or_folder) {
  compiled_code none{folder, 0};
  EXPECT_FALSE(none.keeps());
  EXPECT_TRUE(none.add("a", bytes("one")));
  EXPECT_EQ(found(none, "a"), "");
  EXPECT_FALSE(fs::exists(folder));
  EXPECT_FALSE((compiled_code{{}, 1000}.keeps()));
}

TEST_F(compiled_code_test, says_when_it_could_not_write) {
  std::ofstream{folder} << "no folder";
  compiled_code code{folder, 1000};
  EXPECT_FALSE(code.add("a", bytes("one")));
  EXPECT_EQ(found(code, "a"), "");
}
