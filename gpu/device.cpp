#include "gpu/device.hpp"

#include "messages/device_name.hpp"
#include "messages/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace lathe::gpu {

std::string device::name() const {
  if (!cuda)
    return card == 0 ? "cpu" : fmt::format("cpu:{}", card);
  return fmt::format("cuda:{}", card);
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

caf::expected<std::vector<device>> find_devices(std::string_view name) {
  using kind = device_name::kind;
  auto wanted = parse_device_name(name);
  if (!wanted)
    return make_error(errc::user_error,
                      fmt::format("there is no device '{}'; use {}", name, device_names));
  std::vector<device> result;
  if (wanted->what == kind::cpu) {
    for (std::size_t i = 0; i < wanted->count; ++i)
      result.push_back({false, i, nullptr});
    return result;
  }
  auto driver = nvml::open();
  auto cards = driver ? (*driver)->cards().size() : 0;
  if (wanted->what == kind::automatic && cards == 0)
    return std::vector{device{}};
  if (!driver)
    return make_error(errc::environment_error, fmt::format("device {}: {}; lathe doctor says more",
                                                           name, describe(driver.error())));
  if (wanted->what == kind::automatic)
    wanted->cards = {0};
  for (std::size_t i = 0; wanted->what == kind::all_cuda && i < cards; ++i)
    wanted->cards.push_back(i);
  if (cards == 0 || std::ranges::max(wanted->cards) >= cards)
    return make_error(errc::environment_error, fmt::format("device {}: the driver knows {} GPU{}",
                                                           name, cards, cards == 1 ? "" : "s"));
  for (auto card : wanted->cards)
    result.push_back({true, card, *driver});
  return result;
}

caf::expected<device> find_device(std::string_view name) {
  auto found = find_devices(name);
  if (!found)
    return std::move(found.error());
  return std::move(found->front());
}

} // namespace lathe::gpu
