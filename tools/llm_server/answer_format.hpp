#pragma once

#include "tools/llm_server/answer.hpp"

namespace lathe::llm_server {

/// How one API writes an answer: as one JSON body, or as server-sent events. Pure and without
/// state. A stream is `opening`, every delta in order, `closing`.
class answer_format {
public:
  virtual ~answer_format() = default;

  virtual std::string body(const answer& x) const = 0;

  virtual std::string opening(const answer& x) const = 0;

  /// Appends the event of delta `number`, from 0.
  virtual void append_delta(const answer& x, std::size_t number, std::string& out) const = 0;

  virtual std::string closing(const answer& x) const = 0;
};

/// OpenAI: POST /v1/chat/completions.
const answer_format& chat_completions_format();

/// OpenAI: POST /v1/responses.
const answer_format& responses_format();

/// Anthropic: POST /v1/messages.
const answer_format& messages_format();

/// Gemini: POST /v1beta/models/MODEL:generateContent and :streamGenerateContent.
const answer_format& generate_content_format();

/// All events of a stream.
std::string all_events(const answer_format& format, const answer& x);

} // namespace lathe::llm_server
