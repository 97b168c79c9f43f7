#include "runtime/topology/source_files.hpp"

#include "tests/runtime/topology/sample.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::runtime;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

std::vector<std::string> mistakes_of(const std::filesystem::path& file) {
  std::vector<std::string> result;
  for (const auto& mistake : read_topology(file, with_key()).mistakes)
    result.push_back(to_string(mistake));
  return result;
}

} // namespace

TEST(source_files, a_file_that_cannot_be_read_says_why) {
  temporary_folder folder;
  auto missing = (folder.path() / "none.yaml").string();
  EXPECT_THAT(mistakes_of(missing), ElementsAre(missing + ": cannot be read: no such file"));
  auto here = folder.path().string();
  EXPECT_THAT(mistakes_of(here), ElementsAre(here + ": cannot be read: it is a folder"));
  auto large = folder.write("large.yaml", std::string((1 << 20) + 1, '#')).string();
  EXPECT_THAT(mistakes_of(large), ElementsAre(large + ": cannot be read: it is larger than 1 MiB"));
}

TEST(source_files, a_file_that_is_not_a_map_is_refused) {
  temporary_folder folder;
  auto list = folder.write("list.yaml", "- a\n- b\n").string();
  EXPECT_THAT(mistakes_of(list), ElementsAre(list
                                             + ":1:1: a topology is a map of keys such as "
                                               "'agents:', not a list"));
  auto binary = folder
                  .write("binary.yaml", std::string("\x7f"
                                                    "ELF\0\1\2\xff\xfe",
                                                    9))
                  .string();
  EXPECT_THAT(mistakes_of(binary), testing::SizeIs(1));
}

TEST(source_files, maps_are_merged_key_by_key_and_lists_replaced) {
  temporary_folder folder;
  folder.write("base.yaml", sample);
  auto file = folder.write("sub/t.yaml", "extends: ../base.yaml\n"
                                         "name: other\n"
                                         "agents:\n"
                                         "  coder: {instances: 7}\n"
                                         "  recipes: {passes: [trace]}\n");
  auto x = read_topology(file, with_key());
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  EXPECT_EQ(x.value.name, "other");
  EXPECT_EQ(x.value.agent("coder")->instances, 7);
  EXPECT_EQ(x.value.agent("coder")->prompt, "code");
  EXPECT_THAT(x.value.agent("recipes")->passes, ElementsAre("trace"));
  EXPECT_EQ(x.value.agents.size(), 5u);
}

TEST(source_files, a_key_without_a_value_takes_the_inherited_one_away) {
  temporary_folder folder;
  folder.write("base.yaml", sample);
  auto file = folder.write("t.yaml", "extends: base.yaml\nagents: {profiler: }\n");
  EXPECT_THAT(mistakes_of(file), testing::Each(HasSubstr("there is no agent 'profiler'")));
  EXPECT_THAT(mistakes_of(file), testing::SizeIs(2)) << "both routes that name it";
}

TEST(source_files, mistakes_point_into_the_file_that_holds_them) {
  temporary_folder folder;
  auto base = folder.write("base.yaml", spoilt("instances: 2", "instanses: 2")).string();
  auto file =
    folder.write("t.yaml", "extends: base.yaml\nagents:\n  fixer: {atempts: 3}\n").string();
  EXPECT_THAT(mistakes_of(file),
              ElementsAre(file
                            + ":3:11: unknown key 'atempts' in agents.fixer; did you mean "
                              "'attempts'?",
                          base
                            + ":15:5: unknown key 'instanses' in agents.coder; did you mean "
                              "'instances'?"));
}

TEST(source_files, a_prompt_is_looked_for_beside_the_file_that_names_it) {
  temporary_folder folder;
  folder.write("base/code.md", "from the base");
  folder.write("base/base.yaml", spoilt("prompt_text: code", "prompt: code.md"));
  auto file = folder.write("deep/er/t.yaml", "extends: ../../base/base.yaml\n");
  EXPECT_EQ(read_topology(file, with_key()).value.agent("coder")->prompt, "from the base");
}

TEST(source_files, a_base_that_is_not_there_is_reported_where_it_is_named) {
  temporary_folder folder;
  auto file = folder.write("t.yaml", "version: 1\nextends: none.yaml\n").string();
  EXPECT_THAT(mistakes_of(file),
              ElementsAre(file + ":2:10: cannot read '" + (folder.path() / "none.yaml").string()
                          + "': no such file"));
}

TEST(source_files, extends_names_one_file) {
  temporary_folder folder;
  auto file = folder.write("t.yaml", "extends: [a.yaml, b.yaml]\n").string();
  EXPECT_THAT(mistakes_of(file),
              ElementsAre(file + ":1:10: extends must name one file, not a list"));
}

TEST(source_files, files_that_extend_each_other_are_refused) {
  temporary_folder folder;
  auto a = folder.write("a.yaml", "extends: b.yaml\n").string();
  auto b = folder.write("b.yaml", "extends: ./a.yaml\n").string();
  EXPECT_THAT(mistakes_of(a), ElementsAre(b + ":1:10: extends goes round in a circle: " + a + " -> "
                                          + b + " -> " + a));
}
