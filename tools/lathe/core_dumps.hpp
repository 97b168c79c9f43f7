#pragma once

namespace lathe::cli {

/// Keeps this process's memory, and so its keys, out of core dumps, whatever the limits and the
/// kernel's `core_pattern` are. Processes that it starts inherit the limit.
void forbid_core_dumps();

} // namespace lathe::cli
