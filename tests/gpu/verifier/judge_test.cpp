#include "gpu/verifier/judge.hpp"

#include "tests/gpu/verifier/values_writer.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

using namespace lathe::verifier;
using lathe::verifier::test::tuple_of;
using testing::EndsWith;
using testing::StartsWith;

namespace {

const auto ramp = at::linspace(0, 1, 24).view({4, 6});

} // namespace

TEST(judge, equal_answers_agree_and_say_how_well) {
  value correction{at::zeros_like(ramp)};
  auto found = judge(value{ramp}, &correction, value{ramp.clone()}, {});
  EXPECT_TRUE(found.agrees);
  EXPECT_EQ(found.precision_class, "fp32");
  EXPECT_EQ(found.evidence, "worst error 0 times float32 eager's");
}

TEST(judge, a_different_form_is_wrong_without_looking_at_elements) {
  auto found = judge(value{ramp}, nullptr, value{ramp.t().contiguous()}, {});
  EXPECT_FALSE(found.agrees);
  EXPECT_EQ(found.evidence, "output 0: shape [6, 4] instead of [4, 6]");
  EXPECT_EQ(found.precision_class, "worse");
}

TEST(judge, every_output_counts_and_the_first_that_is_off_is_described) {
  auto expected = tuple_of(ramp, ramp, ramp);
  auto found = judge(expected, nullptr, tuple_of(ramp, ramp * 2, ramp + 1), {});
  EXPECT_FALSE(found.agrees);
  EXPECT_THAT(found.evidence, StartsWith("output 1: 23 of 24 elements off"));
  EXPECT_THAT(found.evidence, EndsWith("\nalso off: output 2"));
}

TEST(judge, complex_outputs_are_compared_part_by_part) {
  auto expected = at::complex(ramp, ramp);
  auto got = expected.clone();
  EXPECT_TRUE(judge(value{expected}, nullptr, value{got}, {}).agrees);
  at::view_as_real(got)[1][2][1] = 7;
  auto found = judge(value{expected}, nullptr, value{got}, {});
  EXPECT_FALSE(found.agrees);
  EXPECT_THAT(found.evidence, testing::HasSubstr("[1, 2, 1] expected 0.3478, got 7"));
}

TEST(judge, a_correction_of_another_form_is_left_aside) {
  auto correction = tuple_of(ramp, ramp);
  EXPECT_TRUE(judge(value{ramp}, &correction, value{ramp}, {}).agrees);
}

TEST(judge, an_unreadable_answer_is_wrong) {
  auto found = unreadable("the file is cut off");
  EXPECT_FALSE(found.agrees);
  EXPECT_EQ(found.evidence, "the answer cannot be read: the file is cut off");
}
