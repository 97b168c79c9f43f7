#include "gpu/verifier/error_pattern.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <limits>

using namespace lathe::verifier;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

namespace {

at::Tensor mask(c10::IntArrayRef shape) {
  return at::zeros(shape, at::kBool);
}

at::Tensor all(c10::IntArrayRef shape) {
  return at::ones(shape, at::kBool);
}

std::string relation(const at::Tensor& expected, const at::Tensor& got) {
  return describe_relation(expected, got, all(expected.sizes()));
}

std::string errors(const at::Tensor& expected, const at::Tensor& got, policy rule = policy::fp32) {
  auto found = compare(expected, at::zeros_like(expected), got, {rule});
  return describe_errors({"output 0", expected}, got, found, rule);
}

at::Tensor noise(c10::IntArrayRef shape, int seed = 1) {
  return at::randn(shape, at::detail::createCPUGenerator(static_cast<uint64_t>(seed)));
}

} // namespace

// -- where ------------------------------------------------------------------------

TEST(error_pattern, rows_at_the_end_of_blocks_are_recognised) {
  auto off = mask({512, 128});
  for (int row : {127, 255, 383, 511})
    off[row].fill_(true);
  EXPECT_EQ(describe_place(off),
            "all in rows 127, 255, 383, 511 (the last row of every block of 128)");
}

TEST(error_pattern, a_stripe_of_columns_is_recognised) {
  auto off = mask({8, 64});
  off.narrow(1, 16, 16).fill_(true);
  EXPECT_EQ(describe_place(off), "all in columns 16 to 31");
}

TEST(error_pattern, a_block_is_named_by_rows_and_columns) {
  auto off = mask({64, 64});
  off.narrow(0, 48, 16).narrow(1, 0, 16).fill_(true);
  EXPECT_EQ(describe_place(off),
            "all in rows 48 to 63 (the last 16) and columns 0 to 15 (the first 16)");
}

TEST(error_pattern, leading_dimensions_are_named_by_number) {
  auto off = mask({4, 8, 8});
  off[2].fill_(true);
  EXPECT_EQ(describe_place(off), "all in dimension 0 index 2");
}

TEST(error_pattern, a_tail_that_starts_inside_a_row_is_recognised) {
  auto off = mask({10, 10});
  off.flatten().narrow(0, 87, 13).fill_(true);
  EXPECT_EQ(describe_place(off), "the tail: everything from flat index 87 on");
}

TEST(error_pattern, elements_of_a_vector_are_named) {
  auto off = mask({10});
  off.narrow(0, 6, 4).fill_(true);
  EXPECT_EQ(describe_place(off), "all in elements 6 to 9 (the last 4)");
}

TEST(error_pattern, elements_without_a_pattern_are_scattered) {
  EXPECT_EQ(describe_place(noise({32, 32}) > 1), "scattered");
  EXPECT_EQ(describe_place(all({3, 3})), "all of them");
}

// -- how ------------------------------------------------------------------------------

TEST(error_pattern, simple_relations_are_recognised) {
  auto x = noise({8, 8});
  EXPECT_EQ(relation(x, x * 2), "off by a constant factor 2");
  EXPECT_EQ(relation(x, -x), "off by a constant factor -1");
  EXPECT_EQ(relation(x, x + 0.5), "shifted by 0.5");
  EXPECT_EQ(relation(x, at::zeros_like(x)), "all of these are zero");
  EXPECT_EQ(relation(x, at::full_like(x, 3)), "all of these are 3");
  EXPECT_EQ(relation(x, x.t().contiguous()), "the last two dimensions are swapped");
  EXPECT_EQ(relation(x, x.flip(0)), "the right values in other places");
  EXPECT_EQ(relation(x, noise({8, 8}, 2)), "");
}

