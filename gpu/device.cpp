#include "gpu/device.hpp"

#include "messages/device_name.hpp"
#include "messages/error.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace lathe::gpu {

std::string device::name() const {
  return cuda ? fmt::format("cuda:{}", card) : "cpu";
}

std::vector<std::string> device::files() const {
  if (!cuda)
    return {};
  std::vector<std::string> result = {"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools",
                                     fmt::format("/dev/nvidia{}", driver->cards()[card].minor)};
  std::erase_if(result, [](const std::string& x) { return !std::filesystem::exists(x); });
  return result;
}

std::string device::visible() const {
  return cuda ? driver->cards()[card].uuid : std::string{};
}

caf::expected<device> find_device(std::string_view name) {
  using kind = device_name::kind;
  auto wanted = parse_device_name(name);
  if (!wanted)
    return make_error(errc::user_error,
                      fmt::format("there is no device '{}'; use auto, cpu, cuda or cuda:N", name));
  if (wanted->what == kind::cpu)
    return device{};
  auto driver = nvml::open();
  auto cards = driver ? (*driver)->cards().size() : 0;
  if (wanted->what == kind::automatic && cards == 0)
    return device{};
  if (!driver)
    return make_error(errc::environment_error, fmt::format("device {}: {}; lathe doctor says more",
                                                           name, describe(driver.error())));
  if (wanted->card >= cards)
    return make_error(errc::environment_error, fmt::format("device {}: the driver knows {} GPU{}",
                                                           name, cards, cards == 1 ? "" : "s"));
  return device{true, wanted->card, std::move(*driver)};
}

} // namespace lathe::gpu
