#include "gpu/bottleneck.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <utility>

namespace lathe::gpu {

namespace {

// Shares of a peak from which on there is little to gain but by asking less of it. Measured peaks
// are those of the best of several loops; real kernels reach four fifths of them.
constexpr double near_bandwidth = 0.6;
constexpr double near_rate = 0.5;

// Of the rate without tensor cores: below, something else is in the way of a product of matrices.
constexpr double product_rate = 0.12;

// [operations/byte] from which on a call is about arithmetic.
constexpr double intense = 20;

// Arithmetic for each access, and the share of a multiprocessor's threads that are there, from
// which on a kernel keeps the units busy by itself.
constexpr double arithmetic_alone = 8;
constexpr double enough_threads = 0.4;

constexpr double mostly_transfers = 0.4; // of the call's time
constexpr double mostly_idle = 0.4;

// [seconds] that Python and torch need to launch one operator after the other: who leaves more
// between two is busy with something else.
constexpr double launch_gap = 30e-6;

// Of copies to the host, that make Python wait, for each kernel.
constexpr double reads_values = 0.1;

constexpr double mostly = 0.5;          // of the busy time on tensor cores: they set the pace
constexpr double hardly = 0.1;          // they do not matter
constexpr double main_share = 0.35;     // of the busy time: such a kernel speaks for the call
constexpr std::int64_t real_spill = 64; // [bytes] of a thread
constexpr double contended = 0.2;       // share of accesses that are atomic and meet
constexpr double few_blocks = 0.5;      // of the multiprocessors
constexpr double lost_to_tail = 1.3;
constexpr double waves_of_tail = 4;
constexpr double wasteful = 0.5;  // of bytes moved are wanted
constexpr double conflicting = 4; // times that an access is made
constexpr double shared_matters = 0.3;
constexpr double low = 0.25; // occupancy

// On a CPU [seconds]: who is done sooner was mostly called.
constexpr double tiny_operator = 10e-6;
constexpr double half = 0.5; // of a CPU's time

double moved_bytes(const call_work& x) {
  return x.inputs + x.parameters + x.outputs;
}

std::string time(double seconds) {
  return seconds < 1e-4 ? fmt::format("{:.3g} us", 1e6 * seconds)
                        : fmt::format("{:.3g} ms", 1e3 * seconds);
}

std::string percent(double share) {
  return fmt::format("{:.0f} %", 100 * share);
}

/// Gathers what holds, in the order of what bounds first.
class examination {
public:
  explicit examination(const call_profile& x)
    : x_(x), groups_(group_events(x)), busy_(busy_time(x)),
      total_(x.seconds > 0 ? x.seconds : busy_) {
    // nop
  }

  std::vector<diagnosis> run() {
    if (groups_.empty())
      return {};
    if (x_.on_gpu())
      look_at_device();
    else
      look_at_operators();
    return std::move(found_);
  }

private:
  void add(bottleneck what, std::string evidence) {
    found_.push_back({what, std::move(evidence)});
  }

  // -- a GPU ----------------------------------------------------------------------------

  void look_at_device() {
    look_at_transfers();
    look_at_gaps();
    auto kernel = std::ranges::find_if(groups_, [](auto& g) { return g.first->is_kernel(); });
    if (kernel == groups_.end()) {
      add(bottleneck::memory_bound,
          fmt::format("no kernel ran: copies and fills take {} of {}", time(busy_), time(total_)));
      return;
    }
    auto before = found_.size();
    auto speaks = kernel->seconds >= main_share * busy_;
    if (speaks)
      look_at_spills(*kernel);
    look_at_bandwidth(*kernel, speaks);
    if (speaks) {
      look_at_atomics(*kernel);
      look_at_grid(*kernel);
      look_at_accesses(*kernel);
    }
    look_at_arithmetic(*kernel, speaks);
    if (found_.size() == before)
      look_at_latency(*kernel, speaks);
  }

