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

// Servers that do not report usage are charged at the bound: too much rather than too little.
token_usage bound_of(const model_config& model, const llm_request& question,
                     std::string_view text) {
  token_usage result;
  result.input = input_token_bound(question);
  // What a model thought before is not in the text.
  result.output = model.max_output_tokens;
  if (!model.can.reasons && model.reasoning_effort.empty() && model.thinking_tokens == 0)
    result.output = std::min(static_cast<std::int64_t>(text.size()), result.output);
  return result;
}

llm_answer to_answer(const model_config& model, const llm_request& question,
                     partial_answer&& found) {
  auto usage = found.usage ? plausible(*found.usage) : bound_of(model, question, found.text);
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
    found.usage->output =
      std::max(found.usage->output, bound_of(model, question, found.text).output);
  return to_answer(model, question, std::move(found));
}

} // namespace lathe::llm_clients
