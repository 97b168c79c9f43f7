#pragma once

#include "gpu/call_profile.hpp"
#include "messages/enum_names.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

// What bounds a call, by name, and what people usually do about it. Pure.

namespace lathe::gpu {

enum class bottleneck : std::uint8_t {
  transfers,       ///< copies between host and device
  host_bound,      ///< the device waits for Python, or for a value that the host reads
  launch_bound,    ///< the device waits for the next of many small kernels
  memory_bound,    ///< the device's memory moves what it can
  compute_bound,   ///< the units that multiply do what they can
  no_tensor_cores, ///< products of matrices on the units for single numbers
  register_spill,  ///< registers do not suffice, and memory stands in for them
  atomics,         ///< many threads change the same few places
  too_few_blocks,  ///< most multiprocessors have nothing to do
  tail_effect,     ///< the last wave of blocks fills few multiprocessors
  uncoalesced,     ///< neighbouring threads want memory that lies far apart
  bank_conflicts,  ///< neighbouring threads want the same banks of shared memory
  low_occupancy,   ///< too few threads find room to hide how long memory takes
  latency_bound,   ///< each step waits for the one before
};

/// A bottleneck, and how it shows: one sentence with numbers.
struct diagnosis {
  bottleneck what = bottleneck::latency_bound;
  std::string evidence;
};

/// Returns what bounds the call, and after it what would come next, or holds for one kernel only.
/// Empty where nothing ran.
std::vector<diagnosis> diagnose(const call_profile& x);

/// What is usually tried against it, in a sentence.
std::string_view usual_moves(bottleneck x, bool on_gpu);

// -- what diagnoses go by ---------------------------------------------------------------

/// The time during which anything ran [seconds].
double busy_time(const call_profile& x);

/// Events of one kernel, or operator, or kind of copy.
struct event_group {
  const profile_event* first = nullptr; ///< stands for all
  std::int64_t calls = 0;
  double seconds = 0; ///< sum
};

/// All of a call, those that took longest first.
std::vector<event_group> group_events(const call_profile& x);

/// How many times the device is filled by a kernel's blocks; zero when that is not known.
double waves_of(const profile_event& kernel, const device_limits& limits);

/// Writes "4.12 TB/s" for 4.12e12 and "B/s".
std::string format_rate(double bytes_or_operations, const char* unit);

/// Whether it multiplies on tensor cores, by its code or by its name.
bool uses_tensor_cores(const profile_event& kernel, const call_profile& x);

} // namespace lathe::gpu

namespace lathe {

template <>
struct enum_names<gpu::bottleneck> {
  static constexpr std::array<std::string_view, 14> value = {
    "transfers",       "host-bound",     "launch-bound",  "memory-bound",   "compute-bound",
    "no-tensor-cores", "register-spill", "atomics",       "too-few-blocks", "tail-effect",
    "uncoalesced",     "bank-conflicts", "low-occupancy", "latency-bound"};
};

} // namespace lathe
