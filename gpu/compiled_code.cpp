#include "gpu/compiled_code.hpp"

#include "gpu/processes/text_file.hpp"
#include "messages/content_hash.hpp"
#include "messages/unique_fd.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lathe::gpu {

namespace fs = std::filesystem;

namespace {

// An archive that grew larger begins anew: much of it is of no more use [bytes].
constexpr std::int64_t most_of_one = 64 << 20;

// When there is too much, so much of the limit is left: not every addition has to look again.
constexpr double share_left = 0.9;

/// Returns where the last whole record ends: of one that was cut off, all that came after it would
/// be taken for a part.
std::int64_t end_of_records(int fd, std::int64_t size) {
  std::int64_t end = 0;
  for (std::uint64_t length = 0;
       ::pread(fd, &length, sizeof(length), end) == sizeof(length)
       && length <= static_cast<std::uint64_t>(size - end - std::int64_t{sizeof(length)});)
    end += static_cast<std::int64_t>(sizeof(length) + length);
  return end;
}

bool write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    auto written = ::write(fd, bytes.data(), bytes.size());
    if (written <= 0)
      return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

struct archive {
  fs::path path;
  std::int64_t size;
  fs::file_time_type used;
};

std::vector<archive> archives_in(const fs::path& folder) {
  std::vector<archive> result;
  std::error_code ignored;
  for (auto& entry : fs::directory_iterator{folder, ignored}) {
    std::error_code gone; // others take some away, too
    archive x{entry.path(), static_cast<std::int64_t>(entry.file_size(gone)), {}};
    if (!gone)
      x.used = entry.last_write_time(gone);
    if (!gone)
      result.push_back(std::move(x));
  }
  return result;
}

std::int64_t size_of(const std::vector<archive>& archives) {
  std::int64_t sum = 0;
  for (auto& x : archives)
    sum += x.size;
  return sum;
}

} // namespace

compiled_code::compiled_code(fs::path folder, std::int64_t limit)
  : folder_(std::move(folder)), limit_(folder_.empty() ? 0 : limit) {
  // nop
}

std::optional<shared_memory> compiled_code::find(const std::string& name, author whose) {
  if (!keeps())
    return std::nullopt;
  {
    std::lock_guard guard{mutex_};
    if (whose == author::anybody && added_.contains(name))
      return std::nullopt;
  }
  auto file = file_for(name);
  auto content = read_text(file);
  if (content.empty())
    return std::nullopt;
  std::error_code ignored;
  fs::last_write_time(file, fs::file_time_type::clock::now(), ignored); // it is of use
  auto result = shared_memory::holding(content);
  return result ? std::optional{std::move(*result)} : std::nullopt;
}

bool compiled_code::has(const std::string& name) const {
  unique_fd file{::open(file_for(name).c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat found {};
  return keeps() && file.get() >= 0 && ::fstat(file.get(), &found) == 0 && found.st_size > 0
         && end_of_records(file.get(), found.st_size) == found.st_size;
}

bool compiled_code::wants(const std::string& name, author whose) {
  std::lock_guard guard{mutex_};
  return keeps() && (whose == author::rules || !added_.contains(name));
}

bool compiled_code::add(const std::string& name, std::span<const std::byte> record) {
  if (!keeps() || record.empty())
    return true;
  std::lock_guard guard{mutex_};
  added_.insert(name);
  std::error_code ignored;
  fs::create_directories(folder_, ignored);
  unique_fd file{::open(file_for(name).c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
  if (file.get() < 0 || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0)
    return file.get() >= 0; // another Lathe adds: what it has will do
  struct stat before {};
  if (::fstat(file.get(), &before) != 0)
    return false;
  std::uint64_t length = record.size();
  auto more = static_cast<std::int64_t>(sizeof(length) + length);
  auto kept = end_of_records(file.get(), before.st_size);
  if (kept + more > most_of_one)
    kept = 0;
  if (::ftruncate(file.get(), kept) != 0
      || !write_all(file.get(), std::as_bytes(std::span{&length, 1}))
      || !write_all(file.get(), record)) {
    [[maybe_unused]] auto undone = ::ftruncate(file.get(), kept);
    return false;
  }
  if (held_)
    *held_ += kept + more - before.st_size;
  else
    held_ = size_of(archives_in(folder_));
  if (*held_ > limit_)
    make_room();
  return true;
}

void compiled_code::drop(const std::string& name) {
  std::error_code ignored;
  fs::remove(file_for(name), ignored);
}

void compiled_code::make_room() {
  auto archives = archives_in(folder_);
  std::ranges::sort(archives, {}, &archive::used);
  held_ = size_of(archives);
  auto wanted = static_cast<std::int64_t>(share_left * static_cast<double>(limit_));
  for (auto& x : archives) {
    if (*held_ <= wanted)
      break;
    std::error_code ignored;
    fs::remove(x.path, ignored);
    *held_ -= x.size;
  }
}

fs::path compiled_code::file_for(const std::string& name) const {
  return folder_ / content_hash(name);
}

caf::expected<shared_memory> archive_of(std::span<const std::byte> record) {
  std::uint64_t length = record.size();
  std::string content(sizeof(length) + record.size(), '\0');
  std::memcpy(content.data(), &length, sizeof(length));
  std::ranges::copy(record, reinterpret_cast<std::byte*>(content.data() + sizeof(length)));
  return shared_memory::holding(content);
}

} // namespace lathe::gpu
