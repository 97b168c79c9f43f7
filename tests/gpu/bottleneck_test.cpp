#include "gpu/bottleneck.hpp"

#include "gpu/profile_digest.hpp"
#include "gpu/profile_picture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::gpu;
using testing::HasSubstr;

namespace {

constexpr device_limits h200{132, 2048, 32, 65'536, 233'472, 32};

constexpr double us = 1e-6;

profile_event kernel(double seconds, std::int64_t blocks, std::int64_t threads) {
  profile_event result;
  result.kind = "kernel";
  result.name = result.symbol = "k";
  result.seconds = seconds;
  result.grid = {blocks, 1, 1};
  result.block = {threads, 1, 1};
  result.registers = 32;
  return result;
}

/// One kernel that takes all of a call, and fills the GPU well.
call_profile one_kernel(double seconds = 1000 * us) {
  call_profile result;
  result.limits = h200;
  result.peaks = device_peaks{4e12, 4e12, 8e12, 50e12, 380e12, 750e12, 60e6, true};
  result.seconds = seconds;
  result.events = {kernel(seconds, 132 * 8 * 10, 256)};
  return result;
}

/// Kernels one after the other, with `gap` before each but the first.
call_profile many(std::size_t count, double each, double gap) {
  auto result = one_kernel();
  result.events.assign(count, kernel(each, 132 * 8, 256));
  for (std::size_t i = 0; i < count; ++i)
    result.events[i].start = static_cast<double>(i) * (each + gap);
  result.seconds = static_cast<double>(count) * (each + gap);
  return result;
}

bottleneck first(const call_profile& x) {
  auto found = diagnose(x);
  EXPECT_FALSE(found.empty());
  return found.empty() ? bottleneck::latency_bound : found.front().what;
}

kernel_code code() {
  kernel_code result;
  result.efficiency = 1;
  return result;
}

} // namespace

// -- a whole call -------------------------------------------------------------------------

TEST(bottleneck, names_gaps_between_small_kernels_launches) {
  auto x = many(100, 3 * us, 7 * us);
  EXPECT_EQ(first(x), bottleneck::launch_bound);
  EXPECT_THAT(diagnose(x).front().evidence, HasSubstr("works 30 %"));
}

TEST(bottleneck, blames_the_host_for_long_gaps_and_for_values_that_it_reads) {
  EXPECT_EQ(first(many(10, 20 * us, 200 * us)), bottleneck::host_bound);
  auto x = many(40, 5 * us, 10 * us);
  for (std::size_t i = 0; i < x.events.size(); i += 4) {
    x.events[i].kind = "device to pageable host memory";
    x.events[i].seconds = 1 * us;
  }
  EXPECT_EQ(first(x), bottleneck::host_bound);
}

TEST(bottleneck, says_when_copies_to_and_from_the_host_hold_the_time) {
  auto x = one_kernel(300 * us);
  auto copy = kernel(600 * us, 0, 0);
  copy.kind = "pageable host memory to device";
  copy.start = 300 * us;
  x.events.push_back(copy);
  x.seconds = 1000 * us;
  EXPECT_EQ(first(x), bottleneck::transfers);
}

TEST(bottleneck, has_nothing_to_say_of_a_call_in_which_nothing_ran) {
  call_profile x;
  EXPECT_TRUE(diagnose(x).empty());
  EXPECT_THAT(digest(x), HasSubstr("nothing ran"));
}

// -- one kernel -----------------------------------------------------------------------------

TEST(bottleneck, calls_a_kernel_memory_bound_near_the_measured_bandwidth) {
  auto x = one_kernel();
  x.work.inputs = x.work.outputs = 1.6e9;
  EXPECT_EQ(first(x), bottleneck::memory_bound);
  x.work.inputs = x.work.outputs = 0.2e9;
  EXPECT_EQ(first(x), bottleneck::latency_bound);
}

TEST(bottleneck, tells_products_on_tensor_cores_from_others) {
  auto x = one_kernel();
  x.work.inputs = 1e6;
  x.work.operations = 15e9;
  EXPECT_EQ(first(x), bottleneck::no_tensor_cores);
  x.work.operations = 400e9;
  x.events[0].symbol = "nvjet_hsh_256x128";
  EXPECT_EQ(first(x), bottleneck::compute_bound);
}

