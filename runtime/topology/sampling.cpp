#include "messages/json_writer.hpp"
#include "runtime/topology/blocks.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <span>

namespace lathe::runtime {

namespace {

// Members of a request that Lathe sets itself, or whose answers it does not read: several at once,
// calls of tools. Each API's are those of its `make_request` in llm_clients.
constexpr auto chat_members = std::to_array<std::string_view>(
  {"model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens",
   "temperature", "reasoning_effort", "n", "tools", "functions"});
constexpr auto responses_members =
  std::to_array<std::string_view>({"model", "input", "instructions", "stream", "store",
                                   "max_output_tokens", "temperature", "tools"});
constexpr auto anthropic_members = std::to_array<std::string_view>(
  {"model", "messages", "system", "stream", "max_tokens", "temperature", "tools"});
constexpr auto gemini_members = std::to_array<std::string_view>(
  {"contents", "systemInstruction", "system_instruction", "generation_config", "tools"});
constexpr auto gemini_settings = std::to_array<std::string_view>(
  {"maxOutputTokens", "max_output_tokens", "temperature", "thinkingConfig", "thinking_config",
   "candidateCount", "candidate_count"});

std::span<const std::string_view> own_members(const model_config& x) {
  switch (x.provider) {
    case provider_kind::anthropic:
      return anthropic_members;
    case provider_kind::gemini:
      return gemini_members;
    case provider_kind::scripted: // sends nothing, but may stand in for one that would
      return {};
    default:
      return x.api == "chat" ? std::span<const std::string_view>{chat_members} : responses_members;
  }
}

void refuse_own(map_reader& extra, std::span<const std::string_view> members) {
  for (auto key : members)
    if (extra.find(key))
      extra.refuse(key, "is no extra: Lathe sets it itself, or could not read what comes of it");
}

bool is_json_number(std::string_view text) {
  auto rest = text;
  auto take_digits = [&] {
    auto count = std::min(rest.find_first_not_of("0123456789"), rest.size());
    rest.remove_prefix(count);
    return count;
  };
  auto take = [&](std::string_view any) {
    auto found = !rest.empty() && any.find(rest.front()) != std::string_view::npos;
    rest.remove_prefix(found);
    return found;
  };
  take("-");
  auto begins_with_zero = rest.starts_with('0');
  auto digits = take_digits();
  if (digits == 0 || (begins_with_zero && digits > 1) || (take(".") && take_digits() == 0))
    return false;
  if (take("eE") && (take("+-"), take_digits() == 0))
    return false;
  // No more than what any reader of JSON takes.
  double value = 0;
  auto code = std::from_chars(text.data(), text.data() + text.size(), value).ec;
  auto fits = code == std::errc{} && std::isfinite(value);
  auto is_whole = text.find_first_of(".eE") == std::string_view::npos;
  return rest.empty() && fits && (!is_whole || digits <= 18);
}

std::string json_text(const std::string& text) {
  json_writer out;
  out.value(caf::string_view{text});
  return out.take();
}

std::string json_of(const yaml_node& x) {
  auto list = [](auto begin, const auto& items, auto end, auto to_json) {
    std::string result{begin};
    for (const auto& item : items)
      result += (result.size() > 1 ? "," : "") + to_json(item);
    return result + end;
  };
  switch (x.type) {
    case yaml_node::kind::scalar: {
      auto is_word = x.text == "true" || x.text == "false" || x.text == "null";
      auto is_text = x.quoted || !(is_word || is_json_number(x.text));
      return is_text ? json_text(x.text) : x.text;
    }
    case yaml_node::kind::list:
      return list("[", x.items, "]", json_of);
    case yaml_node::kind::map:
      return list("{", x.entries, "}", [](const yaml_entry& entry) {
        return json_text(entry.key) + ":" + json_of(entry.value);
      });
    default:
      return "null";
  }
}

bool holds_variable(const yaml_node& x) {
  return x.text.find("${") != std::string::npos || std::ranges::any_of(x.items, holds_variable)
         || std::ranges::any_of(x.entries, holds_variable, &yaml_entry::value);
}

// Parameters that only some servers know, in their own words.
void read_extra(map_reader& sampling, model_config& x) {
  auto node = sampling.find("extra");
  if (!node)
    return;
  auto extra = sampling.inner("extra");
  refuse_own(extra, own_members(x));
  constexpr std::array<std::string_view, 1> thinking{"thinking"};
  constexpr std::array<std::string_view, 1> reasoning{"reasoning"};
  if (x.provider == provider_kind::anthropic && x.thinking_tokens)
    refuse_own(extra, thinking);
  if (x.api == "responses" && !x.reasoning_effort.empty())
    refuse_own(extra, reasoning);
  if (x.provider == provider_kind::gemini) {
    auto settings = extra.inner("generationConfig");
    refuse_own(settings, gemini_settings);
  }
  if (holds_variable(*node))
    sampling.refuse("extra", "cannot hold '${...}': variables are filled in only in api_key and "
                             "base_url");
  if (!extra.entries().empty())
    x.extra = json_of(*node);
}

// A key that a provider has no use for would be passed over, and nobody would know.
void read_thinking(map_reader& sampling, model_config& x) {
  sampling.read("reasoning_effort", x.reasoning_effort);
  std::int64_t tokens = 0;
  if (sampling.read("thinking_tokens", tokens, {-1, 1e7}))
    x.thinking_tokens = tokens;
  if (tokens >= x.max_output_tokens)
    sampling.refuse("thinking_tokens", "must be less than max_output_tokens, of which they are a "
                                       "part");
  auto has_effort = !x.reasoning_effort.empty();
  switch (x.provider) {
    case provider_kind::openai:
    case provider_kind::mailbox:
      if (x.thinking_tokens)
        sampling.refuse("thinking_tokens", "is a key that only 'provider: anthropic' and 'gemini' "
                                           "have: here it is reasoning_effort");
      return;
    case provider_kind::anthropic:
      if (has_effort)
        sampling.refuse("reasoning_effort", "is a key that only 'provider: openai', 'gemini' and "
                                            "'mailbox' have: here it is thinking_tokens");
      if (x.thinking_tokens && tokens < 1024)
        sampling.refuse("thinking_tokens", "must be at least 1024, the least that Anthropic's "
                                           "server takes");
      return;
    case provider_kind::gemini:
      if (has_effort && x.thinking_tokens)
        sampling.refuse("reasoning_effort", "stands beside thinking_tokens: newer models take the "
                                            "one, older ones the other, none both");
      return;
    case provider_kind::scripted:
      return;
  }
}

} // namespace

void read_sampling(map_reader sampling, model_config& x) {
  double temperature = 0;
  if (sampling.read("temperature", temperature, {0, 2}))
    x.temperature = temperature;
  sampling.read("max_output_tokens", x.max_output_tokens, {1, 1e7});
  read_thinking(sampling, x);
  read_extra(sampling, x);
  sampling.finish();
}

} // namespace lathe::runtime
