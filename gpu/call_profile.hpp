#pragma once

#include "gpu/roofline.hpp"

#include <caf/expected.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What is known of one call of a model: what ran, when and for how long. Comes from a process that
// ran foreign code, so it is advice, and never evidence.

namespace lathe::gpu {

/// Kernels and copies of a call that are told one by one, at most.
inline constexpr int most_events = 20'000;

/// A kernel, a copy or a fill on a GPU; an operator of torch's on a CPU.
struct profile_event {
  std::string kind;   ///< "kernel", "fill", "pageable host memory to device", "operator"
  std::string name;   ///< for people
  std::string symbol; ///< a kernel's, as its compiler wrote it
  double start = 0;   ///< [seconds] since the first one began
  double seconds = 0;
  double bytes = 0;                    ///< copied or filled
  std::int64_t calls = 1;              ///< that are told together: operators
  std::int64_t stream = 0;             ///< that it ran on
  bool graph = false;                  ///< it came from a CUDA graph
  std::array<std::int64_t, 3> grid{};  ///< blocks
  std::array<std::int64_t, 3> block{}; ///< threads
  std::int64_t registers = 0;          ///< of a thread
  std::int64_t shared = 0;             ///< [bytes] of a block
  std::int64_t local = 0;              ///< [bytes] of a thread: spilled registers, and arrays

  bool is_kernel() const {
    return kind == "kernel";
  }

  bool is_transfer() const {
    return kind.find("host") != std::string::npos;
  }

  /// The same for all that are told together.
  std::string key() const {
    return is_kernel() ? symbol : kind + " " + name;
  }

  /// Copies and fills have no name.
  bool has_name() const {
    return is_kernel() || kind == "operator";
  }

  const std::string& label() const {
    return has_name() ? name : kind;
  }
};

/// What a kernel's code tells of its way to memory, without running it
/// (`gpu/processes/ptx_access.py`). Counts are weighted: what is in a loop counts ten times as
/// much.
struct kernel_code {
  bool tensor_cores = false;
  double arithmetic = 0;            ///< multiply-adds and the like for each access to memory
  std::optional<double> efficiency; ///< of accesses to global memory: bytes wanted over bytes moved
  std::optional<double> conflicts;  ///< how many times a shared access is made, on average
  double shared_share = 0;          ///< of accesses that go to shared memory
  double atomic_share = 0;          ///< of accesses that are atomic ...
  std::optional<double> same_address; ///< ... and of their lanes, how many meet at one address
  std::int64_t stack = 0;             ///< [bytes] of a thread, where registers do not suffice
};

/// What a multiprocessor has room for; zero on a CPU.
struct device_limits {
  std::int64_t multiprocessors = 0;
  std::int64_t threads = 0; ///< of a multiprocessor
  std::int64_t blocks = 0;
  std::int64_t registers = 0;
  std::int64_t shared = 0; ///< [bytes], what the driver keeps of it included
  std::int64_t warp = 32;
};

struct call_profile {
  double seconds = 0;                ///< of a call, when nobody watched
  std::vector<profile_event> events; ///< in order of their starts
  bool complete = true;              ///< there were no more events than could be told
  device_limits limits;
  std::map<std::string, kernel_code> code; ///< by symbol, of some kernels
  call_work work;                          ///< what the task asks for
  double floor = 0;                        ///< [seconds] its roofline's; 0: not known
  std::optional<device_peaks> peaks;

  bool on_gpu() const {
    return limits.multiprocessors > 0;
  }
};

/// Reads a worker's answer to `profile`. All the rest is the caller's to fill in.
caf::expected<call_profile> parse_profile(std::string_view json);

/// Reads a worker's answer to `code`; what cannot be read is left out.
std::map<std::string, kernel_code> parse_code(std::string_view json);

/// How many blocks of a kernel find room on a multiprocessor, and what there is no more of then.
struct occupancy {
  std::int64_t blocks = 0;
  double share = 0;    ///< of the threads that a multiprocessor holds
  std::string limiter; ///< "registers", "shared memory", "block size", "blocks"; empty: nothing
};

occupancy occupancy_of(const profile_event& kernel, const device_limits& limits);

} // namespace lathe::gpu
