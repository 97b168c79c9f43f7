#include "llm_clients/protocol.hpp"

#include "llm_clients/anthropic_messages.hpp"
#include "llm_clients/gemini_content.hpp"
#include "llm_clients/json_fields.hpp"
#include "llm_clients/json_text.hpp"
#include "llm_clients/openai_chat.hpp"
#include "llm_clients/openai_responses.hpp"
#include "llm_clients/price.hpp"
#include "llm_clients/server_failure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include <strings.h>

namespace lathe::llm_clients {

namespace {

// The longest tokens of common tokenizers are so many spaces.
constexpr std::int64_t most_bytes_a_token = 128;

// Whether what a server says can be what an answer took: no server's numbers may make money
// disappear. A question takes tokens, and so do words, besides those of thoughts.
bool is_credible(const partial_answer& found) {
  const auto& said = found.usage;
  if (!said || !said->input || !said->output || *said->output < said->reasoning)
    return false;
  if (found.deltas == 0)
    return true; // nothing came, so it may have taken nothing
  auto bytes = static_cast<std::int64_t>(found.text.size());
  auto least = said->reasoning + (bytes + most_bytes_a_token - 1) / most_bytes_a_token;
  return found.counted == found.deltas && *said->input > 0
         && *said->output >= std::max<std::int64_t>(least, 1);
}

// No part is more than the whole, and no number more than a journal or a recording takes.
token_usage usage_in(const reported_usage& said) {
  token_usage result;
  result.input = std::min(said.input.value_or(0), largest_number);
  result.cached = std::min(said.cached, result.input);
  result.cache_write = std::min(said.cache_write, result.input - result.cached);
  result.output = std::min(said.output.value_or(0), largest_number);
  result.reasoning = std::min(said.reasoning, result.output);
  return result;
}

// Whether a server's own parameters ask for thoughts, or may.
bool asks_for_thoughts(std::string_view extra) {
  auto says = [&](std::string_view words) { return extra.find(words) != std::string_view::npos; };
  constexpr std::array<std::string_view, 5> none{R"("enable_thinking":false)",
                                                 R"("thinking":false)", R"("type":"disabled")",
                                                 R"("enabled":false)", R"("effort":"none")"};
  return (says("think") || says("reason")) && std::ranges::none_of(none, says);
}

// Whether there may be output that is in no text.
bool may_think(const model_config& model) {
  return model.can.reasons || !model.reasoning_effort.empty()
         || model.thinking_tokens.value_or(0) != 0 || asks_for_thoughts(model.extra);
}

// What is charged where the server does not say it in a way that can be believed: too much rather
// than too little.
//
// A byte of text is one token at most, with every tokenizer in use (see `input_token_bound`). The
// number of deltas cannot lower that. Each is a token at least; but servers that guess tokens ahead
// (vLLM, SGLang and llama.cpp with a draft model), that are told to send less often (SGLang's and
// vLLM's --stream-interval), that wait for whole characters or for what may be a stop sequence, or
// that send lines and sentences (Gemini, Anthropic, gateways before them) put many into one, and
// none says that it does. A stream that Lathe closed is charged by the same bound: it leaves out
// what was under way by then, and covers it, since code has three or four bytes a token.
//
// What was thought is in no text, and what is shown of it may be a summary. Only a count that came
// with the last part tells how much it was; else it may be all that was left to the model.
token_usage bound_of(const model_config& model, const llm_request& question,
                     const partial_answer& found) {
  auto output = static_cast<std::int64_t>(found.text.size());
  auto knows_thoughts = found.usage && found.usage->reasoning > 0 && found.counted == found.deltas;
  if (knows_thoughts)
    output += found.usage->reasoning;
  else if (found.thought || may_think(model))
    output = model.max_output_tokens;
  token_usage result;
  result.input = input_token_bound(question);
  result.output = std::min(output, model.max_output_tokens);
  return result;
}

token_usage charged_for(const model_config& model, const llm_request& question,
                        const partial_answer& found) {
  if (is_credible(found))
    return usage_in(*found.usage);
  auto result = bound_of(model, question, found);
  if (found.usage) // what it counted is not charged less
    result.output = std::max(result.output, usage_in(*found.usage).output);
  return result;
}

llm_answer to_answer(const model_config& model, const llm_request& question,
                     partial_answer&& found) {
  auto usage = charged_for(model, question, found);
  llm_answer result;
  result.text = std::move(found.text);
  result.model = found.model.empty() ? model.model : std::move(found.model);
  result.finish = std::move(found.finish);
  result.cost.queries = 1;
  result.cost.input_tokens = usage.input;
  result.cost.cached_input_tokens = usage.cached;
  result.cost.output_tokens = usage.output;
  result.cost.reasoning_tokens = usage.reasoning;
  result.cost.usd = price_of(model, usage);
  return result;
}

// Says that a body is compressed; empty where it is not.
std::string compression_of(const http_response& response) {
  auto found = response.headers.find("content-encoding");
  if (found == response.headers.end() || found->second.empty()
      || ::strcasecmp(found->second.c_str(), "identity") == 0)
    return {};
  return fmt::format("compressed (Content-Encoding: {})", quote(found->second));
}

// An answer was made, and the next one could not be read either.
failure unreadable(const model_config& model, std::string_view packed) {
  auto result = nonsense(model, fmt::format("with a body that is {}, though asked not to; switch "
                                            "that off, there or at a proxy before it",
                                            packed));
  result.kind = failure_kind::fail;
  return result;
}

} // namespace

std::string temperature_of(const model_config& model) {
  if (!model.temperature || !model.can.temperature)
    return {};
  return fmt::format(R"("temperature":{},)", *model.temperature);
}

std::string extra_of(const model_config& model) {
  auto members = std::string_view{model.extra};
  return members.size() > 2 ? fmt::format("{},", members.substr(1, members.size() - 2)) : "";
}

std::string message_of(std::string_view role, std::string_view content) {
  return fmt::format(R"({{"role":"{}","content":{}}})", role, json_string(content));
}

std::string follow_ups_of(const llm_request& question) {
  std::string result;
  for (const auto& x : question.follow_ups)
    result += "," + message_of("assistant", x.answer) + "," + message_of("user", x.prompt);
  return result;
}

const protocol& protocol_of(const model_config& model) {
  switch (model.provider) {
    case provider_kind::anthropic:
      return anthropic_messages;
    case provider_kind::gemini:
      return gemini_content;
    default:
      return model.api == "responses" ? openai_responses : openai_chat;
  }
}

reply read_response(const protocol& spoken, const model_config& model, const llm_request& question,
                    const http_response& response) {
  auto packed = compression_of(response);
  if (response.status < 200 || response.status >= 300)
    return failure_of(model, response.status,
                      packed.empty() ? complaint_in(response.body)
                                     : complaint{{}, "its words are " + packed},
                      response.headers);
  if (!packed.empty())
    return unreadable(model, packed);
  auto body = without_byte_order_mark(response.body);
  if (body.empty())
    return nonsense(model, fmt::format("with nothing (HTTP {})", response.status));
  if (looks_like_html(body))
    return nonsense(model, "with an HTML page instead of JSON; is base_url right?");
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS)
    return nonsense(model, fmt::format("with something that is not JSON: {}", quote(body)));
  partial_answer found;
  if (auto failed = spoken.parse_response(model, root, body, found))
    return std::move(*failed);
  return to_answer(model, question, std::move(found));
}

