#include "gpu/host_memory.hpp"

#include "gpu/processes/text_file.hpp"

#include <algorithm>
#include <charconv>

namespace lathe::gpu {

namespace {

// Lines read "MemTotal:       24605084 kB".
std::uint64_t value_of(std::string_view meminfo, std::string_view key) {
  for (std::size_t begin = 0; begin < meminfo.size();) {
    auto end = std::min(meminfo.find('\n', begin), meminfo.size());
    auto line = meminfo.substr(begin, end - begin);
    begin = end + 1;
    if (!line.starts_with(key) || !line.substr(key.size()).starts_with(':'))
      continue;
    line.remove_prefix(std::min(line.find_first_of("0123456789"), line.size()));
    std::uint64_t kibibytes = 0;
    std::from_chars(line.data(), line.data() + line.size(), kibibytes);
    return kibibytes * 1024;
  }
  return 0;
}

} // namespace

host_memory parse_host_memory(std::string_view meminfo) {
  return {value_of(meminfo, "MemTotal"), value_of(meminfo, "MemAvailable")};
}

host_memory measure_host_memory() {
  return parse_host_memory(read_text("/proc/meminfo"));
}

} // namespace lathe::gpu
