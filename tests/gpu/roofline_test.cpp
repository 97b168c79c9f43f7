#include "gpu/roofline.hpp"

#include <gtest/gtest.h>

#include <limits>

using namespace lathe;
using namespace lathe::gpu;

namespace {

// A GPU as on paper: 3 TB/s, 50 MB of cache, 60, 400 and 800 TFLOP/s.
const device_peaks paper_gpu{3e12, 3.2e12, 6e12, 60e12, 400e12, 800e12, 50e6, true};

// A core: 10 GB/s beyond a cache of 32 MB, 40 GB/s in it, 50 GFLOP/s.
const device_peaks paper_core{10e9, 9e9, 40e9, 50e9, 50e9, 50e9, 32e6, false};

call_work moving(double inputs, double outputs) {
  call_work x;
  x.inputs = x.read = inputs;
  x.outputs = x.written = outputs;
  return x;
}

call_work computing(double operations) {
  call_work x;
  x.operations = operations;
  return x;
}

} // namespace

TEST(stated_floor, all_bytes_are_moved_once_at_the_measured_bandwidth) {
  auto x = moving(2e9, 1e9);
  x.parameters = 3e9;
  auto found = stated_floor(x, paper_gpu, "fp32");
  EXPECT_DOUBLE_EQ(found.bytes, 6e9);
  EXPECT_DOUBLE_EQ(found.floor, 2e-3);
}

TEST(stated_floor, is_the_larger_of_data_and_arithmetic) {
  auto x = moving(2e9, 1e9);
  x.operations = 40e12;
  EXPECT_DOUBLE_EQ(stated_floor(x, paper_gpu, "tf32").floor, 0.1);
  x.operations = 4e9;
  EXPECT_DOUBLE_EQ(stated_floor(x, paper_gpu, "tf32").floor, 1e-3);
}

TEST(stated_floor, operations_count_at_the_rate_of_the_precision_that_is_allowed) {
  auto x = computing(400e12);
  EXPECT_DOUBLE_EQ(stated_floor(x, paper_gpu, "fp32").floor, 3) << "a third of TF32's rate";
  EXPECT_DOUBLE_EQ(stated_floor(x, paper_gpu, "kernelbench").floor, 1);
  EXPECT_DOUBLE_EQ(stated_floor(x, paper_gpu, "pike").floor, 0.5);
  EXPECT_DOUBLE_EQ(stated_floor(computing(50e9), paper_core, "fp32").floor, 1);
}

TEST(stated_floor, a_model_in_half_types_computes_at_their_rate_whatever_is_allowed) {
  auto x = computing(400e12);
  x.narrow = true;
  EXPECT_DOUBLE_EQ(stated_floor(x, paper_gpu, "fp32").floor, 0.5);
}

TEST(stated_floor, what_a_cache_holds_that_nobody_flushes_moves_at_its_rate) {
  EXPECT_DOUBLE_EQ(stated_floor(moving(10e6, 10e6), paper_core, "fp32").floor, 20e6 / 40e9);
  EXPECT_DOUBLE_EQ(stated_floor(moving(132e6, 0), paper_core, "fp32").floor, 32e6 / 40e9 + 0.01);
}

TEST(sure_floor, is_far_below_the_stated_one) {
  auto x = moving(4e9, 4e9);
  EXPECT_GT(sure_floor(x, paper_gpu), 0);
  EXPECT_LT(sure_floor(x, paper_gpu), 0.5 * stated_floor(x, paper_gpu, "fp32").floor);
}

TEST(sure_floor, arithmetic_and_parameters_make_nothing_sure) {
  auto x = computing(1e18);
  x.parameters = 1e12;
  EXPECT_EQ(sure_floor(x, paper_gpu), 0);
}

TEST(sure_floor, inputs_that_decide_nothing_do_not_count) {
  auto x = moving(4e9, 0);
  x.read = 0;
  EXPECT_EQ(sure_floor(x, paper_gpu), 0);
}

TEST(sure_floor, what_fits_into_the_cache_makes_nothing_sure) {
  EXPECT_EQ(sure_floor(moving(0, 50e6), paper_gpu), 0);
  EXPECT_EQ(sure_floor(moving(100e6, 0), paper_gpu), 0) << "half of it may suffice";
  EXPECT_EQ(sure_floor(moving(256e6, 128e6), paper_core), 0) << "four times the cache";
  EXPECT_GT(sure_floor(moving(300e6, 0), paper_core), 0);
}

TEST(device_peaks, the_best_of_two_measurements_counts_rate_by_rate) {
  auto slow = paper_gpu;
  slow.bandwidth = 1e12;
  slow.half = 900e12;
  auto found = best_of(paper_gpu, slow);
  EXPECT_EQ(found.bandwidth, 3e12);
  EXPECT_EQ(found.half, 900e12);
}

TEST(device_peaks, nonsense_is_no_peak) {
  EXPECT_TRUE(is_plausible(paper_gpu));
  EXPECT_FALSE(is_plausible(device_peaks{}));
  auto x = paper_gpu;
  x.reading = std::numeric_limits<double>::infinity();
  EXPECT_FALSE(is_plausible(x));
}
