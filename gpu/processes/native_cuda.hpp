#pragma once

#include "gpu/processes/input_lock.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// The native half of the evaluation processes on a CUDA device: clocks and traces that Python in
/// the same process cannot reach. Speaks to the driver itself, which it finds at run time: the same
/// module serves hosts without a GPU. Works in the context that torch made current in the calling
/// thread. Functions throw std::runtime_error with the driver's own words.
namespace lathe::native {

/// Loads the driver's library, without a context. Whoever is loaded later under its name is not it.
void load_driver();

// -- clocks ---------------------------------------------------------------------------

/// What one call took.
struct device_times {
  std::int64_t device = 0; ///< [ns] between the two marks on the device
  std::int64_t after = 0; ///< [ns] from the second mark until the whole device is idle, by the host
};

/// Evicts what earlier calls left in the L2 cache by writing `flush_bytes`, resets lines that were
/// set to persist, and waits until the device is idle.
void settle_device(std::size_t flush_bytes);

/// Puts down the first mark.
void begin_device_call();

/// Puts down the second mark and waits until the whole device is idle, all streams included. What
/// it takes at least to ask a device that is idle does not count.
device_times end_device_call();

/// Memory that is made equal to other memory before a call, and should still be so after it.
struct refill {
  std::uintptr_t target = 0;
  std::uintptr_t source = 0;
  std::size_t bytes = 0;
};

/// Has the device copy `source` to `target`, in the order of its other work; does not wait.
void copy_on_device(const refill& x);

/// Has the device do the same and lock what it copies, or open what is locked; `target` may be
/// `source`. Works on 16 bytes at a time: what is behind either in its allocation, up to the next
/// multiple of that, is read and written, too.
void copy_on_device(const refill& x, const gpu::input_key& key);

/// Has the device find out whether both are equal; does not wait.
void compare_on_device(const refill& x);

/// Waits, and returns whether anything was not equal since this was last called.
bool take_differences();

/// Waits until the device is idle. What a kernel did wrong comes out here.
void wait_for_device();

/// Waits until other processes' work is off the device too: they have been stopped, but what they
/// launched before still runs. While it does, the device shares its time out in slices of
/// milliseconds, and a small kernel of ours has to wait for them.
/// @param patience [ns] to wait at most
/// @returns false when the device was still busy then
bool wait_until_quiet(std::int64_t patience);

// -- values ---------------------------------------------------------------------------

/// How many threads share the work of a large copy, at most, and what is not worth a second one.
inline constexpr std::size_t most_copying = 8;
inline constexpr std::size_t least_share = 16 << 20; // [bytes]

/// Bytes of a file.
struct file_part {
  int fd = -1;
  std::uint64_t offset = 0; ///< [bytes]
  std::size_t bytes = 0;
};

/// Copies them to the device's memory once that is not in use any more, and waits until they are
/// there. Goes through page-locked memory, with several threads: the driver's own way takes several
/// times as long. Throws std::runtime_error, too, when the file ends too early.
void copy_to_device(const file_part& from, std::uintptr_t target);

/// The other way, in the same manner.
/// @param again whether the file will be written to again, which is faster then: it stays mapped,
///              and so cannot be sealed
void copy_to_file(std::uintptr_t source, const file_part& to, bool again);

/// Lets go of the files that were to be written to again.
void forget_files();

// -- traces ---------------------------------------------------------------------------

/// Pieces of work of one kind.
struct device_work {
  std::int64_t count = 0;
  std::int64_t busy = 0; ///< [ns] sum of their durations
};

/// A kernel, a copy or a fill that ran.
struct device_event {
  std::string kind;          ///< "kernel", "fill", or a copy's ends: "host to device"
  std::string symbol;        ///< a kernel's name, as its compiler wrote it
  std::string name;          ///< the same, as people read it
  std::int64_t start = 0;    ///< [ns] since the first one began
  std::int64_t duration = 0; ///< [ns]
  std::int64_t bytes = 0;    ///< copied or filled
  std::uint32_t stream = 0;
  bool graph = false;         ///< it came from a CUDA graph
  std::array<int, 3> grid{};  ///< blocks
  std::array<int, 3> block{}; ///< threads
  int registers = 0;          ///< of a thread
  int static_shared = 0;      ///< [bytes] of a block
  int dynamic_shared = 0;     ///< [bytes] of a block
  std::int64_t local = 0;     ///< [bytes] of a thread
};

/// What the device did, on all streams and for all threads of this process.
struct device_trace {
  std::int64_t kernels = 0;
  std::int64_t own = 0;       ///< [ns] sum of the durations of kernels that came with the candidate
  std::int64_t library = 0;   ///< [ns] so of libraries' kernels
  std::int64_t framework = 0; ///< [ns] so of torch's kernels, and of copies and fills
  bool graphs = false;        ///< some of it came from a CUDA graph
  std::int64_t streams = 0; ///< on which there was any work
  std::int64_t span = 0;    ///< [ns] from the first start to the last end
  std::int64_t busy = 0;    ///< [ns] during which anything ran
  std::int64_t late = 0;    ///< [ns] by which the last work ended after `end_device_trace` was called
  std::vector<device_event> events; ///< in order of their starts, as many as were asked for
};

/// Begins to record, through CUPTI.
/// @param events how many are to be told one by one
void begin_device_trace(std::size_t events);

/// @param patience [ns] to wait for work that comes late
device_trace end_device_trace(std::int64_t patience);

/// Takes CUPTI out of the process: while it is there, kernels are launched more slowly. No other
/// thread may be calling CUDA.
void detach_device_traces();

} // namespace lathe::native