TEST(error_pattern, values_that_are_not_finite_are_counted) {
  auto x = noise({8});
  auto got = x.clone();
  got[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(relation(x, got), "1 of these are NaN");
  EXPECT_EQ(relation(x, at::full_like(x, std::numeric_limits<float>::infinity())),
            "all of these are infinite");
  EXPECT_EQ(relation(got, x), "finite where NaN or infinity is expected");
}

// -- the whole sentence -----------------------------------------------------------------

TEST(error_pattern, the_evidence_reads_as_promised) {
  auto expected = noise({512, 128});
  auto got = expected.clone();
  for (int row : {127, 255, 383, 511})
    got[row].zero_();
  auto text = errors(expected, got);
  EXPECT_THAT(text,
              StartsWith("output 0: 512 of 65536 elements off, all in rows 127, 255, 383, 511 "
                         "(the last row of every block of 128); all of these are zero\n"
                         "worst: ["));
  EXPECT_THAT(text, HasSubstr("times float32 eager's (allowed: 8)"));
}

TEST(error_pattern, at_most_three_elements_and_four_digits_are_shown) {
  auto expected = at::full({100}, 1.23456789f);
  auto text = errors(expected, expected * 3);
  auto count = [&](std::string_view what) {
    int result = 0;
    for (auto i = text.find(what); i != std::string::npos; i = text.find(what, i + 1))
      ++result;
    return result;
  };
  EXPECT_EQ(count("expected"), 3);
  EXPECT_EQ(count("expected 1.235,"), 3);
  EXPECT_EQ(count("1.2345"), 0);
}

TEST(error_pattern, the_worst_elements_come_first) {
  auto expected = noise({4, 4});
  auto got = expected.clone();
  got[2][1] = 50;
  got[0][3] = 90;
  EXPECT_THAT(errors(expected, got), HasSubstr("worst: [0, 3] expected"));
  EXPECT_THAT(errors(expected, got), HasSubstr("got 90; [2, 1] expected"));
}

TEST(error_pattern, errors_too_small_for_four_digits_are_shown_as_differences) {
  auto expected = at::linspace(1, 2, 100);
  auto got = expected.clone();
  got[0] = 1.00002f;
  auto text = errors(expected, got);
  EXPECT_THAT(text, HasSubstr("one element of 100 off"));
  EXPECT_THAT(text, HasSubstr("[0] expected 1, got 1 (2.0e-05 more)"));
}

TEST(error_pattern, lower_precision_is_named) {
  auto left = noise({32, 64}, 1);
  auto right = noise({64, 32}, 2);
  auto expected = left.matmul(right);
  auto got = left.to(at::kBFloat16).matmul(right.to(at::kBFloat16)).to(at::kFloat);
  EXPECT_THAT(errors(expected, got), HasSubstr("as large as those of half precision"));
}

TEST(error_pattern, published_policies_state_plain_errors) {
  auto expected = at::ones({4, 4});
  auto got = expected.clone();
  got[1][1] = 2;
  EXPECT_THAT(errors(expected, got, policy::pike), EndsWith("error 1 (allowed: 0.03)"));
}

TEST(error_pattern, integers_are_shown_whole_and_without_an_error) {
  auto expected = at::tensor({1, 2, 123457});
  auto got = at::tensor({1, 2, 123458});
  EXPECT_EQ(errors(expected, got),
            "output 0: one element of 3 off\nworst: [2] expected 123457, got 123458");
}

TEST(error_pattern, some_elements_of_a_large_output_stand_for_all) {
  auto expected = at::ones({(16 << 20) / 64 + 64, 64});
  auto got = expected.clone();
  got.narrow(0, 64, got.size(0) - 64).zero_();
  EXPECT_THAT(errors(expected, got), HasSubstr("; all of these are zero (one in 3 was looked at)\n"
                                               "worst: ["));
  auto right = expected.clone();
  right[0][1] = 7; // not among those that are looked at
  EXPECT_THAT(errors(expected, right), HasSubstr("one element of 16781312 off\nworst: [0, 1]"));
}

TEST(error_pattern, the_worst_are_found_in_whichever_part_they_are) {
  auto expected = at::zeros({1 << 20});
  auto got = expected.clone();
  for (auto [place, error] : {std::pair{70'000, 3.0}, {900'000, 9.0}, {5, 1.0}, {80'000, 5.0}})
    got[place] = error;
  EXPECT_THAT(errors(expected, got, policy::pike),
              HasSubstr("worst: [900000] expected 0, got 9; [80000] expected 0, got 5; "
                        "[70000] expected 0, got 3; error 9 (allowed: "));
}

TEST(error_pattern, the_first_integers_that_are_off_are_told) {
  auto expected = at::zeros({3 << 20}, at::kLong);
  auto got = expected.clone();
  got[(2 << 20) + 7] = 1;
  EXPECT_THAT(errors(expected, got), HasSubstr("one element of 3145728 off\n"
                                               "worst: [2097159] expected 0, got 1"));
}

TEST(error_pattern, numbers_are_brief) {
  EXPECT_EQ(brief(8), "8");
  EXPECT_EQ(brief(1.14), "1.1");
  EXPECT_EQ(brief(312), "312");
  EXPECT_EQ(brief(31234), "3.1e4");
  EXPECT_EQ(brief(0.0000123), "1.2e-5");
}
