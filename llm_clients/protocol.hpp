#pragma once

#include "llm_clients/http_message.hpp"
#include "llm_clients/provider.hpp"
#include "llm_clients/sse_reader.hpp"
#include "messages/topology.hpp"

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// What providers' APIs have in common: each is three pure functions, and what they find is put
// together here. All text that comes in may be anything.

namespace lathe::llm_clients {

/// What a call took [tokens].
struct token_usage {
  std::int64_t input = 0;       ///< all of it
  std::int64_t cached = 0;      ///< the part of the input that was in the provider's cache
  std::int64_t cache_write = 0; ///< the part of the input that was put there
  std::int64_t output = 0;      ///< all of it
  std::int64_t reasoning = 0;   ///< the part of the output that is not in the answer
};

/// What a server says that a call took, as `token_usage` has it. Money depends on input and output,
/// so these are missing where they are not said in whole numbers.
struct reported_usage {
  std::optional<std::int64_t> input;
  std::optional<std::int64_t> output;
  std::int64_t cached = 0;
  std::int64_t cache_write = 0;
  std::int64_t reasoning = 0;

  /// Takes the output from the sum of all, where it is not said by itself.
  void take_sum(std::optional<std::int64_t> sum) {
    if (sum && input && !output && *sum >= *input)
      output = *sum - *input;
  }
};

/// As much of an answer as has come in.
struct partial_answer {
  std::string text;
  std::string model;  ///< as the server names it
  std::string finish; ///< "stop", "length", or another reason in the server's words
  std::optional<reported_usage> usage;
  bool complete = false; ///< the server has said that this is all

  /// Parts of text and of thoughts so far. Each is at least one token at all known servers, and may
  /// be many: so many tokens have come at least, which shows that a stream goes on, but is no
  /// bound for what it costs.
  std::int64_t deltas = 0;

  std::int64_t counted = 0; ///< of these parts, those that `usage` knows of
  bool thought = false;     ///< some were thoughts, which are not in `text`

  void add_text(std::string_view part) {
    text += part;
    deltas += part.empty() ? 0 : 1;
  }

  void add_thought(std::string_view part) {
    deltas += part.empty() ? 0 : 1;
    thought |= !part.empty();
  }

  /// Notes what the server has counted, up to the last part.
  void count(const reported_usage& x) {
    usage = x;
    counted = deltas;
  }
};

/// How an API is spoken.
struct protocol {
  /// What to send, but for the key. What the topology leaves open is left out: some models reject a
  /// parameter at any value.
  http_request (*make_request)(const model_config&, const llm_request&);

  /// Reads the body of a response of status 200, which is JSON.
  std::optional<failure> (*parse_response)(const model_config&, simdjson::dom::element root,
                                           std::string_view body, partial_answer&);

  /// Adds what one event of a stream says. Its data is JSON.
  std::optional<failure> (*parse_event)(const model_config&, simdjson::dom::element root,
                                        partial_answer&);

  bool ends_with_done = false; ///< a stream is complete with `[DONE]`, whatever came before
};

/// Returns the member "temperature" of a body, with a comma behind it; nothing where it is not set,
/// or not taken.
std::string temperature_of(const model_config& model);

/// Returns the members of `extra`, each with a comma behind it. They are none of those that
/// requests have anyway: `runtime/topology/models.cpp` refuses these.
std::string extra_of(const model_config& model);

/// Returns a message as all but Gemini take it: {"role": ..., "content": ...}.
std::string message_of(std::string_view role, std::string_view content);

/// Returns what was said after a question's prompt in such messages, each with a comma before it.
/// The last one is the user's: newer models refuse to go on within an answer of their own.
std::string follow_ups_of(const llm_request& question);

/// Returns the protocol of a model's provider.
const protocol& protocol_of(const model_config& model);

/// Reads a response that came in one piece: the answer with its cost, or what went wrong, in a
/// sentence that quotes at most 1 KiB of what the server said. Seconds are left at zero.
reply read_response(const protocol& spoken, const model_config& model, const llm_request& question,
                    const http_response& response);

/// Adds what one event of a stream says. What comes after the end is passed over, and so is the
/// `[DONE]` that some servers put at the end of any stream. A failure in mid-stream may have been
/// charged.
std::optional<failure> read_event(const protocol& spoken, const model_config& model,
                                  const sse_event& event, partial_answer& found);

/// Returns the answer that a stream has come to. One that ended before the server said that this is
/// all is a failure, which may have been charged.
reply read_stream_end(const model_config& model, const llm_request& question,
                      partial_answer&& found);

/// Returns the answer that a stream had come to when Lathe stopped it: there is nothing more in it
/// that anybody wants. Nobody says what was charged, so the bound is.
llm_answer read_stopped_stream(const model_config& model, const llm_request& question,
                               partial_answer&& found);

} // namespace lathe::llm_clients
