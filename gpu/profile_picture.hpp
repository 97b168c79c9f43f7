#pragma once

#include "gpu/call_profile.hpp"

#include <string>

namespace lathe::gpu {

/// Draws a call for people: what ran when, a line a stream (on a CPU operators one after the other,
/// the longest first), and the call under its device's roofline. One SVG document, which needs
/// nothing else.
std::string draw_profile(const call_profile& x, const std::string& title);

} // namespace lathe::gpu