TEST(bottleneck, finds_arithmetic_in_the_code_where_no_product_was_counted) {
  auto x = one_kernel();
  x.code["k"] = code();
  x.code["k"].arithmetic = 60;
  EXPECT_EQ(first(x), bottleneck::compute_bound);
  x.events[0].grid = {132 * 2, 1, 1};
  EXPECT_EQ(first(x), bottleneck::latency_bound) << "too few threads to keep the units busy";
}

TEST(bottleneck, finds_grids_that_do_not_fill_the_gpu) {
  auto x = one_kernel();
  x.events[0].grid = {8, 1, 1};
  EXPECT_EQ(first(x), bottleneck::too_few_blocks);
  x.events[0].grid = {132 * 8 + 4, 1, 1};
  EXPECT_EQ(first(x), bottleneck::tail_effect);
  EXPECT_THAT(diagnose(x).front().evidence, HasSubstr("1.00 times"));
  x.events[0].grid = {132 * 8, 1, 1};
  EXPECT_EQ(first(x), bottleneck::latency_bound);
}

TEST(bottleneck, weighs_scattered_accesses_against_bank_conflicts) {
  auto x = one_kernel();
  auto& facts = x.code["k"] = code();
  facts.efficiency = 0.125;
  EXPECT_EQ(first(x), bottleneck::uncoalesced);
  facts.shared_share = 0.9;
  facts.conflicts = 32;
  EXPECT_EQ(first(x), bottleneck::bank_conflicts);
  EXPECT_EQ(diagnose(x).size(), 2u) << "the other one is told, too";
  facts.efficiency = 1;
  facts.conflicts = 1;
  EXPECT_EQ(first(x), bottleneck::latency_bound);
}

TEST(bottleneck, finds_spills_atomics_and_little_room) {
  auto x = one_kernel();
  x.events[0].local = 256;
  EXPECT_EQ(first(x), bottleneck::register_spill);
  x.events[0].local = 0;
  x.code["k"] = code();
  x.code["k"].stack = 256;
  EXPECT_EQ(first(x), bottleneck::register_spill);
  x = one_kernel();
  x.code["k"] = code();
  x.code["k"].atomic_share = 0.5;
  EXPECT_EQ(first(x), bottleneck::atomics) << "who meets where data decide";
  x.code["k"].same_address = 1;
  EXPECT_EQ(first(x), bottleneck::atomics);
  x.code["k"].same_address = 1.0 / 32;
  EXPECT_EQ(first(x), bottleneck::latency_bound);
  x = one_kernel();
  x.events[0].shared = 200'000;
  x.events[0].block = {64, 1, 1};
  EXPECT_EQ(first(x), bottleneck::low_occupancy);
  EXPECT_THAT(diagnose(x).front().evidence, HasSubstr("shared memory"));
}

TEST(bottleneck, a_kernel_that_takes_little_of_the_call_does_not_speak_for_it) {
  auto x = many(10, 100 * us, 0);
  for (std::size_t i = 0; i < x.events.size(); ++i)
    x.events[i].symbol = x.events[i].name = "k" + std::to_string(i);
  x.events[0].local = 256;
  EXPECT_EQ(first(x), bottleneck::latency_bound);
  EXPECT_THAT(diagnose(x).front().evidence, HasSubstr("no kernel holds most of the time"));
}

TEST(bottleneck, one_kernel_on_tensor_cores_is_enough_not_to_miss_them) {
  auto x = many(10, 100 * us, 0);
  x.work.inputs = 1e6;
  x.work.operations = 50e9;
  x.events[3].symbol = x.events[4].symbol = "sm90_xmma_gemm_tf32tf32_f32";
  for (auto& y : diagnose(x))
    EXPECT_NE(y.what, bottleneck::no_tensor_cores) << y.evidence;
  x.events[3].symbol = x.events[4].symbol = "_ZN7cutlass13device_kernelIN25MainloopSm90TmaGmma";
  for (auto& y : diagnose(x))
    EXPECT_NE(y.what, bottleneck::no_tensor_cores) << y.evidence;
}

TEST(bottleneck, what_is_launched_at_once_has_nothing_left_but_its_launch) {
  auto x = one_kernel(10 * us);
  x.seconds = 40 * us;
  EXPECT_EQ(first(x), bottleneck::launch_bound);
  EXPECT_THAT(diagnose(x).front().evidence, HasSubstr("launched at once"));
  x = many(100, 3 * us, 7 * us);
  for (auto& e : x.events)
    e.graph = true;
  EXPECT_THAT(diagnose(x).front().evidence, HasSubstr("launched at once"));
}

