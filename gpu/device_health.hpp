#pragma once

#include "messages/device_event.hpp"

#include <caf/error.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace lathe::gpu {

/// Returns the event as a sentence.
std::string in_words(const device_event& x);

/// Decides whether leases on a device may be granted after something went wrong on it. Pure: no
/// clock, and whoever uses it does the probing.
///
/// A device in doubt is probed at once. When that fails it is in quarantine and probed again, after
/// pauses that double, until a probe succeeds or patience is at its end.
class device_health {
public:
  using time_point = std::chrono::steady_clock::time_point;
  using duration = std::chrono::milliseconds;

  struct limits {
    duration first_pause = std::chrono::seconds{1};
    duration longest_pause = std::chrono::seconds{60};
    duration patience = std::chrono::minutes{10}; ///< in quarantine, then the device is lost
  };

  /// What follows from a probe.
  struct step {
    std::optional<duration> probe_in; ///< probe again after this time; nothing: no more
    std::optional<device_event> news; ///< for the journal and for people
  };

  explicit device_health(std::string device);

  device_health(std::string device, limits bounds);

  /// Leases may be granted.
  bool usable() const {
    return state_ == state::sound;
  }

  bool lost() const {
    return state_ == state::lost;
  }

  /// Says why there are no leases on a lost device.
  caf::error loss() const;

  /// A holder left the device in doubt. Returns true when a probe is to begin now; false when one
  /// is under way or due, or none is of use any more.
  bool doubt();

  /// The probe that was asked for found nothing wrong. One that began before the latest doubt
  /// proves nothing, and is repeated.
  step passed();

  /// It found something.
  step failed(std::string reason, time_point now);

private:
  enum class state : std::uint8_t { sound, doubted, quarantined, lost };

  std::string device_;
  limits limits_;
  state state_ = state::sound;
  bool doubted_again_ = false; // since the latest probe was asked for
  duration pause_{0};          // quarantined: before the next probe
  time_point since_{};         // quarantined
  std::string reason_;
};

} // namespace lathe::gpu