  void look_at_transfers() {
    double seconds = 0;
    double bytes = 0;
    for (auto& e : x_.events)
      if (e.is_transfer()) {
        seconds += e.seconds;
        bytes += e.bytes;
      }
    if (seconds >= mostly_transfers * total_)
      add(bottleneck::transfers, fmt::format("copies between host and device take {} of {}, for {}",
                                             time(seconds), time(total_), format_rate(bytes, "B")));
  }

  void look_at_gaps() {
    auto idle = 1 - busy_ / total_;
    auto count = static_cast<double>(x_.events.size());
    if (idle < mostly_idle || !found_.empty() || !x_.complete)
      return;
    if (x_.events.size() == 1 || std::ranges::all_of(x_.events, &profile_event::graph)) {
      add(
        bottleneck::launch_bound,
        fmt::format("the GPU works {} of {}, and all of it was launched at once: the launch itself "
                    "is what is left",
                    percent(1 - idle), time(total_)));
      return;
    }
    auto reads = static_cast<double>(std::ranges::count_if(
      x_.events, [](auto& e) { return e.is_transfer() && e.kind.ends_with("host memory"); }));
    auto gap = (total_ - busy_) / count;
    auto told = fmt::format(
      "the GPU works {} of {}: {} kernels and copies, {} in the median, with {} "
      "between two",
      percent(1 - idle), time(total_), x_.events.size(), time(median_event()), time(gap));
    if (reads > reads_values * count)
      add(bottleneck::host_bound,
          fmt::format("{}; the host reads {:.0f} values back, and waits for each", told, reads));
    else
      add(gap > launch_gap ? bottleneck::host_bound : bottleneck::launch_bound, told);
  }

  double median_event() const {
    std::vector<double> all;
    for (auto& e : x_.events)
      all.push_back(e.seconds);
    std::ranges::nth_element(all, all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2));
    return all[all.size() / 2];
  }

  void look_at_spills(const event_group& kernel) {
    auto& e = *kernel.first;
    auto* code = code_of(kernel);
    auto bytes = std::max(e.local, code != nullptr ? code->stack : 0);
    if (bytes >= real_spill)
      add(bottleneck::register_spill,
          fmt::format("{} keeps {} B of each thread in local memory, beside {} registers", e.name,
                      bytes, e.registers));
  }

  void look_at_atomics(const event_group& kernel) {
    auto* code = code_of(kernel);
    if (code == nullptr || code->atomic_share * code->same_address.value_or(1) < contended)
      return;
    auto where = code->same_address ? fmt::format("{} of their lanes meet at one address",
                                                  percent(*code->same_address))
                                    : std::string{"data decide how many of their lanes meet"};
    add(bottleneck::atomics, fmt::format("{} of the accesses of {} are atomic, and {}",
                                         percent(code->atomic_share), kernel.first->name, where));
  }

  // All must move what inputs, parameters and outputs hold, and torch's own elementwise kernels do
  // little else.
  void look_at_bandwidth(const event_group& kernel, bool speaks) {
    if (!x_.peaks || busy_ <= 0)
      return;
    auto reached = moved_bytes(x_.work) / busy_;
    if (reached >= near_bandwidth * x_.peaks->bandwidth)
      add(bottleneck::memory_bound,
          fmt::format(
            "{} that the task has to move in {}: {}, {} of the {} that this device copies",
            format_rate(moved_bytes(x_.work), "B"), time(busy_), format_rate(reached, "B/s"),
            percent(reached / x_.peaks->bandwidth), format_rate(x_.peaks->bandwidth, "B/s")));
    else if (speaks && is_elementwise(kernel) && waves_of(*kernel.first, x_.limits) >= 1)
      add(
        bottleneck::memory_bound,
        fmt::format("{} of the time goes into {} calls of {}, each of which reads and writes whole "
                    "tensors",
                    percent(kernel.seconds / busy_), kernel.calls, kernel.first->name));
  }

  static bool is_elementwise(const event_group& kernel) {
    for (auto* part : {"elementwise_kernel", "reduce_kernel", "CatArrayBatchedCopy", "triton_poi_"})
      if (kernel.first->name.find(part) != std::string::npos)
        return true;
    return false;
  }

