#include "runtime/journal/file_lock.hpp"

#include "messages/error.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace lathe::runtime {

namespace fs = std::filesystem;

namespace {

// Locks of the open file, not of the process: closing another descriptor of the same file does not
// release them, and asking for the holder does not take them.
struct flock whole_file() {
  struct flock result {};
  result.l_type = F_WRLCK;
  result.l_whence = SEEK_SET;
  return result;
}

int recorded_holder(const fs::path& file) {
  int process = 0;
  std::ifstream{file} >> process;
  return process;
}

caf::error failure(const fs::path& file) {
  return make_error(errc::environment_error,
                    fmt::format("{} cannot be locked: {}", file.string(), std::strerror(errno)));
}

} // namespace

caf::expected<file_lock> file_lock::take(const fs::path& file) {
  auto descriptor = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0)
    return failure(file);
  file_lock result{descriptor};
  auto request = whole_file();
  if (fcntl(descriptor, F_OFD_SETLK, &request) != 0) {
    if (errno != EAGAIN && errno != EACCES)
      return failure(file);
    return make_error(errc::user_error,
                      fmt::format("process {} is working on {}; wait for it, or stop it with: "
                                  "lathe stop {}",
                                  recorded_holder(file), file.parent_path().string(),
                                  file.parent_path().string()));
  }
  auto process = fmt::format("{}\n", getpid());
  if (ftruncate(descriptor, 0) != 0
      || pwrite(descriptor, process.data(), process.size(), 0)
           != static_cast<ssize_t>(process.size()))
    return failure(file);
  return result;
}

std::optional<int> file_lock::holder(const fs::path& file) {
  auto descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return std::nullopt;
  auto request = whole_file();
  auto found = fcntl(descriptor, F_OFD_GETLK, &request) == 0 && request.l_type != F_UNLCK;
  close(descriptor);
  return found ? std::optional{recorded_holder(file)} : std::nullopt;
}

file_lock::~file_lock() {
  if (descriptor_ >= 0)
    close(descriptor_);
}

} // namespace lathe::runtime
