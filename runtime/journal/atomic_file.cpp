#include "runtime/journal/atomic_file.hpp"

#include "messages/error.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace lathe::runtime {

namespace fs = std::filesystem;

namespace {

// Returns 0 or an errno.
int write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    auto written = write(descriptor, text.data(), text.size());
    if (written >= 0)
      text.remove_prefix(static_cast<std::size_t>(written));
    else if (errno != EINTR)
      return errno;
  }
  return fsync(descriptor) == 0 ? 0 : errno;
}

int write_new(const fs::path& file, std::string_view text) {
  auto descriptor = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0)
    return errno;
  auto result = write_all(descriptor, text);
  if (close(descriptor) != 0 && result == 0)
    result = errno;
  return result;
}

// Makes a rename survive a power cut. Not every file system allows it; then nothing is lost that
// the caller could mend.
void sync_folder(const fs::path& folder) {
  auto descriptor = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0)
    return;
  fsync(descriptor);
  close(descriptor);
}

} // namespace

caf::expected<void> write_atomically(const fs::path& file, std::string_view text) {
  auto part = file.parent_path() / ("." + file.filename().string() + ".part");
  auto code = write_new(part, text);
  if (code == 0 && std::rename(part.c_str(), file.c_str()) != 0)
    code = errno;
  if (code == 0) {
    sync_folder(file.parent_path());
    return {};
  }
  unlink(part.c_str());
  if (code == ENOSPC || code == EDQUOT)
    return make_error(errc::environment_error,
                      fmt::format("{} was not written: the disk is full", file.string()));
  return make_error(errc::environment_error,
                    fmt::format("{} cannot be written: {}", file.string(), std::strerror(code)));
}

} // namespace lathe::runtime