  void look_at_grid(const event_group& kernel) {
    auto& e = *kernel.first;
    auto blocks = static_cast<double>(e.grid[0] * e.grid[1] * e.grid[2]);
    auto multiprocessors = static_cast<double>(x_.limits.multiprocessors);
    auto waves = waves_of(e, x_.limits);
    if (blocks > 0 && blocks < few_blocks * multiprocessors)
      add(bottleneck::too_few_blocks, fmt::format("{} has {:.0f} blocks, and the GPU {:.0f} "
                                                  "multiprocessors",
                                                  e.name, blocks, multiprocessors));
    else if (waves > 1 && waves < waves_of_tail && std::ceil(waves) / waves >= lost_to_tail)
      add(
        bottleneck::tail_effect,
        fmt::format("the blocks of {} fill the GPU {:.2f} times: the last wave has {} of the work "
                    "and takes as long as a full one",
                    e.name, waves, percent((waves - std::floor(waves)) / waves)));
  }

  void look_at_accesses(const event_group& kernel) {
    auto* code = code_of(kernel);
    if (code == nullptr)
      return;
    auto& name = kernel.first->name;
    auto scattered = code->efficiency && *code->efficiency < wasteful;
    auto conflicts =
      code->conflicts && *code->conflicts >= conflicting && code->shared_share >= shared_matters;
    auto lost_globally = scattered ? (1 - code->shared_share) / *code->efficiency : 0;
    auto lost_to_banks = conflicts ? code->shared_share * *code->conflicts : 0;
    if (conflicts && lost_to_banks >= lost_globally)
      add(
        bottleneck::bank_conflicts,
        fmt::format("{} makes its accesses to shared memory {:.1f} times each, since lanes meet at "
                    "the same banks",
                    name, *code->conflicts));
    if (scattered)
      add(bottleneck::uncoalesced,
          fmt::format("of the memory that {} moves it wants {}: neighbouring lanes do not read or "
                      "write side by side",
                      name, percent(*code->efficiency)));
    if (conflicts && lost_to_banks < lost_globally)
      add(bottleneck::bank_conflicts,
          fmt::format("{} makes its accesses to shared memory {:.1f} times each", name,
                      *code->conflicts));
  }

  void look_at_arithmetic(const event_group& kernel, bool speaks) {
    auto operations = x_.work.operations;
    double on_tensor_cores = 0;
    for (auto& g : groups_)
      if (g.first->is_kernel() && uses_tensor_cores(*g.first, x_))
        on_tensor_cores += g.seconds / busy_;
    auto* code = code_of(kernel);
    if (x_.peaks && operations > intense * moved_bytes(x_.work) && busy_ > 0) {
      auto reached = operations / busy_;
      auto told = fmt::format("{} of products in {}: {}", format_rate(operations, "op"),
                              time(busy_), format_rate(reached, "op/s"));
      if (on_tensor_cores >= mostly && reached >= near_rate * x_.peaks->tf32)
        add(bottleneck::compute_bound,
            fmt::format("{}, on tensor cores, of {} in TF32 and {} in half types", told,
                        format_rate(x_.peaks->tf32, "op/s"), format_rate(x_.peaks->half, "op/s")));
      else if (on_tensor_cores < hardly && !is_elementwise(kernel)
               && reached >= product_rate * x_.peaks->float32)
        add(bottleneck::no_tensor_cores,
            fmt::format("{}, without tensor cores, which do {} in TF32 and {} in half types", told,
                        format_rate(x_.peaks->tf32, "op/s"), format_rate(x_.peaks->half, "op/s")));
    }
    auto threads = std::min(1.0, waves_of(*kernel.first, x_.limits))
                   * occupancy_of(*kernel.first, x_.limits).share;
    if (speaks && code != nullptr && on_tensor_cores < hardly
        && code->arithmetic >= arithmetic_alone && threads >= enough_threads)
      add(bottleneck::compute_bound,
          fmt::format("{} computes {:.0f} times for each access to memory", kernel.first->name,
                      code->arithmetic));
  }

