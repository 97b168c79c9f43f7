#pragma once

#include "tools/llm_server/distribution.hpp"
#include "tools/llm_server/fault.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lathe::llm_server {

/// How the server answers. The command line says it for all requests, the header `x-llm-server` for
/// one.
struct behaviour {
  std::size_t events = 100;                ///< streamed deltas of an answer
  distribution interval;                   ///< between two deltas
  distribution first_byte;                 ///< from the whole request to the first byte
  std::shared_ptr<const std::string> text; ///< of the answer; made up when empty
  std::size_t text_bytes = 0;              ///< of a text that is made up; 0: four for each delta
  fault error;
  double error_rate = 1; ///< how many of the requests get `error`
  std::uint64_t seed = 0;
  std::uint32_t rate_limit = 0; ///< requests a minute, 0: no limit
  std::string key;              ///< the only API key that is accepted; empty: any or none is
  std::optional<std::uint32_t> prompt_tokens; ///< unless told, one for four bytes of the request
  std::uint32_t cached_tokens = 0;            ///< of the prompt's, at most all of them
  std::uint32_t reasoning_tokens = 0;         ///< beside one token for each delta
};

/// One thing that the command line and the header can say.
struct behaviour_option {
  std::string_view name;
  std::string_view value; ///< what stands for its value in the help text
  std::string_view help;
  std::function<std::optional<mistake>(behaviour&, std::string_view)> set;
};

/// All of them, in the order of the help text.
const std::vector<behaviour_option>& behaviour_options();

/// Sets the option `name`. Returns what is wrong, if something is.
std::optional<mistake> set_option(behaviour& x, std::string_view name, std::string_view value);

/// Reads a JSON object of options, and takes from `defaults` what it does not say.
parsed<behaviour> parse_behaviour(std::string_view json, const behaviour& defaults);

/// The text of an answer: the one that was given, or words that make up as many bytes as told.
std::shared_ptr<const std::string> text_of(const behaviour& x);

} // namespace lathe::llm_server
