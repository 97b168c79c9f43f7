#pragma once

#include "gpu/processes/input_lock.hpp"

#include <optional>
#include <string_view>

namespace lathe::gpu {

/// What becomes of a timed call's output.
enum class output_use {
  drawn, ///< a lot that is drawn when the call is over says whether it is the one of its block that
         ///< is kept
  copied, ///< the same, but it is copied whatever the lot says: it takes the time of one that is
          ///< kept
  kept,   ///< it is the one
};

/// "drawn", "copied" or "kept".
std::string_view name_of(output_use x);

/// What a worker is told right before a timed call.
struct call_guidance {
  std::optional<input_key> key = std::nullopt; ///< that opens its inputs; none where they are open
  output_use output = output_use::drawn;
};

/// Reads the message `{"key":"...","output":"..."}`, written just so, with nothing but its own
/// code: the worker's functions of libraries may be somebody else's. Nothing where it is another
/// message.
std::optional<call_guidance> parse_guidance(std::string_view message);

} // namespace lathe::gpu