  void look_at_latency(const event_group& kernel, bool speaks) {
    auto& e = *kernel.first;
    if (!speaks) {
      add(bottleneck::latency_bound,
          fmt::format("no kernel holds most of the time: of {} the longest, {}, takes {}",
                      groups_.size(), e.name, percent(kernel.seconds / busy_)));
      return;
    }
    auto held = occupancy_of(e, x_.limits);
    if (held.share > 0 && held.share <= low && held.limiter != "blocks")
      add(bottleneck::low_occupancy,
          fmt::format(
            "{} leaves room for {} of the threads that a multiprocessor holds; what there is "
            "no more of: {}",
            e.name, percent(held.share), held.limiter));
    else
      add(bottleneck::latency_bound,
          fmt::format("{} takes {}, and neither memory, arithmetic nor the grid explain it", e.name,
                      time(kernel.seconds)));
  }

  // -- a CPU ----------------------------------------------------------------------------

  void look_at_operators() {
    auto share_of = [&](auto holds) {
      double seconds = 0;
      for (auto& g : groups_)
        seconds += holds(g) ? g.seconds : 0;
      return seconds / busy_;
    };
    auto bytes = moved_bytes(x_.work);
    auto products = share_of(is_product);
    auto tiny =
      share_of([](auto& g) { return g.seconds < tiny_operator * static_cast<double>(g.calls); });
    if (x_.peaks && bytes / total_ >= near_bandwidth * x_.peaks->bandwidth)
      add(bottleneck::memory_bound,
          fmt::format("{} in {}: {} of {}", format_rate(bytes, "B"), time(total_),
                      format_rate(bytes / total_, "B/s"), format_rate(x_.peaks->bandwidth, "B/s")));
    if (products >= half)
      add(bottleneck::compute_bound,
          fmt::format("products take {} of the time: {} in {}{}", percent(products),
                      format_rate(x_.work.operations, "op"), time(products * total_),
                      x_.peaks ? fmt::format(", where this processor does {} in float32",
                                             format_rate(x_.peaks->float32, "op/s"))
                               : ""));
    if (tiny >= half)
      add(bottleneck::launch_bound,
          fmt::format("{} of the time goes into operators that take less than {} each",
                      percent(tiny), time(tiny_operator)));
    if (found_.empty())
      add(bottleneck::memory_bound,
          fmt::format("{} of the time goes into operators that do little with each element, and go "
                      "over whole tensors",
                      percent(1 - products)));
  }

  static bool is_product(const event_group& group) {
    for (auto* part : {"mm", "matmul", "conv", "attention", "linear", "einsum"})
      if (group.first->name.substr(0, group.first->name.find(' ')).find(part) != std::string::npos)
        return true;
    return false;
  }

  const kernel_code* code_of(const event_group& kernel) const {
    auto i = x_.code.find(kernel.first->symbol);
    return i == x_.code.end() ? nullptr : &i->second;
  }

  const call_profile& x_;
  const std::vector<event_group> groups_;
  const double busy_;
  const double total_;
  std::vector<diagnosis> found_;
};

} // namespace

std::vector<diagnosis> diagnose(const call_profile& x) {
  return examination{x}.run();
}

