#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace lathe::gpu {

/// "AMD EPYC 9B14"
std::string processor_name();

/// Returns the numbers of the processors that this process may use.
std::vector<int> allowed_cpus();

/// Returns how long a fixed piece of work takes on a processor right now [seconds, some 1e-5]:
/// twice as long on one that shares its core with a busy neighbour, of this host or of another
/// virtual machine.
double seconds_of_probe(int cpu);

/// Returns the size of the last cache level that the system names [bytes].
std::size_t last_cache_size();

} // namespace lathe::gpu
