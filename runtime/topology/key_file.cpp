#include "runtime/topology/key_file.hpp"

#include "messages/error.hpp"
#include "messages/unique_fd.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lathe::runtime {

namespace {

constexpr std::size_t longest_key = 16 << 10; // [bytes]

// Returns what is wrong with the file that was opened, or nothing: one that is looked at before may
// be another. To be called while errno says why it was not.
std::string complaint_of(const unique_fd& file, const std::string& name) {
  struct stat found {};
  // Not named: it may be the key itself, by mistake.
  if (!file && (errno == ENOENT || errno == ENAMETOOLONG || errno == ENOTDIR))
    return "the file that api_key_file names is not there";
  if (!file || ::fstat(file.get(), &found) != 0)
    return fmt::format("the key file {} cannot be read: {}", name, std::strerror(errno));
  if (!S_ISREG(found.st_mode))
    return fmt::format("the key file {} is not a regular file", name);
  if (found.st_uid != ::geteuid())
    return fmt::format("the key file {} belongs to somebody else: make it yours, with mode 0600",
                       name);
  if ((found.st_mode & 077) != 0)
    return fmt::format("others can get at the key file {}: chmod 600 {}", name, name);
  return {};
}

std::string read(const unique_fd& file) {
  std::string result(longest_key + 1, '\0');
  auto size = ::read(file.get(), result.data(), result.size());
  result.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return result;
}

} // namespace

caf::expected<std::string> read_key_file(const std::filesystem::path& file) {
  auto name = file.string();
  // Not blocking: it may be a pipe that nobody writes to.
  unique_fd opened{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (auto complaint = complaint_of(opened, name); !complaint.empty())
    return make_error(errc::user_error, std::move(complaint));
  auto key = read(opened);
  while (!key.empty() && (key.back() == ' ' || (key.back() >= '\t' && key.back() <= '\r')))
    key.pop_back();
  if (key.empty())
    return make_error(errc::user_error, fmt::format("the key file {} is empty", name));
  auto odd = [](unsigned char c) { return c <= ' ' || c >= 0x7f; };
  if (key.size() > longest_key || std::any_of(key.begin(), key.end(), odd))
    return make_error(
      errc::user_error,
      fmt::format("the key file {} holds more than a key, which is one word", name));
  return key;
}

} // namespace lathe::runtime
