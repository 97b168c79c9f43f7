// Traces of what a CUDA device does, through CUPTI's activity interface.
#include "gpu/processes/native.hpp"
#include "gpu/processes/native_cuda.hpp"
#include "gpu/processes/native_kernel_objects.hpp"
#include "gpu/processes/native_library.hpp"

#include <cupti.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>

namespace lathe::native {

namespace {

constexpr std::size_t buffer_size = 4 << 20;
constexpr std::size_t buffer_alignment = 8;

struct interface {
  interface() {
    // torch has brought one along; where it did not, the toolkit's will do.
    library cupti{"CUPTI (libcupti.so)", {"libcupti.so.13", "libcupti.so.12", "libcupti.so"}};
    cupti.find("cuptiActivityRegisterCallbacks", register_callbacks);
    cupti.find("cuptiActivityEnable", enable);
    cupti.find("cuptiActivityDisable", disable);
    cupti.find("cuptiActivityFlushAll", flush);
    cupti.find("cuptiActivityGetNextRecord", next_record);
    cupti.find("cuptiFinalize", detach);
    cupti.find("cuptiGetTimestamp", timestamp);
    cupti.find("cuptiGetResultString", result_string);
  }

  decltype(cuptiActivityRegisterCallbacks)* register_callbacks = nullptr;
  decltype(cuptiActivityEnable)* enable = nullptr;
  decltype(cuptiActivityDisable)* disable = nullptr;
  decltype(cuptiActivityFlushAll)* flush = nullptr;
  decltype(cuptiActivityGetNextRecord)* next_record = nullptr;
  decltype(cuptiFinalize)* detach = nullptr;
  decltype(cuptiGetTimestamp)* timestamp = nullptr;
  decltype(cuptiGetResultString)* result_string = nullptr;
};

const interface& cupti() {
  static const interface instance;
  return instance;
}

void check(CUptiResult result) {
  if (result == CUPTI_SUCCESS)
    return;
  const char* text = nullptr;
  cupti().result_string(result, &text);
  throw std::runtime_error{std::string{"CUPTI: "} + (text != nullptr ? text : "unknown error")};
}

constexpr CUpti_ActivityKind kinds[] = {CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL,
                                        CUPTI_ACTIVITY_KIND_MEMCPY, CUPTI_ACTIVITY_KIND_MEMSET};

struct interval {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
};

// CUPTI hands its buffers over on a thread of its own.
struct recording {
  /// Returns the event to be told more of, or nullptr when there are enough.
  template <class Record>
  device_event* add(device_work& entry, const Record& x) {
    ++entry.count;
    entry.busy += static_cast<std::int64_t>(x.end - x.start);
    streams.insert(x.streamId);
    intervals.push_back({x.start, x.end});
    auto graph = x.graphNodeId != 0 || x.graphId != 0;
    graphs = graphs || graph;
    if (events.size() >= most_events)
      return nullptr;
    auto& event = events.emplace_back();
    event.start = static_cast<std::int64_t>(x.start);
    event.duration = static_cast<std::int64_t>(x.end - x.start);
    event.stream = x.streamId;
    event.graph = graph;
    return &event;
  }

  void clear(std::size_t most) {
    std::lock_guard guard{mutex};
    kernels.clear();
    copies = {};
    streams.clear();
    intervals.clear();
    events.clear();
    most_events = most;
    graphs = false;
  }

