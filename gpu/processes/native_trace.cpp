// Traces of what a CUDA device does, through CUPTI's activity interface.
#include "gpu/processes/native.hpp"
#include "gpu/processes/native_cuda.hpp"

#include <cupti.h>
#include <dlfcn.h>

#include <algorithm>
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
    void* library = nullptr;
    // torch has brought one along; where it did not, the toolkit's will do.
    for (auto* name : {"libcupti.so.13", "libcupti.so.12", "libcupti.so"})
      if ((library = ::dlopen(name, RTLD_NOW)) != nullptr)
        break;
    if (library == nullptr)
      throw std::runtime_error{"there is no CUPTI (libcupti.so)"};
    find(library, "cuptiActivityRegisterCallbacks", register_callbacks);
    find(library, "cuptiActivityEnable", enable);
    find(library, "cuptiActivityDisable", disable);
    find(library, "cuptiActivityFlushAll", flush);
    find(library, "cuptiActivityGetNextRecord", next_record);
    find(library, "cuptiGetTimestamp", timestamp);
    find(library, "cuptiGetResultString", result_string);
  }

  template <class Function>
  static void find(void* library, const char* name, Function*& result) {
    auto* symbol = ::dlsym(library, name);
    if (symbol == nullptr)
      throw std::runtime_error{std::string{"CUPTI has no "} + name};
    result = reinterpret_cast<Function*>(symbol);
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
  void add(const std::string& name, const Record& x) {
    std::lock_guard guard{mutex};
    auto& entry = work[name];
    ++entry.count;
    entry.busy += static_cast<std::int64_t>(x.end - x.start);
    streams.insert(x.streamId);
    intervals.push_back({x.start, x.end});
  }

  void clear() {
    std::lock_guard guard{mutex};
    work.clear();
    streams.clear();
    intervals.clear();
    kernels = 0;
  }

  std::mutex mutex;
  std::map<std::string, device_work> work;
  std::set<std::uint32_t> streams;
  std::vector<interval> intervals;
  std::int64_t kernels = 0;
};

recording& records() {
  static recording instance;
  return instance;
}

void add(const CUpti_Activity& record) {
  auto& all = records();
  switch (record.kind) {
    case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL:
    case CUPTI_ACTIVITY_KIND_KERNEL: {
      auto& x = reinterpret_cast<const CUpti_ActivityKernel10&>(record);
      all.add(x.name != nullptr ? x.name : "kernel", x);
      ++all.kernels;
      break;
    }
    case CUPTI_ACTIVITY_KIND_MEMCPY:
      all.add("copy", reinterpret_cast<const CUpti_ActivityMemcpy6&>(record));
      break;
    case CUPTI_ACTIVITY_KIND_MEMSET:
      all.add("fill", reinterpret_cast<const CUpti_ActivityMemset4&>(record));
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
  for (auto& [name, x] : all.work)
    result.work.push_back({name, x.count, x.busy});
  std::sort(result.work.begin(), result.work.end(),
            [](auto& a, auto& b) { return a.busy > b.busy; });
  result.kernels = all.kernels;
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
