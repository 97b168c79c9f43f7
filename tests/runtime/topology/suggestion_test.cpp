#include "runtime/topology/suggestion.hpp"

#include <gtest/gtest.h>

using namespace lathe::runtime;

TEST(suggestion, the_distance_counts_edits_and_swaps) {
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("coder", "coder"), 0u);
  EXPECT_EQ(edit_distance("instanses", "instances"), 1u);
  EXPECT_EQ(edit_distance("cdoer", "coder"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(suggestion, the_closest_known_word_is_proposed) {
  EXPECT_EQ(did_you_mean("fixr", {"coder", "fixer", "six"}), "; did you mean 'fixer'?");
}

TEST(suggestion, a_word_like_no_other_gets_no_proposal) {
  EXPECT_EQ(did_you_mean("banana", {"coder", "fixer"}), "");
  EXPECT_EQ(did_you_mean("x", {"y"}), "") << "one letter says nothing";
  EXPECT_EQ(did_you_mean(std::string(100'000, 'a'), {"aa"}), "");
}

TEST(suggestion, alternatives_read_as_a_sentence) {
  EXPECT_EQ(either({"a"}), "a");
  EXPECT_EQ(either({"a", "b", "c"}), "a, b or c");
}
