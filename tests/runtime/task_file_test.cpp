#include "runtime/task_file.hpp"

#include "messages/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

using namespace lathe;
using namespace lathe::runtime;
using testing::HasSubstr;

namespace {

class task_file : public testing::Test {
protected:
  std::filesystem::path write(const std::string& name, const std::string& text) {
    auto file = folder / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream{file, std::ios::binary} << text;
    return file;
  }

  std::string refusal(const std::filesystem::path& file) {
    auto x = read_task(file);
    return x ? "accepted" : describe(x.error());
  }

  std::filesystem::path folder
    = std::filesystem::path{testing::TempDir()}
      / testing::UnitTest::GetInstance()->current_test_info()->name();
};

constexpr auto good = "import torch\nclass Model(torch.nn.Module):\n  pass\ndef get_inputs():\n  return []\n";

} // namespace

TEST_F(task_file, a_task_is_named_by_its_file) {
  auto x = read_task(write("mlp.py", good));
  ASSERT_TRUE(x) << describe(x.error());
  EXPECT_EQ(x->name, "mlp");
  EXPECT_EQ(x->source, good);
}

TEST_F(task_file, what_can_be_no_task_is_refused_in_one_sentence) {
  EXPECT_THAT(refusal(folder / "absent.py"), HasSubstr("there is no such file"));
  EXPECT_THAT(refusal(write("x/y.py", good).parent_path()), HasSubstr("this is a folder"));
  EXPECT_THAT(refusal(write("bin.py", std::string("\x7f\x45\0\1", 4))), HasSubstr("not a text file"));
  EXPECT_THAT(refusal(write("poem.py", "roses are red")), HasSubstr("this is not a task"));
  EXPECT_THAT(refusal(write("other.py", "import torch\nclass ModelNew: pass")),
              HasSubstr("no class Model"));
  EXPECT_THAT(refusal(write("half.py", "import torch\nclass Model: pass")),
              HasSubstr("no function get_inputs()"));
  EXPECT_THAT(refusal(write("huge.py", std::string(2 << 20, '#'))), HasSubstr("1 MiB at most"));
}

TEST_F(task_file, all_mistakes_are_told_at_once) {
  auto x = read_tasks({folder / "a.py", folder / "b.py"});
  ASSERT_FALSE(x);
  EXPECT_THAT(describe(x.error()), HasSubstr("a.py: there is no such file\n"));
  EXPECT_THAT(describe(x.error()), HasSubstr("b.py: there is no such file"));
}

TEST_F(task_file, two_tasks_of_one_name_are_a_mistake_and_one_named_twice_is_not) {
  auto one = write("one/mlp.py", good);
  auto two = write("two/mlp.py", good);
  auto x = read_tasks({one, two});
  ASSERT_FALSE(x);
  EXPECT_THAT(describe(x.error()), HasSubstr("two tasks of one name"));
  EXPECT_EQ(read_tasks({one, one})->size(), 1u);
}
