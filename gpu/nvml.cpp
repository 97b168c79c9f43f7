#include "gpu/nvml.hpp"

#include "messages/error.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>

namespace lathe::gpu {

namespace {

// The part of nvml.h that is used here; its binary interface is stable.
using device_handle = void*;

struct memory_info {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};

constexpr int success = 0;
constexpr int multiprocessor_clock = 1; // NVML_CLOCK_SM

// NVML_CLOCKS_EVENT_REASON: software power cap, hardware slowdown, software and hardware thermal
// slowdown, hardware power brake. Being idle is none of them.
constexpr unsigned long long slowdowns = 0x4 | 0x8 | 0x20 | 0x40 | 0x80;

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
      && find("nvmlDeviceGetUUID", uuid_) && find("nvmlDeviceGetMinorNumber", minor_)
      && find("nvmlDeviceGetClockInfo", clock_) && find("nvmlDeviceGetMaxClockInfo", highest_clock_)
      && find("nvmlDeviceGetCurrentClocksThrottleReasons", slowdowns_)
      && find("nvmlDeviceGetMemoryInfo", memory_);
    if (!complete)
      return make_error(errc::environment_error, "the NVIDIA driver is too old");
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

  caf::expected<gpu_reading> read(std::size_t card) const override {
    auto device = devices_.at(card);
    gpu_reading result;
    unsigned long long reasons = 0;
    memory_info memory{};
    if (clock_(device, multiprocessor_clock, &result.clock) != success
        || highest_clock_(device, multiprocessor_clock, &result.highest_clock) != success
        || memory_(device, &memory) != success)
      return make_error(errc::environment_error,
                        fmt::format("GPU {} does not answer the driver", card));
    if (slowdowns_(device, &reasons) == success) // not every card tells
      result.throttled = (reasons & slowdowns) != 0;
    result.used = memory.used;
    result.memory = memory.total;
    return result;
  }

private:
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
      return make_error(errc::environment_error,
                        fmt::format("GPU {} does not answer the driver", index));
    card.name = name.data();
    card.uuid = uuid.data();
    devices_.push_back(device);
    cards_.push_back(std::move(card));
    return {};
  }

  void* handle_ = nullptr;
  std::vector<device_handle> devices_;
  std::vector<gpu_card> cards_;
  int (*shut_down_)() = nullptr;
  int (*device_)(unsigned, device_handle*) = nullptr;
  int (*name_)(device_handle, char*, unsigned) = nullptr;
  int (*uuid_)(device_handle, char*, unsigned) = nullptr;
  int (*minor_)(device_handle, unsigned*) = nullptr;
  int (*clock_)(device_handle, int, unsigned*) = nullptr;
  int (*highest_clock_)(device_handle, int, unsigned*) = nullptr;
  int (*slowdowns_)(device_handle, unsigned long long*) = nullptr;
  int (*memory_)(device_handle, memory_info*) = nullptr;
};

} // namespace

caf::expected<std::shared_ptr<nvml>> nvml::open() {
  auto result = std::make_shared<library>();
  if (auto error = result->load())
    return error;
  return std::shared_ptr<nvml>{std::move(result)};
}

} // namespace lathe::gpu