std::string_view usual_moves(bottleneck x, bool on_gpu) {
  if (x == bottleneck::launch_bound && !on_gpu)
    return "fewer and larger operators: fuse them with torch.compile or a trace, take loops over "
           "elements or steps out of Python";
  switch (x) {
    case bottleneck::transfers:
      return "keep tensors on the device; copy page-locked memory, and while kernels run";
    case bottleneck::host_bound:
      return "read no values back inside forward (.item(), .cpu(), boolean masks); capture a CUDA "
             "graph; move Python's work to the constructor";
    case bottleneck::launch_bound:
      return "capture a CUDA graph; fuse small operators into one kernel, by hand or with "
             "torch.compile";
    case bottleneck::memory_bound:
      return "move less: fuse operators, keep narrower types where the tolerance allows, do not "
             "write "
             "what the next kernel reads at once";
    case bottleneck::compute_bound:
      return "compute less: a cheaper algorithm, narrower types where the tolerance allows, "
             "products "
             "merged or folded into weights";
    case bottleneck::no_tensor_cores:
      return "multiply on tensor cores: torch.matmul or tl.dot in TF32 or half types where the "
             "tolerance allows, mma or wgmma in a kernel of one's own";
    case bottleneck::register_spill:
      return "smaller tiles or fewer accumulators a thread, arrays with indexes known when it is "
             "compiled, no low __launch_bounds__ or maxrregcount";
    case bottleneck::atomics:
      return "sum up within a warp and a block first (shuffles, shared memory), one atomic a "
             "block, or "
             "a second pass";
    case bottleneck::too_few_blocks:
      return "more and smaller blocks; split the inner dimension (split-K) and add up the parts";
    case bottleneck::tail_effect:
      return "a grid that fills whole waves, smaller blocks, or a persistent kernel that takes "
             "tiles "
             "one by one";
    case bottleneck::uncoalesced:
      return "let neighbouring threads take neighbouring elements; go through shared memory where "
             "the "
             "layouts differ; vector loads";
    case bottleneck::bank_conflicts:
      return "pad rows of shared memory by one element, or swizzle its columns";
    case bottleneck::low_occupancy:
      return "less shared memory or fewer registers a block, more threads a block, or more loads "
             "at "
             "once in each thread";
    case bottleneck::latency_bound:
      return "more independent work a thread (unrolling, several elements at once), prefetching, "
             "shorter chains of steps that wait for each other";
  }
  return {};
}

std::string format_rate(double bytes_or_operations, const char* unit) {
  constexpr const char* prefixes[] = {"", "k", "M", "G", "T", "P"};
  std::size_t i = 0;
  for (; bytes_or_operations >= 1000 && i + 1 < std::size(prefixes); ++i)
    bytes_or_operations /= 1000;
  return fmt::format("{:.3g} {}{}", bytes_or_operations, prefixes[i], unit);
}

double busy_time(const call_profile& x) {
  double result = 0;
  if (!x.on_gpu()) {
    for (auto& e : x.events)
      result += e.seconds;
    return result;
  }
  double upto = 0;
  for (auto& e : x.events) { // in order of their starts
    auto end = e.start + e.seconds;
    result += end > upto ? end - std::max(e.start, upto) : 0;
    upto = std::max(upto, end);
  }
  return result;
}

std::vector<event_group> group_events(const call_profile& x) {
  std::map<std::string, event_group> by_name;
  for (auto& e : x.events) {
    auto& group = by_name[e.key()];
    if (group.first == nullptr || e.seconds > group.first->seconds)
      group.first = &e;
    group.calls += e.calls;
    group.seconds += e.seconds;
  }
  std::vector<event_group> result;
  for (auto& [name, group] : by_name)
    result.push_back(group);
  std::ranges::stable_sort(result, std::greater{}, &event_group::seconds);
  return result;
}

double waves_of(const profile_event& kernel, const device_limits& limits) {
  auto held = occupancy_of(kernel, limits).blocks * limits.multiprocessors;
  auto blocks = kernel.grid[0] * kernel.grid[1] * kernel.grid[2];
  return held > 0 ? static_cast<double>(blocks) / static_cast<double>(held) : 0;
}

// Libraries name their kernels after the instructions and types that they use.
bool uses_tensor_cores(const profile_event& kernel, const call_profile& x) {
  if (auto i = x.code.find(kernel.symbol); i != x.code.end())
    return i->second.tensor_cores;
  constexpr std::string_view parts[] = {
    "tensorop", "gmma", "hmma", "imma",  "s1688", "s16816",    "h16816", "h1688",
    "f16f16",   "bf16", "tf32", "nvjet", "wmma",  "flash_fwd", "fmha",   "mma_m16n8"};
  auto symbol = kernel.symbol;
  std::ranges::transform(symbol, symbol.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::ranges::any_of(
    parts, [&](std::string_view part) { return symbol.find(part) != std::string::npos; });
}

} // namespace lathe::gpu