TEST(bottleneck, copies_alone_are_told_as_such) {
  auto x = one_kernel();
  x.events[0].kind = "device to device";
  EXPECT_EQ(first(x), bottleneck::memory_bound);
}

TEST(bottleneck, gaps_are_not_told_of_a_call_that_is_known_in_part) {
  auto x = many(100, 3 * us, 7 * us);
  x.complete = false;
  EXPECT_NE(first(x), bottleneck::launch_bound);
}

// -- a CPU --------------------------------------------------------------------------------

TEST(bottleneck, looks_at_the_kinds_of_a_cpus_operators) {
  call_profile x;
  x.peaks = device_peaks{10e9, 10e9, 40e9, 50e9, 50e9, 50e9, 1e6, false};
  profile_event e;
  e.kind = "operator";
  e.name = "aten::addmm 64 64x64";
  e.seconds = x.seconds = 1e-3;
  x.events = {e};
  x.work.operations = 40e6;
  EXPECT_EQ(first(x), bottleneck::compute_bound);
  x.events[0].name = "aten::exp 64x64";
  EXPECT_EQ(first(x), bottleneck::memory_bound);
  EXPECT_THAT(diagnose(x).front().evidence, HasSubstr("whole tensors"));
  x.events[0].calls = 500;
  EXPECT_EQ(first(x), bottleneck::launch_bound);
  x.work.inputs = 9e6;
  EXPECT_EQ(first(x), bottleneck::memory_bound);
}

// -- what it goes by --------------------------------------------------------------------------

TEST(bottleneck, every_name_has_its_moves) {
  for (std::size_t i = 0; i < enum_names<bottleneck>::value.size(); ++i)
    for (auto on_gpu : {false, true})
      EXPECT_FALSE(usual_moves(static_cast<bottleneck>(i), on_gpu).empty());
}

// Expected values are those of CUDA's occupancy calculator for compute capability 9.0.
TEST(bottleneck, occupancy_is_what_cuda_calculates) {
  auto e = kernel(1, 1, 256);
  EXPECT_EQ(occupancy_of(e, h200).blocks, 8);
  EXPECT_EQ(occupancy_of(e, h200).limiter, "");
  e.registers = 128;
  EXPECT_EQ(occupancy_of(e, h200).blocks, 2);
  EXPECT_EQ(occupancy_of(e, h200).limiter, "registers");
  e.registers = 255;
  EXPECT_EQ(occupancy_of(e, h200).blocks, 1);
  e.registers = 32;
  e.shared = 48 * 1024;
  EXPECT_EQ(occupancy_of(e, h200).blocks, 4);
  EXPECT_EQ(occupancy_of(e, h200).limiter, "shared memory");
  e.shared = 0;
  e.block = {32, 1, 1};
  EXPECT_EQ(occupancy_of(e, h200).blocks, 32);
  EXPECT_DOUBLE_EQ(occupancy_of(e, h200).share, 0.5);
  EXPECT_EQ(occupancy_of(e, {}).blocks, 0);
  e = kernel(1, 1, 160);
  e.registers = 80;
  EXPECT_EQ(occupancy_of(e, h200).blocks, 4);
  e.registers = 32;
  e.shared = 32 << 10;
  EXPECT_EQ(occupancy_of(e, {40, 1024, 16, 65'536, 65'536, 32}).blocks, 2) << "Turing";
}

TEST(bottleneck, work_on_two_streams_counts_once) {
  auto x = many(4, 10 * us, 0);
  for (auto& e : x.events)
    e.start = 0;
  EXPECT_DOUBLE_EQ(busy_time(x), 10 * us);
}

// -- what a worker tells ----------------------------------------------------------------------

