#include "gpu/processes/text_file.hpp"

#include <fstream>
#include <sstream>
#include <utility>

namespace lathe::gpu {

std::string read_text(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  std::ostringstream content;
  content << in.rdbuf();
  return std::move(content).str();
}

} // namespace lathe::gpu
