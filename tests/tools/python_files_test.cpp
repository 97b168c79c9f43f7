#include "tools/lathe/judging/python_files.hpp"

#include "messages/error.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

namespace fs = std::filesystem;

using namespace lathe;
using judging::counts_before;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

class python_files : public testing::Test {
protected:
  python_files() {
    auto pattern = testing::TempDir() + "python-files-XXXXXX";
    folder = ::mkdtemp(pattern.data());
  }

  ~python_files() override {
    fs::remove_all(folder);
  }

  void make(const std::string& name) {
    fs::create_directories((folder / name).parent_path());
    std::ofstream{folder / name} << "\n";
  }

  std::vector<std::string> find(const std::vector<std::string>& places) {
    std::vector<std::string> absolute;
    for (auto& x : places)
      absolute.push_back((folder / x).string());
    auto found = judging::find_python_files(absolute);
    if (!found)
      return {describe(found.error())};
    std::vector<std::string> result;
    for (auto& x : *found)
      result.push_back(x.lexically_relative(folder).string());
    return result;
  }

  fs::path folder;
};

} // namespace

TEST_F(python_files, numbers_in_names_count_by_their_value) {
  EXPECT_TRUE(counts_before("2_x", "10_x"));
  EXPECT_FALSE(counts_before("10_x", "2_x"));
  EXPECT_TRUE(counts_before("level_1_problem_9", "level_1_problem_10_sample_0"));
  EXPECT_FALSE(counts_before("a", "a"));
  EXPECT_TRUE(counts_before("a", "a1"));
  EXPECT_FALSE(counts_before("007", "7"));
}

TEST_F(python_files, a_folder_is_all_python_files_in_it_and_below) {
  for (auto* name : {"10_b.py", "2_a.py", "notes.txt", "level2/1_c.py", ".hidden/x.py", ".y.py",
                     "__pycache__/z.py"})
    make(name);
  EXPECT_THAT(find({"."}), ElementsAre("2_a.py", "10_b.py", "level2/1_c.py"));
}

TEST_F(python_files, a_file_that_is_named_twice_comes_once) {
  make("a.py");
  make("b.py");
  EXPECT_THAT(find({"b.py", "./*.py", "a.py"}), ElementsAre("b.py", "a.py"));
}

TEST_F(python_files, a_pattern_is_what_it_matches_and_a_file_of_that_name_is_itself) {
  make("a1.py");
  make("a2.py");
  make("b1.py");
  make("a[1].py");
  EXPECT_THAT(find({"a?.py"}), ElementsAre("a1.py", "a2.py"));
  EXPECT_THAT(find({"a[1].py"}), ElementsAre("a[1].py"));
}

TEST_F(python_files, what_is_missing_or_empty_is_one_sentence) {
  fs::create_directories(folder / "empty");
  EXPECT_THAT(find({"nowhere.py"}), ElementsAre(HasSubstr("there is no such file")));
  EXPECT_THAT(find({"x*.py"}), ElementsAre(HasSubstr("no file matches")));
  EXPECT_THAT(find({"empty"}), ElementsAre(HasSubstr("no Python files in this folder")));
}

TEST_F(python_files, a_link_to_a_folder_above_does_not_lead_around_for_ever) {
  make("a.py");
  fs::create_directory_symlink(folder, folder / "loop");
  fs::create_symlink(folder / "gone.py", folder / "broken.py");
  EXPECT_THAT(find({"."}), ElementsAre("a.py"));
}