  std::mutex mutex;
  std::map<std::string, device_work> kernels; // by name
  device_work copies;                         // and fills
  std::set<std::uint32_t> streams;
  std::vector<interval> intervals;
  std::vector<device_event> events;
  std::size_t most_events = 0;
  bool graphs = false;
};

recording& records() {
  static recording instance;
  return instance;
}

void describe(device_event& event, const CUpti_ActivityKernel10& x) {
  event.kind = "kernel";
  event.symbol = x.name != nullptr ? x.name : "kernel";
  event.grid = {x.gridX, x.gridY, x.gridZ};
  event.block = {x.blockX, x.blockY, x.blockZ};
  event.registers = x.registersPerThread;
  event.static_shared = x.staticSharedMemory;
  event.dynamic_shared = x.dynamicSharedMemory;
  event.local = x.localMemoryPerThread;
}

std::string place(std::uint8_t memory) {
  switch (memory) {
    case CUPTI_ACTIVITY_MEMORY_KIND_PAGEABLE:
      return "pageable host memory";
    case CUPTI_ACTIVITY_MEMORY_KIND_PINNED:
      return "pinned host memory";
    default:
      return "device";
  }
}

void add(const CUpti_Activity& record) {
  auto& all = records();
  std::lock_guard guard{all.mutex};
  switch (record.kind) {
    case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL:
    case CUPTI_ACTIVITY_KIND_KERNEL: {
      auto& x = reinterpret_cast<const CUpti_ActivityKernel10&>(record);
      if (auto* event = all.add(all.kernels[x.name != nullptr ? x.name : "kernel"], x))
        describe(*event, x);
      break;
    }
    case CUPTI_ACTIVITY_KIND_MEMCPY: {
      auto& x = reinterpret_cast<const CUpti_ActivityMemcpy6&>(record);
      if (auto* event = all.add(all.copies, x)) {
        event->kind = place(x.srcKind) + " to " + place(x.dstKind);
        event->bytes = static_cast<std::int64_t>(x.bytes);
      }
      break;
    }
    case CUPTI_ACTIVITY_KIND_MEMSET: {
      auto& x = reinterpret_cast<const CUpti_ActivityMemset4&>(record);
      if (auto* event = all.add(all.copies, x)) {
        event->kind = "fill";
        event->bytes = static_cast<std::int64_t>(x.bytes);
      }
      break;
    }
    default:
      break;
  }
}

void CUPTIAPI give_buffer(std::uint8_t** buffer, std::size_t* size, std::size_t* most_records) {
  *buffer = static_cast<std::uint8_t*>(std::aligned_alloc(buffer_alignment, buffer_size));
  *size = *buffer == nullptr ? 0 : buffer_size;
  *most_records = 0;
}

void CUPTIAPI take_buffer(CUcontext, std::uint32_t, std::uint8_t* buffer, std::size_t,
                          std::size_t valid) {
  CUpti_Activity* record = nullptr;
  while (valid > 0 && cupti().next_record(buffer, valid, &record) == CUPTI_SUCCESS)
    add(*record);
  std::free(buffer);
}

// The time covered by at least one interval. Sorts them.
std::uint64_t covered(std::vector<interval>& x) {
  std::sort(x.begin(), x.end(), [](auto& a, auto& b) { return a.start < b.start; });
  std::uint64_t result = 0;
  std::uint64_t upto = 0;
  for (auto& [start, end] : x) {
    result += end > upto ? end - std::max(start, upto) : 0;
    upto = std::max(upto, end);
  }
  return result;
}

// Divides the device's time among those whose kernels took it.
void attribute(const recording& all, device_trace& result) {
  kernel_names names;
  for (auto& [name, x] : all.kernels)
    names.insert(name);
  auto objects = loaded_objects();
  auto authors = authors_of(names, objects, installed_folders(objects));
  result.framework = all.copies.busy;
  for (auto& [name, x] : all.kernels) {
    result.kernels += x.count;
    auto author = authors.at(name);
    auto& share = author == kernel_author::own       ? result.own
                  : author == kernel_author::library ? result.library
                                                     : result.framework;
    share += x.busy;
  }
  result.graphs = all.graphs;
}

} // namespace

void begin_device_trace(std::size_t events) {
  wait_for_device();
  check(cupti().register_callbacks(give_buffer, take_buffer));
  for (auto kind : kinds)
    check(cupti().enable(kind));
  records().clear(events);
}

device_trace end_device_trace(std::int64_t patience) {
  wait_for_device();
  std::uint64_t called = 0;
  check(cupti().timestamp(&called));
  for (auto until = now() + patience; now() < until;)
    ; // sleeping would let the processor's clock drop
  wait_for_device();
  check(cupti().flush(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED));
  for (auto kind : kinds)
    check(cupti().disable(kind));
  auto& all = records();
  std::lock_guard guard{all.mutex};
  device_trace result;
  attribute(all, result);
  result.streams = static_cast<std::int64_t>(all.streams.size());
  if (all.intervals.empty())
    return result;
  result.busy = static_cast<std::int64_t>(covered(all.intervals));
  auto last = std::max_element(all.intervals.begin(), all.intervals.end(), [](auto& a, auto& b) {
                return a.end < b.end;
              })->end;
  result.span = static_cast<std::int64_t>(last - all.intervals.front().start);
  result.late = last > called ? static_cast<std::int64_t>(last - called) : 0;
  result.events = std::move(all.events);
  all.events.clear();
  std::ranges::sort(result.events, {}, &device_event::start);
  for (auto& x : result.events) {
    x.start -= static_cast<std::int64_t>(all.intervals.front().start);
    x.name = readable(x.symbol);
  }
  return result;
}

void detach_device_traces() {
  wait_for_device();
  check(cupti().detach());
}

} // namespace lathe::native
