#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace lathe {

/// One or several devices as topologies and commands name them.
struct device_name {
  enum class kind : std::uint8_t {
    automatic, ///< the first GPU where there is one, the CPU elsewhere
    cpu,
    cuda,
    all_cuda, ///< every GPU that the driver knows
  };

  kind what = kind::automatic;
  std::vector<std::size_t> cards; ///< cuda: which, in the driver's order; each once, never none
  std::size_t count = 1;          ///< cpu: so many stand-ins for devices of their own
};

/// How a device may be called, for sentences about names that are none.
inline constexpr std::string_view device_names =
  "auto, cpu, cuda, cuda:N, cuda:N,M,... or cuda:all";

/// Reads auto, cpu, cuda (the first GPU), cuda:N, cuda:0,2 (several) or cuda:all; nothing for
/// anything else. `cpu:N` stands for N devices where there is no GPU to test several on.
std::optional<device_name> parse_device_name(std::string_view text);

} // namespace lathe
