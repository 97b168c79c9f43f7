#pragma once

#include "tools/llm_server/behaviour.hpp"
#include "tools/llm_server/rate_limit.hpp"
#include "tools/llm_server/reply.hpp"
#include "tools/llm_server/request_reader.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace lathe::llm_server {

/// Decides how each request is answered. No sockets; the time comes from outside. Any thread may
/// ask.
///
/// Requests with the same seed draw from one sequence, which makes the n-th of them always go the
/// same way. Requests with the same API key and the same limit share that limit.
class responder {
public:
  using clock = rate_limit::clock;

  explicit responder(behaviour defaults);

  std::unique_ptr<reply> answer(const http_request& request, clock::time_point now);

  /// The reply to bytes that are no request; the connection ends with it.
  static std::unique_ptr<reply> refuse(const refusal& why);

private:
  // The state of `seed`'s sequence for the next request.
  random_source draw(std::uint64_t seed);

  rate_limit::verdict count(const std::string& key, std::uint32_t limit, clock::time_point now);

  behaviour defaults_;
  std::shared_ptr<const std::string> default_text_; // of all answers that do not ask for another
  std::mutex mutex_;
  std::unordered_map<std::uint64_t, std::uint64_t> requests_;          // by seed
  std::map<std::pair<std::string, std::uint32_t>, rate_limit> limits_; // by key and limit
};

} // namespace lathe::llm_server