TEST(call_profile, is_read_from_what_a_worker_tells) {
  auto x = parse_profile(R"json({"complete": true, "events": [{"kind": "kernel", "symbol": "_Zk",
    "name": "k<1>(float*)", "start_ns": 10, "ns": 2000, "grid": [4, 2, 1], "block": [128, 1, 1],
    "registers": 40, "static_shared": 16, "dynamic_shared": 1024, "local": 8, "graph": true}],
    "limits": {"multiprocessors": 132, "threads": 2048, "blocks": 32, "registers": 65536,
    "shared": 233472, "warp": 32}})json");
  ASSERT_TRUE(x);
  ASSERT_EQ(x->events.size(), 1u);
  auto& e = x->events[0];
  EXPECT_EQ(e.name, "k<1>(float*)");
  EXPECT_DOUBLE_EQ(e.seconds, 2e-6);
  EXPECT_EQ(e.grid[1], 2);
  EXPECT_EQ(e.shared, 1040);
  EXPECT_TRUE(e.graph);
  auto code =
    parse_code(R"({"_Zk": {"tensor_cores": true, "efficiency": 0.5, "conflicts": null}})");
  EXPECT_TRUE(code.at("_Zk").tensor_cores);
  EXPECT_EQ(code.at("_Zk").efficiency, 0.5);
  EXPECT_FALSE(code.at("_Zk").conflicts);
  EXPECT_TRUE(x->on_gpu());
  EXPECT_TRUE(x->complete);
}

TEST(call_profile, survives_what_foreign_code_makes_of_it) {
  EXPECT_FALSE(parse_profile(""));
  EXPECT_FALSE(parse_profile("[]"));
  EXPECT_FALSE(parse_profile(R"({"events": 3})"));
  auto x = parse_profile(R"({"events": [3, null, {"kind": "kernel", "ns": -5, "grid": ["a", -1],
    "block": 7, "name": "a\u0000\u001b[31m`b`", "registers": 1e300, "local": -1}],
    "limits": []})");
  ASSERT_TRUE(x);
  EXPECT_EQ(x->events[2].name, "a[31mb");
  EXPECT_EQ(x->events[2].seconds, 0);
  EXPECT_EQ(x->events[2].registers, 0);
  EXPECT_FALSE(digest(*x).empty());
  x = parse_profile(R"({"events": [{"kind": "kernel", "ns": 5, "registers": 1e18,
    "block": [1722007169, 714156689, 15], "grid": [2147483648, 1, 1]}],
    "limits": {"threads": 2048, "warp": 0, "multiprocessors": 1e17}})");
  ASSERT_TRUE(x);
  EXPECT_EQ(occupancy_of(x->events[0], x->limits).blocks, 0);
  EXPECT_FALSE(digest(*x).empty());
  EXPECT_TRUE(parse_code("[3").empty());
  EXPECT_EQ(parse_code(R"({"": 3})").size(), 1u);
}

TEST(profile_digest, names_the_bottleneck_first_and_the_kernels_below) {
  auto x = one_kernel();
  x.events[0].local = 256;
  x.floor = 100 * us;
  auto text = digest(x);
  EXPECT_TRUE(text.starts_with("register-spill: k keeps 256 B")) << text;
  EXPECT_THAT(text, HasSubstr("usual moves: smaller tiles"));
  EXPECT_THAT(text, HasSubstr("10.0x below this call"));
  EXPECT_THAT(text, HasSubstr("100 %  1 ms in 1 call  k\n"));
  EXPECT_THAT(text, HasSubstr("10560 blocks of 256 threads, 10 waves; 32 registers, 256 B local; "
                              "occupancy 100 %"));
}

TEST(profile_picture, draws_what_ran_and_the_roofline_and_escapes_names) {
  auto x = one_kernel();
  x.events[0].name = "k<float>(\"&\")";
  x.work.inputs = 1e6;
  x.work.operations = 1e9;
  auto picture = draw_profile(x, "a < b");
  EXPECT_TRUE(picture.starts_with("<svg ")) << picture;
  EXPECT_THAT(picture, HasSubstr("a &lt; b"));
  EXPECT_THAT(picture, HasSubstr("k&lt;float&gt;(&quot;&amp;&quot;), 1e+03 us"));
  EXPECT_THAT(picture, HasSubstr("this call: 1 Top/s"));
  EXPECT_EQ(picture.find("nan"), std::string::npos);
}

TEST(profile_picture, leaves_out_what_is_not_known) {
  for (auto& x : {call_profile{}, one_kernel(0), many(20'000, 1 * us, 1 * us)}) {
    auto picture = draw_profile(x, "");
    EXPECT_TRUE(picture.ends_with("</svg>\n"));
    EXPECT_EQ(picture.find("nan"), std::string::npos);
    EXPECT_LT(picture.size(), 2u << 20);
  }
}
