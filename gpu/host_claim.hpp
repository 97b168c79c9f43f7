#pragma once

#include "messages/unique_fd.hpp"

#include <optional>
#include <string>

namespace lathe::gpu {

/// Takes a name for as long as the result lives, at most until the process ends, however it ends.
/// Returns nothing when another one on this host has it; containers with a network of their own do
/// not see each other.
/// @param name what is claimed: "lathe-times-on-cpu-3"; at most 100 characters
std::optional<unique_fd> claim_on_host(const std::string& name);

} // namespace lathe::gpu
