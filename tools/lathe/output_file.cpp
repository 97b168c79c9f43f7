#include "tools/lathe/output_file.hpp"

#include "messages/error.hpp"

#include <filesystem>
#include <fstream>

namespace lathe::cli {

caf::error write_file(const std::string& file, const std::string& text) {
  std::ofstream out{file, std::ios::binary | std::ios::trunc};
  out << text << '\n';
  out.close();
  return out ? caf::error{} : make_error(errc::user_error, file + ": it cannot be written");
}

caf::error check_writable(const std::string& file) {
  if (file.empty() || file == "-")
    return {};
  std::error_code ignored;
  auto is_new = !std::filesystem::exists(file, ignored);
  std::ofstream out{file, std::ios::app};
  if (out && is_new) // nobody is left with an empty file
    std::filesystem::remove(file, ignored);
  return out ? caf::error{} : make_error(errc::user_error, file + ": it cannot be written");
}

} // namespace lathe::cli
