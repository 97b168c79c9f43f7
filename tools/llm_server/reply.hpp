#pragma once

#include "tools/llm_server/answer_format.hpp"
#include "tools/llm_server/distribution.hpp"
#include "tools/llm_server/fault.hpp"
#include "tools/llm_server/http_text.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace lathe::llm_server {

/// What to do once the bytes of a step are out.
enum class after {
  next_step,  ///< after the step's `wait`
  keep_alive, ///< the reply is complete, the connection takes another request
  close,
  reset, ///< with a TCP reset
  hang,  ///< nothing, until the client goes
};

struct step {
  after then = after::keep_alive;
  std::chrono::microseconds wait{0};
  std::size_t events = 0; ///< deltas in its bytes
};

/// The bytes of one reply, in steps. Pure: whoever sends them has the socket and the clock.
class reply {
public:
  virtual ~reply() = default;

  /// Appends the next bytes to `out`. Not called after a step that was the last.
  virtual step next(std::string& out) = 0;

  std::chrono::microseconds first_byte{0}; ///< to wait before the first step
  bool is_stream = false;                  ///< for whoever counts
};

/// `bytes` at once, then `end`.
std::unique_ptr<reply> whole_reply(std::string bytes, after end);

/// `head` at once, then `body` with one byte a second.
std::unique_ptr<reply> slow_reply(std::string head, std::string body, framing how, after end);

/// `head`, then `body` with 100 MB of blanks at its first brace, then `end`. A plain body's length
/// in `head` has to count them: `padding`.
std::unique_ptr<reply> large_reply(std::string head, std::string body, framing how, after end);

constexpr std::size_t padding = 100'000'000; ///< [bytes] of a large reply

/// What a stream is made of.
struct stream_plan {
  std::string head;
  const answer_format* format = nullptr;
  answer what;
  distribution interval; ///< between two deltas
  random_source random{0};
  fault_kind fault = fault_kind::none; ///< cut or invalid_json, at the delta in the middle
  framing how = framing::chunked;
  after end = after::keep_alive;
};

/// The head, the opening events and the first delta at once, then a delta each interval, the
/// closing events with the last.
std::unique_ptr<reply> stream_reply(stream_plan plan);

} // namespace lathe::llm_server
