#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace lathe::llm_clients {

/// Reads the lines of a file that somebody else writes, each as soon as it is whole. A file that
/// was replaced, or has become shorter, is read from its start.
class growing_file {
public:
  struct line {
    std::string_view text; ///< without its line feed
    std::size_t number;    ///< from 1
    bool ended;            ///< false: a last line without a line feed, which may be half a one
  };

  /// Takes a line. One that has not ended comes again at a later look unless true is returned.
  using line_handler = std::function<bool(const line&)>;

  explicit growing_file(std::filesystem::path file);

  /// Reads what has come since the last look; blank lines are passed over.
  /// @returns 0, or the errno of a file that cannot be read; one that is not there is empty
  int look(const line_handler& take);

private:
  int read_on(int descriptor, const line_handler& take);

  // Whether what was read is still there, as far as its first and last bytes tell.
  bool begins_as_before(int descriptor) const;

  std::filesystem::path file_;
  std::array<std::uintmax_t, 4> seen_{}; // device, inode, size, time of change: at the last look
  std::size_t offset_ = 0;               // [bytes] of whole lines that were read
  std::size_t lines_ = 0;
  std::string head_; // the first bytes of those
  std::string tail_; // the last ones
};

} // namespace lathe::llm_clients
