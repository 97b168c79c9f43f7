#include "llm_clients/openai_responses.hpp"

#include "llm_clients/json_fields.hpp"
#include "llm_clients/json_text.hpp"
#include "llm_clients/server_failure.hpp"

#include <fmt/format.h>

namespace lathe::llm_clients {

namespace dom = simdjson::dom;

namespace {

// A prompt alone is a text.
std::string input_of(const llm_request& question) {
  if (question.follow_ups.empty())
    return json_string(question.prompt);
  return "[" + message_of("user", question.prompt) + follow_ups_of(question) + "]";
}

http_request make_request(const model_config& model, const llm_request& question) {
  http_request result;
  result.path = "/responses";
  auto optional = extra_of(model);
  if (!question.system.empty())
    optional += fmt::format(R"("instructions":{},)", json_string(question.system));
  optional += temperature_of(model);
  if (!model.reasoning_effort.empty())
    optional += fmt::format(R"("reasoning":{{"effort":{}}},)", json_string(model.reasoning_effort));
  if (model.stream)
    optional += R"("stream":true,)";
  // Each question stands alone, so nothing needs to be kept there.
  result.body =
    fmt::format(R"({{"model":{},{}"max_output_tokens":{},"store":false,"input":{}}})",
                json_string(model.model), optional, model.max_output_tokens, input_of(question));
  return result;
}

void read_usage(dom::element response, partial_answer& found) {
  dom::element usage;
  if (response["usage"].get(usage) != simdjson::SUCCESS || !usage.is_object())
    return;
  reported_usage x;
  x.input = whole_number_at(usage, "input_tokens");
  x.cached = count_at(usage["input_tokens_details"], "cached_tokens");
  x.cache_write = count_at(usage["input_tokens_details"], "cache_write_tokens");
  x.output = whole_number_at(usage, "output_tokens");
  x.reasoning = count_at(usage["output_tokens_details"], "reasoning_tokens");
  x.take_sum(whole_number_at(usage, "total_tokens"));
  found.count(x);
}

void read_words(dom::element response, partial_answer& found) {
  each_at(response, "output", [&](dom::element item) {
    auto is_thought = text_at(item, "type") == "reasoning"; // vLLM shows it
    each_at(item, "content", [&](dom::element part) {
      auto words = text_at(part, "text") + text_at(part, "refusal");
      is_thought ? found.add_thought(words) : found.add_text(words);
    });
  });
}

// A response object, whole or as the last event of a stream has it.
std::optional<failure> read_object(const model_config& model, dom::element response,
                                   partial_answer& found) {
  auto status = text_at(response, "status");
  if (dom::element error;
      status == "failed" || (response["error"].get(error) == simdjson::SUCCESS && !error.is_null()))
    return failure_within(model, response);
  if (status != "completed" && status != "incomplete")
    return nonsense(model, fmt::format("with a response of status '{}'", quote(status)));
  found.model = text_at(response, "model");
  auto reason = text_at(response["incomplete_details"], "reason");
  found.finish = reason == "max_output_tokens" ? "length" : reason.empty() ? "stop" : reason;
  if (found.text.empty())
    read_words(response, found);
  read_usage(response, found);
  found.complete = true;
  return std::nullopt;
}

std::optional<failure> parse_response(const model_config& model, dom::element root,
                                      std::string_view, partial_answer& found) {
  return read_object(model, root, found);
}

std::optional<failure> parse_event(const model_config& model, dom::element root,
                                   partial_answer& found) {
  auto type = text_at(root, "type");
  if (type == "response.output_text.delta" || type == "response.refusal.delta")
    found.add_text(text_at(root, "delta"));
  else if (type == "response.reasoning_text.delta"
           || type == "response.reasoning_summary_text.delta")
    found.add_thought(text_at(root, "delta"));
  else if (type == "error")
    return failure_within(model, root);
  else if (dom::element response; (type == "response.completed" || type == "response.incomplete"
                                   || type == "response.failed")
                                  && root["response"].get(response) == simdjson::SUCCESS)
    return read_object(model, response, found);
  return std::nullopt;
}

} // namespace

const protocol openai_responses{make_request, parse_response, parse_event};

} // namespace lathe::llm_clients
