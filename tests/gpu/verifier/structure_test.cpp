#include "gpu/verifier/structure.hpp"

#include "tests/gpu/verifier/values_writer.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

using namespace lathe::verifier;
using lathe::verifier::test::tuple_of;

namespace {

value list_of(std::vector<value> items) {
  return {sequence{false, std::move(items)}};
}

value dict_of(std::string key, value entry) {
  return {mapping{{{std::move(key), std::move(entry)}}}};
}

} // namespace

TEST(structure, trees_of_equal_form_have_no_difference) {
  auto make = [](double fill) {
    return tuple_of(at::full({2, 3}, fill), scalar{std::numeric_limits<double>::quiet_NaN()},
                    dict_of("a", list_of({value{at::full({1}, fill)}})).content);
  };
  EXPECT_EQ(structure_difference(make(1), make(2)), "");
}

TEST(structure, nothing_is_broadcast) {
  value row{at::ones({1, 4})}, all{at::ones({3, 4})}, flat{at::ones({12})};
  EXPECT_EQ(structure_difference(all, row), "output 0: shape [1, 4] instead of [3, 4]");
  EXPECT_EQ(structure_difference(all, flat), "output 0: shape [12] instead of [3, 4]");
  EXPECT_EQ(structure_difference(value{at::ones({})}, value{at::ones({1})}),
            "output 0: shape [1] instead of []");
}

TEST(structure, dtypes_have_to_match) {
  EXPECT_EQ(structure_difference(tuple_of(at::ones({2}), at::ones({2})),
                                 tuple_of(at::ones({2}), at::ones({2}, at::kHalf))),
            "output 1: dtype float16 instead of float32");
}

TEST(structure, a_missing_or_extra_output_is_noticed) {
  auto two = tuple_of(at::ones({2}), at::ones({2}));
  EXPECT_EQ(structure_difference(two, value{at::ones({2})}),
            "the reference returns a tuple of 2, the candidate a tensor");
  EXPECT_EQ(structure_difference(two, tuple_of(at::ones({2}))),
            "the reference returns a tuple of 2, the candidate a tuple of 1");
  EXPECT_EQ(structure_difference(two, list_of({value{at::ones({2})}, value{at::ones({2})}})),
            "the reference returns a tuple of 2, the candidate a list of 2");
}

TEST(structure, differences_inside_are_named_by_their_place) {
  auto nested = [](value x) {
    return tuple_of(at::ones({1}), dict_of("mask", std::move(x)).content);
  };
  EXPECT_EQ(structure_difference(nested(value{at::ones({2})}), nested(value{at::ones({3})})),
            "output 1['mask']: shape [3] instead of [2]");
  EXPECT_EQ(structure_difference(nested(value{at::ones({2})}), nested(value{scalar{}})),
            "output 1['mask']: None instead of a tensor");
  EXPECT_EQ(structure_difference(dict_of("a", value{scalar{}}), dict_of("b", value{scalar{}})),
            "the dict: key 'b' instead of 'a'");
}

TEST(structure, scalars_have_to_be_equal_and_of_one_type) {
  auto difference = [](scalar a, scalar b) {
    return structure_difference(tuple_of(std::move(a)), tuple_of(std::move(b)));
  };
  EXPECT_EQ(difference(std::int64_t{3}, std::int64_t{3}), "");
  EXPECT_EQ(difference(std::int64_t{3}, std::int64_t{4}),
            "output 0: the integer 4 instead of the integer 3");
  EXPECT_EQ(difference(std::int64_t{1}, true), "output 0: True instead of the integer 1");
  EXPECT_EQ(difference(std::string(100, 'x'), std::string{"a\nb"}),
            "output 0: the string 'a?b' instead of the string '" + std::string(40, 'x') + "...'");
}

TEST(structure, leaves_are_named_as_people_do) {
  auto tree = tuple_of(at::ones({1}), list_of({value{at::ones({2})}}).content,
                       dict_of("mask", value{at::ones({3})}).content);
  auto found = leaves(tree);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].name, "output 0");
  EXPECT_EQ(found[1].name, "output 1[0]");
  EXPECT_EQ(found[2].name, "output 2['mask']");
  EXPECT_EQ(leaves(value{at::ones({1})}).at(0).name, "output 0");
}
