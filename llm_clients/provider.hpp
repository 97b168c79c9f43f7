#pragma once

#include "llm_clients/cancellation.hpp"
#include "llm_clients/http_message.hpp"
#include "messages/llm.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>

namespace lathe::llm_clients {

/// What a failure means for the caller. The provider classifies, the gateway has the patience.
enum class failure_kind {
  retry,  ///< may well work later
  refuse, ///< this question will never be answered, others may
  fail,   ///< no question to this model can be answered: wrong key, unknown model
  wait,   ///< it is in a mailbox, unanswered so far: whoever asks again may find an answer
};

/// Why there is no answer.
struct failure {
  failure_kind kind = failure_kind::retry;
  std::string sentence;
  std::chrono::milliseconds retry_after{0}; ///< as the server asked; 0: it did not
  bool may_be_charged = false; ///< the question went out whole, so its tokens may be on the bill
  bool unreached = false;      ///< no server was found that takes questions
  unsigned status = 0;         ///< of HTTP; 0: there was no response, or none with an error's
  bool is_final = false;       ///< refuse: no other model is asked in its place
};

using reply = std::variant<llm_answer, failure>;

/// Takes the reply to one question, from any thread; the first counts. When the last copy goes
/// without a reply, it gives a `retry` failure itself: no question is ever left open.
class completion {
public:
  /// @param hear takes the headers of responses, which may speak of limits; may be empty
  /// @param cancelled tells that nobody waits for the reply any more; may be empty
  explicit completion(std::function<void(reply)> deliver,
                      std::function<void(const header_map&)> hear = {},
                      std::shared_ptr<cancellation> cancelled = {});

  void operator()(reply x) const;

  /// Tells what else a response said, before its reply.
  void hear(const header_map& headers) const;

  /// Whoever works on the reply can ask to be told when it is wanted no more; may be empty.
  const std::shared_ptr<cancellation>& cancelled() const;

private:
  struct state;
  std::shared_ptr<state> state_;
};

/// Asks one model.
class provider {
public:
  virtual ~provider();

  /// Begins to answer `question` and never blocks. `done` may be called before this returns.
  virtual void ask(const llm_request& question, completion done) = 0;
};

} // namespace lathe::llm_clients
