#pragma once

#include "messages/types.hpp"

#include <array>

namespace lathe {

/// What a lease allows.
enum class lease_kind : std::uint8_t {
  shared,    ///< warm-up, JIT and checks; any number at once
  exclusive, ///< timing; alone on the device
};

template <>
struct enum_names<lease_kind> {
  static constexpr std::array<std::string_view, 2> value = {"shared", "exclusive"};
};

/// Asks a GPU owner for time on its GPU.
struct lease_request {
  session_id session;
  lease_kind kind = lease_kind::shared;
  std::int32_t priority = 0; ///< higher goes first
  std::int64_t timeout_ms = 0; ///< then the asker gives up, and is never granted; 0: waits for ever
};

template <class Inspector>
bool inspect(Inspector& f, lease_request& x) {
  return f.object(x).fields(f.field("session", x.session), f.field("kind", x.kind),
                            f.field("priority", x.priority), f.field("timeout_ms", x.timeout_ms));
}

/// Time on one GPU. The fence only grows, so a holder that lost its lease can be told from the
/// present one.
struct lease {
  std::uint64_t fence = 0;
  lease_kind kind = lease_kind::shared;
};

template <class Inspector>
bool inspect(Inspector& f, lease& x) {
  return f.object(x).fields(f.field("fence", x.fence), f.field("kind", x.kind));
}

/// Gives a lease back.
struct lease_release {
  std::uint64_t fence = 0;
  bool suspect = false; ///< the holder's processes left the device in doubt: probe it first
};

template <class Inspector>
bool inspect(Inspector& f, lease_release& x) {
  return f.object(x).fields(f.field("fence", x.fence), f.field("suspect", x.suspect));
}

/// One lease's life, as the journal keeps it. Times are in seconds since the epoch.
struct lease_span {
  std::string device; ///< "cuda:0"
  std::uint64_t fence = 0;
  lease_kind kind = lease_kind::shared;
  std::int32_t priority = 0;
  double asked = 0;
  double granted = 0;
  double released = 0;
  bool reclaimed = false; ///< its holder died
};

template <class Inspector>
bool inspect(Inspector& f, lease_span& x) {
  return f.object(x).fields(f.field("device", x.device), f.field("fence", x.fence),
                            f.field("kind", x.kind), f.field("priority", x.priority),
                            f.field("asked", x.asked), f.field("granted", x.granted),
                            f.field("released", x.released), f.field("reclaimed", x.reclaimed));
}

} // namespace lathe
