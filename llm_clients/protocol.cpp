#include "llm_clients/protocol.hpp"

#include "llm_clients/anthropic_messages.hpp"
#include "llm_clients/gemini_content.hpp"
#include "llm_clients/json_text.hpp"
#include "llm_clients/openai_chat.hpp"
#include "llm_clients/openai_responses.hpp"
#include "llm_clients/price.hpp"
#include "llm_clients/server_failure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace lathe::llm_clients {

namespace {

// No server's numbers may make money disappear.
token_usage plausible(token_usage x) {
  for (auto count : {&x.input, &x.cached, &x.cache_write, &x.output, &x.reasoning})
    *count = std::max<std::int64_t>(*count, 0);
  x.cached = std::min(x.cached, x.input);
  x.cache_write = std::min(x.cache_write, x.input - x.cached);
  x.reasoning = std::min(x.reasoning, x.output);
  return x;
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

// What is charged where the server does not say it: too much rather than too little.
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

llm_answer to_answer(const model_config& model, const llm_request& question,
                     partial_answer&& found) {
  auto usage = found.usage ? plausible(*found.usage) : bound_of(model, question, found);
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
  if (response.status < 200 || response.status >= 300)
    return failure_of(model, response.status, complaint_in(response.body), response.headers);
  if (looks_like_html(response.body))
    return nonsense(model, "with an HTML page instead of JSON; is base_url right?");
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(response.body).get(root) != simdjson::SUCCESS)
    return nonsense(model,
                    fmt::format("with something that is not JSON: {}", quote(response.body)));
  partial_answer found;
  if (auto failed = spoken.parse_response(model, root, response.body, found))
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
  if (found.usage)
    found.usage->output = std::max(found.usage->output, bound_of(model, question, found).output);
  return to_answer(model, question, std::move(found));
}

} // namespace lathe::llm_clients
