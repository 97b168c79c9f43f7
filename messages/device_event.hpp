#pragma once

#include "messages/enum_names.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace lathe {

/// What people hear of a device.
enum class device_state : std::uint8_t {
  quarantined, ///< nobody gets a lease until a probe succeeds
  recovered,   ///< out of quarantine
  lost,        ///< nobody gets a lease any more
};

template <>
struct enum_names<device_state> {
  static constexpr std::array<std::string_view, 3> value = {"quarantined", "recovered", "lost"};
};

/// A device went into quarantine, or left it. The journal keeps it, no actor gets it.
struct device_event {
  static constexpr std::string_view kind = "device"; ///< among the journal's events

  std::string device; ///< "cuda:0"
  device_state state = device_state::quarantined;
  std::string reason; ///< what the probe found, for people; empty: recovered
};

template <class Inspector>
bool inspect(Inspector& f, device_event& x) {
  return f.object(x).fields(f.field("device", x.device), f.field("state", x.state),
                            f.field("reason", x.reason));
}

} // namespace lathe
