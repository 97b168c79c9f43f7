#pragma once

#include "messages/unique_fd.hpp"
#include "messages/verdict.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::gpu {

/// What went wrong in a worker, as its verdict will say.
struct failure {
  outcome how = outcome::crashed;
  std::string message; ///< many lines: a traceback, a compiler's errors
  std::string summary; ///< one sentence with file and line, for people
  std::optional<std::int64_t> line;
  std::string rule = {};     ///< refused: which rule was broken
  bool from_outside = false; ///< somebody killed the sandbox, which nothing inside can do
};

/// A worker's answer. Its text comes from foreign code: every look-up checks, and what is missing
/// or of another type is simply not there.
class reply {
public:
  /// Reads the answer to request `id`. Anything that is not one becomes a failure.
  static reply parse(std::string_view text, std::uint64_t id, std::vector<unique_fd> fds);

  /// What Lathe itself saw: a rule was broken.
  static reply refused(std::string rule, std::string evidence);

  /// What Lathe itself saw: the worker died, or took too long.
  static reply failed(outcome how, std::string message);
  static reply failed(failure why);

  reply(reply&&) noexcept;
  reply& operator=(reply&&) noexcept;
  ~reply();

  bool ok() const {
    return !problem_;
  }

  /// Whether the worker itself said so; what Lathe saw is no answer, nor is what cannot be read.
  bool is_answer() const {
    return document_ != nullptr;
  }

  /// Must not be called when `ok()`.
  const failure& problem() const {
    return *problem_;
  }

  std::optional<bool> flag(std::string_view key) const;
  std::optional<std::int64_t> integer(std::string_view key) const;
  std::optional<std::vector<std::int64_t>> integers(std::string_view key) const;
  std::optional<std::string> text(std::string_view key) const;
  std::optional<std::vector<std::string>> texts(std::string_view key) const;

  std::vector<unique_fd> fds; ///< came with the answer
  double wall = 0;            ///< [seconds] that the worker had for it
  double frozen = 0;          ///< [seconds] that it was frozen meanwhile
  std::vector<double> questions; ///< [seconds] from the request to when each timed call asked back

private:
  struct document;

  reply();

  std::unique_ptr<document> document_;
  std::optional<failure> problem_;
};

/// How a worker ended.
struct farewell {
  std::string how;      ///< "SIGSEGV", "exit 3"
  bool of_init = false; ///< the sandbox's init was killed, and the worker with it
};

/// Reads the farewell that a worker's guard sends; nothing if `text` is none. Anybody inside may
/// have written it.
std::optional<farewell> parse_farewell(std::string_view text);

} // namespace lathe::gpu
