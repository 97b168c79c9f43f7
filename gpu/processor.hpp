#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace lathe::gpu {

/// "AMD EPYC 9B14"
std::string processor_name();

/// Returns the numbers of the processors that this process may use.
std::vector<int> allowed_cpus();

/// Returns the size of the last cache level that the system names [bytes].
std::size_t last_cache_size();

} // namespace lathe::gpu
