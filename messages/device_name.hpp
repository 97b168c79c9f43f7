#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace lathe {

/// A device as topologies and commands name it.
struct device_name {
  enum class kind : std::uint8_t {
    automatic, ///< the first GPU where there is one, the CPU elsewhere
    cpu,
    cuda,
  };

  kind what = kind::automatic;
  std::size_t card = 0; ///< cuda: which, in the driver's order
};

/// Reads auto, cpu, cuda (the first GPU) or cuda:N; nothing for anything else.
std::optional<device_name> parse_device_name(std::string_view text);

} // namespace lathe
