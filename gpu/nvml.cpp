#include "gpu/nvml.hpp"

#include "messages/error.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>

namespace lathe::gpu {

namespace {

// The part of nvml.h that is used here; its binary interface is stable.
using device_handle = void*;

constexpr int success = 0;
constexpr int insufficient_size = 7;

struct process_info { // nvmlProcessInfo_v2_t
  unsigned pid;
  unsigned long long bytes; // all ones: not available
  unsigned gpu_instance;
  unsigned compute_instance;
};

struct memory_info { // nvmlMemory_t
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};
constexpr int multiprocessors = 1; // NVML_CLOCK_SM

class library : public nvml {
public:
  ~library() override {
    if (shut_down_ != nullptr)
      shut_down_();
    if (handle_ != nullptr)
      ::dlclose(handle_);
  }

  caf::error load() {
    handle_ = ::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr)
      return make_error(errc::environment_error, "there is no NVIDIA driver (libnvidia-ml.so.1)");
    int (*start)() = nullptr;
    int (*count_devices)(unsigned*) = nullptr;
    bool complete =
      find("nvmlInit_v2", start) && find("nvmlShutdown", shut_down_)
      && find("nvmlDeviceGetCount_v2", count_devices)
      && find("nvmlDeviceGetHandleByIndex_v2", device_) && find("nvmlDeviceGetName", name_)
      && find("nvmlDeviceGetUUID", uuid_)
                    && find("nvmlDeviceGetMinorNumber", minor_);
    if (!complete)
      return make_error(errc::environment_error, "the NVIDIA driver is too old");
    // Both versions of the first take the same struct; the oldest drivers lack either.
    static_cast<void>(find("nvmlDeviceGetComputeRunningProcesses_v3", running_)
                      || find("nvmlDeviceGetComputeRunningProcesses_v2", running_));
    static_cast<void>(find("nvmlDeviceGetMemoryInfo", memory_));
    // Their absence is no failure: then clocks are not known.
    find("nvmlDeviceGetClockInfo", clock_);
    find("nvmlDeviceGetMaxClockInfo", full_clock_);
    if (!find("nvmlDeviceGetCurrentClocksEventReasons", reasons_))
      find("nvmlDeviceGetCurrentClocksThrottleReasons", reasons_); // as older drivers call it
    unsigned count = 0;
    if (start() != success || count_devices(&count) != success)
      return make_error(errc::environment_error, "the NVIDIA driver does not answer; nvidia-smi "
                                                 "may say why");
    for (unsigned i = 0; i < count; ++i)
      if (auto error = add(i))
        return error;
    return {};
  }

  const std::vector<gpu_card>& cards() const override {
    return cards_;
  }

  caf::expected<std::vector<gpu_process>> processes(std::size_t card) const override {
    if (running_ == nullptr)
      return make_error(errc::environment_error, "the NVIDIA driver is too old to name processes");
    std::vector<process_info> list(64);
    for (;;) {
      auto count = static_cast<unsigned>(list.size());
      auto code = running_(handles_[card], &count, list.data());
      if (code == insufficient_size && count > 0) {
        list.resize(2 * std::size_t{count}); // more may come meanwhile
        continue;
      }
      if (code != success)
        return silent(card);
      list.resize(count);
      break;
    }
    std::vector<gpu_process> result;
    for (auto& x : list)
      result.push_back({static_cast<pid_t>(x.pid), x.bytes == ~0ull ? 0 : x.bytes});
    return result;
  }

  caf::expected<std::uint64_t> used_memory(std::size_t card) const override {
    memory_info found{};
    if (memory_ == nullptr || memory_(handles_[card], &found) != success)
      return silent(card);
    return found.used;
  }

  std::optional<clock_reading> clock_of(std::size_t card) const override {
    unsigned clock = 0;
    if (clock_ == nullptr || clock_(handles_[card], multiprocessors, &clock) != success)
      return std::nullopt;
    clock_reading result{static_cast<double>(clock), full_clocks_[card], std::nullopt};
    unsigned long long reasons = 0;
    if (reasons_ != nullptr && reasons_(handles_[card], &reasons) == success)
      result.reasons = reasons;
    return result;
  }

private:
  static caf::error silent(std::size_t card) {
    return make_error(errc::environment_error,
                      fmt::format("GPU {} does not answer the driver", card));
  }

  template <class Function>
  bool find(const char* name, Function*& result) {
    result = reinterpret_cast<Function*>(::dlsym(handle_, name));
    return result != nullptr;
  }

  caf::error add(unsigned index) {
    device_handle device = nullptr;
    std::array<char, 96> name{};
    std::array<char, 96> uuid{};
    gpu_card card;
    if (device_(index, &device) != success || name_(device, name.data(), name.size()) != success
        || uuid_(device, uuid.data(), uuid.size()) != success
        || minor_(device, &card.minor) != success)
      return silent(index);
    card.name = name.data();
    card.uuid = uuid.data();
    unsigned full = 0;
    if (full_clock_ == nullptr || full_clock_(device, multiprocessors, &full) != success)
      full = 0;
    cards_.push_back(std::move(card));
    handles_.push_back(device);
    full_clocks_.push_back(full);
    return {};
  }

  void* handle_ = nullptr;
  std::vector<gpu_card> cards_;
  std::vector<device_handle> handles_; // by index, as the cards
  std::vector<double> full_clocks_;    // [MHz] likewise: to ask for one takes milliseconds
  int (*shut_down_)() = nullptr;
  int (*device_)(unsigned, device_handle*) = nullptr;
  int (*name_)(device_handle, char*, unsigned) = nullptr;
  int (*uuid_)(device_handle, char*, unsigned) = nullptr;
  int (*minor_)(device_handle, unsigned*) = nullptr;
  int (*running_)(device_handle, unsigned*, process_info*) = nullptr; // may stay null
  int (*memory_)(device_handle, memory_info*) = nullptr;              // may stay null
  int (*clock_)(device_handle, int, unsigned*) = nullptr;
  int (*full_clock_)(device_handle, int, unsigned*) = nullptr;
  int (*reasons_)(device_handle, unsigned long long*) = nullptr;
};

} // namespace

caf::expected<std::shared_ptr<nvml>> nvml::open() {
  auto result = std::make_shared<library>();
  if (auto error = result->load())
    return error;
  return std::shared_ptr<nvml>{std::move(result)};
}

} // namespace lathe::gpu
