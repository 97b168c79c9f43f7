#include "llm_clients/growing_file.hpp"

#include "messages/unique_fd.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lathe::llm_clients {

namespace {

constexpr std::size_t chunk = 1u << 20;        // [bytes]
constexpr std::size_t longest_end = 4u << 10;  // [bytes] that are remembered of what was read

// Returns how much was read; less than asked for only at the end of the file or at an error.
std::size_t read_at(int descriptor, char* to, std::size_t size, std::size_t offset) {
  std::size_t result = 0;
  while (result < size) {
    auto n = ::pread(descriptor, to + result, size - result, static_cast<off_t>(offset + result));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      break;
    result += static_cast<std::size_t>(n);
  }
  return result;
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

} // namespace

growing_file::growing_file(std::filesystem::path file) : file_(std::move(file)) {
  // nop
}

int growing_file::look(const line_handler& take) {
  unique_fd opened{::open(file_.c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat found {};
  if (!opened || ::fstat(opened.get(), &found) != 0)
    return errno == ENOENT ? 0 : errno;
  decltype(seen_) now{found.st_dev, found.st_ino, static_cast<std::uintmax_t>(found.st_size),
                      static_cast<std::uintmax_t>(found.st_mtim.tv_sec) * 1'000'000'000
                        + static_cast<std::uintmax_t>(found.st_mtim.tv_nsec)};
  if (now == seen_)
    return 0;
  auto same_file = now[0] == seen_[0] && now[1] == seen_[1];
  seen_ = now;
  if (!same_file || now[2] < offset_ || !begins_as_before(opened.get())) {
    offset_ = 0;
    lines_ = 0;
    head_.clear();
    tail_.clear();
  }
  return read_on(opened.get(), take);
}

bool growing_file::begins_as_before(int descriptor) const {
  auto is_there = [&](const std::string& text, std::size_t offset) {
    std::string now(text.size(), '\0');
    return read_at(descriptor, now.data(), now.size(), offset) == text.size() && now == text;
  };
  return is_there(head_, 0) && is_there(tail_, offset_ - tail_.size());
}

int growing_file::read_on(int descriptor, const line_handler& take) {
  std::string text; // from offset_ on
  auto consume = [&](std::size_t size) {
    if (head_.size() < longest_end)
      head_.append(text, 0, std::min(size, longest_end - head_.size()));
    tail_.append(text, size - std::min(size, longest_end), std::min(size, longest_end));
    tail_.erase(0, tail_.size() - std::min(tail_.size(), longest_end));
    offset_ += size;
    text.erase(0, size);
  };
  for (;;) {
    auto had = text.size();
    text.resize(had + chunk);
    auto got = read_at(descriptor, text.data() + had, chunk, offset_ + had);
    text.resize(had + got);
    std::size_t begin = 0;
    for (auto end = text.find('\n', had); end != std::string::npos; end = text.find('\n', begin)) {
      ++lines_;
      if (auto line = std::string_view{text}.substr(begin, end - begin); !is_blank(line))
        take({line, lines_, true});
      begin = end + 1;
    }
    consume(begin);
    if (got < chunk)
      break;
  }
  if (!is_blank(text) && take({text, lines_ + 1, false}))
    consume(text.size());
  return 0;
}

} // namespace lathe::llm_clients
