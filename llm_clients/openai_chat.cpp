#include "llm_clients/openai_chat.hpp"

#include "llm_clients/json_fields.hpp"
#include "llm_clients/json_text.hpp"
#include "llm_clients/server_failure.hpp"

#include <fmt/format.h>

namespace lathe::llm_clients {

namespace dom = simdjson::dom;

namespace {

std::string messages_of(const model_capabilities& can, const llm_request& question) {
  if (question.system.empty())
    return message_of("user", question.prompt) + follow_ups_of(question);
  if (can.system_role == "user")
    return message_of("user", question.system + "\n\n" + question.prompt) + follow_ups_of(question);
  return message_of(can.system_role, question.system) + "," + message_of("user", question.prompt)
         + follow_ups_of(question);
}

http_request make_request(const model_config& model, const llm_request& question) {
  http_request result;
  result.path = "/chat/completions";
  auto optional = temperature_of(model);
  if (!model.reasoning_effort.empty())
    optional += fmt::format(R"("reasoning_effort":{},)", json_string(model.reasoning_effort));
  if (model.stream)
    optional += R"("stream":true,)";
  if (model.stream && model.can.streamed_usage)
    optional += R"("stream_options":{"include_usage":true},)";
  result.body =
    fmt::format(R"({{"model":{},{}"{}":{},"messages":[{}]}})", json_string(model.model), optional,
                model.can.output_limit, model.max_output_tokens, messages_of(model.can, question));
  return result;
}

// Some send it with every chunk, and the last one counts.
void read_usage(dom::element root, partial_answer& found) {
  dom::element usage;
  if (root["usage"].get(usage) != simdjson::SUCCESS || !usage.is_object())
    return;
  token_usage x;
  x.input = count_at(usage, "prompt_tokens");
  x.output = count_at(usage, "completion_tokens");
  x.cached = count_at(usage["prompt_tokens_details"], "cached_tokens");
  if (x.cached == 0)
    x.cached = count_at(usage, "prompt_cache_hit_tokens"); // DeepSeek
  x.reasoning = count_at(usage["completion_tokens_details"], "reasoning_tokens");
  found.usage = x;
}

std::optional<failure> error_in(const model_config& model, dom::element root) {
  dom::element error;
  if (root["error"].get(error) != simdjson::SUCCESS || error.is_null())
    return std::nullopt;
  return failure_within(model, root);
}

void read_common(dom::element root, partial_answer& found) {
  read_usage(root, found);
  if (auto name = text_at(root, "model"); !name.empty())
    found.model = std::move(name);
}

// A model that says no says it in words, which have been paid for.
std::string words_of(const auto& message) {
  auto result = text_at(message, "content");
  return result.empty() ? text_at(message, "refusal") : result;
}

std::optional<failure> parse_response(const model_config& model, dom::element root,
                                      std::string_view body, partial_answer& found) {
  if (auto failed = error_in(model, root))
    return failed;
  dom::element choice;
  dom::element message;
  if (root["choices"].at(0).get(choice) != simdjson::SUCCESS
      || choice["message"].get(message) != simdjson::SUCCESS)
    return nonsense(model, fmt::format("without a choice: {}", quote(body)));
  read_common(root, found);
  found.text = words_of(message);
  found.finish = text_at(choice, "finish_reason");
  found.complete = true;
  return std::nullopt;
}

std::optional<failure> parse_event(const model_config& model, dom::element root,
                                   partial_answer& found) {
  if (auto failed = error_in(model, root))
    return failed;
  read_common(root, found);
  dom::element choice;
  if (root["choices"].at(0).get(choice) != simdjson::SUCCESS)
    return std::nullopt; // usage alone, or a sign of life
  found.text += words_of(choice["delta"]);
  // Not all servers say that they are done after this.
  if (auto finish = text_at(choice, "finish_reason"); !finish.empty()) {
    found.finish = std::move(finish);
    found.complete = true;
  }
  return std::nullopt;
}

} // namespace

const protocol openai_chat{make_request, parse_response, parse_event, true};

} // namespace lathe::llm_clients
