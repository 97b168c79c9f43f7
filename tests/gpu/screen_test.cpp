#include "gpu/screen.hpp"

#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::gpu;

namespace {

std::string rule_of(std::string_view source) {
  auto x = screen(source);
  if (!x)
    return "passes";
  EXPECT_EQ(x->outcome, outcome::refused);
  EXPECT_FALSE(x->evidence.empty());
  return x->rule;
}

} // namespace

TEST(screen, passes_a_file_with_a_model) {
  EXPECT_EQ(rule_of("class ModelNew: pass"), "passes");
}

TEST(screen, names_what_can_be_no_candidate) {
  EXPECT_EQ(rule_of(""), "empty");
  EXPECT_EQ(rule_of(" \n\t\r\n"), "empty");
  EXPECT_EQ(rule_of("class Model: pass"), "no-model");
  EXPECT_EQ(rule_of(std::string_view{"class ModelNew\0", 15}), "binary");
  EXPECT_EQ(rule_of("class ModelNew: '\xff'"), "not-utf8");
  EXPECT_EQ(rule_of("class ModelNew: pass" + std::string(50 << 20, ' ') + "#"), "too-large");
}

TEST(screen, takes_a_class_of_the_tasks_name_where_that_will_do) {
  EXPECT_FALSE(screen("class Model: pass", true));
  EXPECT_TRUE(screen("class Net: pass", true));
}

TEST(screen, says_in_which_line_a_binary_file_gives_itself_away) {
  EXPECT_NE(screen(std::string_view{"ModelNew\n\n\0", 11})->evidence.find("line 3"), std::string::npos);
}

TEST(normalised_hash, ignores_what_cannot_matter) {
  EXPECT_EQ(normalised_hash("a = 1\nb = 2"), normalised_hash("a = 1  \r\n\n\nb = 2\n\n"));
}

TEST(normalised_hash, sees_what_can_matter) {
  EXPECT_NE(normalised_hash("if x:\n  a"), normalised_hash("if x:\n    a"));
  EXPECT_NE(normalised_hash("s = '#include <a>'"), normalised_hash("s = ''"));
}
