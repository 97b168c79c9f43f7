#pragma once

#include "gpu/call_profile.hpp"

#include <string>

namespace lathe::gpu {

/// Says in a few hundred tokens what bounds a call and where its time goes: for agents' prompts,
/// and for people. Plain text with line ends.
std::string digest(const call_profile& x);

} // namespace lathe::gpu
