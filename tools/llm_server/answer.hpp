#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace lathe::llm_server {

/// What one answer says, whichever API says it.
struct answer {
  std::string id;           ///< 24 hexadecimal digits, which an API puts its own prefix before
  std::string model;        ///< as the request named it, escaped for JSON
  std::int64_t created = 0; ///< [seconds since 1970]
  std::shared_ptr<const std::string> text;
  std::size_t events = 1; ///< deltas of a stream, each counted as a token
  std::uint32_t prompt_tokens = 0;
  std::uint32_t cached_tokens = 0; ///< of `prompt_tokens`
  std::uint32_t reasoning_tokens = 0;
  bool stream_usage = false; ///< the request asked for the usage at the stream's end
};

/// The delta `number`, from 0, of an answer: the text is cut into equal parts, never within a
/// character. A text with fewer characters than deltas has empty ones.
std::string_view delta_text(const answer& x, std::size_t number);

} // namespace lathe::llm_server
