#pragma once

#include "messages/lease.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace lathe::gpu {

/// The kind of a `lease_span` among the journal's events.
inline constexpr std::string_view lease_event = "lease";

/// Remembers who asked for which lease and when, and makes a span of each that ends. Pure: times
/// come in [seconds since the epoch], tickets and fences are those of a `lease_queue`.
class lease_log {
public:
  /// A lease that has ended.
  struct ended_lease {
    session_id session; ///< whose it was
    lease_span span;
  };

  /// @param device as spans name it
  explicit lease_log(std::string device);

  void ask(std::uint64_t ticket, const lease_request& request, double now);

  /// The wait of this ticket ended with a lease.
  void grant(std::uint64_t ticket, std::uint64_t fence, double now);

  /// The wait of this ticket ended without one.
  void drop(std::uint64_t ticket);

  /// Returns the span of a lease that was out; nothing for a fence that is not, so that each lease
  /// has one span.
  std::optional<ended_lease> end(std::uint64_t fence, double now, bool reclaimed);

private:
  std::string device_;
  std::map<std::uint64_t, ended_lease> waiting_; // by ticket
  std::map<std::uint64_t, ended_lease> out_;     // by fence
};

} // namespace lathe::gpu
