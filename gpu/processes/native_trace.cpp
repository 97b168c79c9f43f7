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
    cupti.find("cuptiGetTimestamp", timestamp);
    cupti.find("cuptiGetResultString", result_string);
  }

  decltype(cuptiActivityRegisterCallbacks)* register_callbacks = nullptr;
  decltype(cuptiActivityEnable)* enable = nullptr;
  decltype(cuptiActivityDisable)* disable = nullptr;
  decltype(cuptiActivityFlushAll)* flush = nullptr;
  decltype(cuptiActivityGetNextRecord)* next_record = nullptr;
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
  template <class Record>
  void add(device_work& entry, const Record& x) {
    ++entry.count;
    entry.busy += static_cast<std::int64_t>(x.end - x.start);
    streams.insert(x.streamId);
    intervals.push_back({x.start, x.end});
    graphs = graphs || x.graphNodeId != 0 || x.graphId != 0;
  }

  void clear() {
    std::lock_guard guard{mutex};
    kernels.clear();
    copies = {};
    streams.clear();
    intervals.clear();
    graphs = false;
  }

  std::mutex mutex;
  std::map<std::string, device_work> kernels; // by name
  device_work copies;                         // and fills
  std::set<std::uint32_t> streams;
  std::vector<interval> intervals;
  bool graphs = false;
};

recording& records() {
  static recording instance;
  return instance;
}

void add(const CUpti_Activity& record) {
  auto& all = records();
  std::lock_guard guard{all.mutex};
  switch (record.kind) {
    case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL:
    case CUPTI_ACTIVITY_KIND_KERNEL: {
      auto& x = reinterpret_cast<const CUpti_ActivityKernel10&>(record);
      all.add(all.kernels[x.name != nullptr ? x.name : "kernel"], x);
      break;
    }
    case CUPTI_ACTIVITY_KIND_MEMCPY:
      all.add(all.copies, reinterpret_cast<const CUpti_ActivityMemcpy6&>(record));
      break;
    case CUPTI_ACTIVITY_KIND_MEMSET:
      all.add(all.copies, reinterpret_cast<const CUpti_ActivityMemset4&>(record));
      break;
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

void begin_device_trace() {
  wait_for_device();
  check(cupti().register_callbacks(give_buffer, take_buffer));
  for (auto kind : kinds)
    check(cupti().enable(kind));
  records().clear();
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
  return result;
}

} // namespace lathe::native