std::optional<failure> read_event(const protocol& spoken, const model_config& model,
                                  const sse_event& event, partial_answer& found) {
  if (event.data == "[DONE]") {
    found.complete |= spoken.ends_with_done;
    return std::nullopt;
  }
  static thread_local simdjson::dom::parser parser; // or each event needs memory of its own
  auto was_complete = found.complete;
  std::optional<failure> failed;
  simdjson::dom::element root;
  if (parser.parse(event.data.data(), event.data.size()).get(root) == simdjson::SUCCESS)
    failed = spoken.parse_event(model, root, found);
  else
    failed = nonsense(model, fmt::format("with an event that is not JSON: {}", quote(event.data)));
  if (!failed || was_complete)
    return std::nullopt;
  failed->may_be_charged |= !found.text.empty() || found.usage;
  return failed;
}

reply read_stream_end(const model_config& model, const llm_request& question,
                      partial_answer&& found) {
  if (!found.complete)
    return nonsense(model, fmt::format("with a stream that ends in the middle, after {} bytes",
                                       found.text.size()));
  return to_answer(model, question, std::move(found));
}

llm_answer read_stopped_stream(const model_config& model, const llm_request& question,
                               partial_answer&& found) {
  found.finish = "stop";
  // What it says of the output is from before the end, of which nothing is heard.
  if (auto said = found.usage) {
    said->output = std::max(said->output.value_or(0), bound_of(model, question, found).output);
    found.count(*said);
  }
  return to_answer(model, question, std::move(found));
}

} // namespace lathe::llm_clients
