#pragma once

#include "tools/llm_server/answer_format.hpp"
#include "tools/llm_server/parsed.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace lathe::llm_server {

enum class provider { openai, anthropic, gemini };

/// What a request line asks for.
struct endpoint {
  provider from = provider::openai;      ///< whose shape errors have
  const answer_format* format = nullptr; ///< none: the list of models
  std::string model;                     ///< Gemini names it in the path
  bool stream = false;                   ///< Gemini's path says this, too
  std::string key;                       ///< Gemini takes an API key in the query
};

/// A request that cannot be answered, and why.
struct refusal {
  unsigned status = 400;
  std::string sentence;
};

/// Finds what `method` and `target` mean; a refusal when they mean nothing here.
boost::system::result<endpoint, refusal> find_endpoint(std::string_view method,
                                                       std::string_view target);

/// Whose shape an error has that is told before, or without, an endpoint.
provider provider_of(std::string_view target);

/// What the server needs to know of a request's body.
struct question {
  std::string model;
  bool stream = false;
  bool stream_usage = false;
};

/// Reads a body that is sent to `to`. A sentence when it is not one that the API would take.
parsed<question> parse_question(const endpoint& to, std::string_view body);

/// The body of an error in the shape of `from`.
std::string error_body(provider from, unsigned status, std::string_view sentence);

/// The body of the list of models.
std::string models_body();

} // namespace lathe::llm_server
