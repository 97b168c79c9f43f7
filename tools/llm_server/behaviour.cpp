#include "tools/llm_server/behaviour.hpp"

#include "tools/llm_server/numbers.hpp"

#include <simdjson.h>

#include <fmt/format.h>

#include <algorithm>

namespace lathe::llm_server {

namespace dom = simdjson::dom;

namespace {

using complaint = std::optional<mistake>;

constexpr std::size_t most_events = 10'000'000;
constexpr std::size_t most_text = 64u << 20;         // [bytes]
constexpr std::uint32_t most_requests = 100'000'000; // a minute
constexpr std::uint32_t most_tokens = 1'000'000'000;
constexpr std::string_view words = "the quick brown fox jumps over the lazy dog and ";

// A setter of a whole number between two others.
template <class Target>
auto count(Target behaviour::*member, std::uint64_t least, std::uint64_t most) {
  return [=](behaviour& x, std::string_view text) -> complaint {
    auto value = number<std::uint64_t>(text);
    if (!value || *value < least || *value > most)
      return mistake{fmt::format("'{}' is no whole number from {} to {}", text, least, most)};
    x.*member = static_cast<std::uint32_t>(*value);
    return std::nullopt;
  };
}

// A setter of what `parse` makes of the text.
template <class Target, class Parse>
auto read(Target behaviour::*member, Parse parse) {
  return [=](behaviour& x, std::string_view text) -> complaint {
    auto value = parse(text);
    if (!value)
      return value.error();
    x.*member = std::move(*value);
    return std::nullopt;
  };
}

parsed<double> parse_share(std::string_view text) {
  auto value = number<double>(text);
  if (!value || !(*value >= 0 && *value <= 1))
    return mistake{fmt::format("'{}' is no number from 0 to 1", text)};
  return *value;
}

parsed<std::uint64_t> parse_seed(std::string_view text) {
  if (auto value = number<std::uint64_t>(text))
    return *value;
  return mistake{fmt::format("'{}' is no whole number from 0 on", text)};
}

// Does away with a text that was given before.
complaint set_text_bytes(behaviour& x, std::string_view text) {
  x.text.reset();
  return count(&behaviour::text_bytes, 0, most_text)(x, text);
}

complaint set_text(behaviour& x, std::string_view text) {
  if (!simdjson::validate_utf8(text))
    return mistake{"the text is not UTF-8"};
  x.text = std::make_shared<const std::string>(text);
  return std::nullopt;
}

complaint set_key(behaviour& x, std::string_view text) {
  x.key = text;
  return std::nullopt;
}

// The value of a JSON object's member as the command line would say it.
std::optional<std::string> text_of(dom::element value) {
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS)
    return std::string{text};
  if (value.is_number())
    return simdjson::minify(value);
  return std::nullopt;
}

} // namespace

const std::vector<behaviour_option>& behaviour_options() {
  static const std::vector<behaviour_option> result{
    {"events", "N", "streamed deltas of an answer (100)",
     count(&behaviour::events, 1, most_events)},
    {"interval", "TIME", "between two deltas (0)", read(&behaviour::interval, distribution::parse)},
    {"first-byte", "TIME", "from the whole request to the first byte and first delta (0)",
     read(&behaviour::first_byte, distribution::parse)},
    {"text", "TEXT", "of the answer, cut into that many deltas", set_text},
    {"text-bytes", "N", "length of a text that is made up (4 for each delta)", set_text_bytes},
    {"error", "ERROR", "what goes wrong (none)", read(&behaviour::error, parse_fault)},
    {"error-rate", "SHARE", "how many of the requests it happens to, 0 to 1 (1)",
     read(&behaviour::error_rate, parse_share)},
    {"seed", "N", "of the choice of these requests, and of times (0)",
     read(&behaviour::seed, parse_seed)},
    {"rate-limit", "N", "requests a minute for each API key, 0: no limit (0)",
     count(&behaviour::rate_limit, 0, most_requests)},
    {"key", "KEY", "the only API key that is accepted (any, or none)", set_key},
    {"prompt-tokens", "N", "of the usage (one for four bytes of the request)",
     count(&behaviour::prompt_tokens, 0, most_tokens)},
    {"cached-tokens", "N", "of the prompt's tokens (0)",
     count(&behaviour::cached_tokens, 0, most_tokens)},
    {"reasoning-tokens", "N", "beside one token for each delta (0)",
     count(&behaviour::reasoning_tokens, 0, most_tokens)},
  };
  return result;
}

complaint set_option(behaviour& x, std::string_view name, std::string_view value) {
  for (const auto& option : behaviour_options()) {
    if (option.name != name)
      continue;
    if (auto wrong = option.set(x, value))
      return mistake{fmt::format("{}: {}", name, wrong->sentence)};
    return std::nullopt;
  }
  return mistake{fmt::format("there is no option '{}'", name)};
}

parsed<behaviour> parse_behaviour(std::string_view json, const behaviour& defaults) {
  dom::parser parser;
  dom::object object;
  if (parser.parse(json.data(), json.size()).get(object) != simdjson::SUCCESS)
    return mistake{"the header x-llm-server is no JSON object"};
  auto result = defaults;
  for (auto [name, value] : object) {
    auto text = text_of(value);
    if (!text)
      return mistake{fmt::format("{}: its value is neither text nor a number", name)};
    if (auto wrong = set_option(result, name, *text))
      return *wrong;
  }
  return result;
}

std::shared_ptr<const std::string> text_of(const behaviour& x) {
  if (x.text)
    return x.text;
  std::string result;
  auto size = x.text_bytes != 0 ? x.text_bytes : std::min(4 * x.events, most_text);
  result.reserve(size);
  while (result.size() < size)
    result += words.substr(0, size - result.size());
  return std::make_shared<const std::string>(std::move(result));
}

} // namespace lathe::llm_server
