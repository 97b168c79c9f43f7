#include "llm_clients/anthropic_messages.hpp"

#include "llm_clients/json_fields.hpp"
#include "llm_clients/json_text.hpp"
#include "llm_clients/server_failure.hpp"

#include <fmt/format.h>

namespace lathe::llm_clients {

namespace dom = simdjson::dom;

namespace {

// The system message is what an agent says again and again.
std::string system_of(const model_config& model, const llm_request& question) {
  if (question.system.empty())
    return {};
  return fmt::format(R"("system":[{{"type":"text","text":{}{}}}],)", json_string(question.system),
                     model.can.cache_marks ? R"(,"cache_control":{"type":"ephemeral"})" : "");
}

http_request make_request(const model_config& model, const llm_request& question) {
  http_request result;
  result.path = "/messages";
  result.key_header = "x-api-key";
  result.headers = {{"anthropic-version", "2023-06-01"}};
  auto optional = system_of(model, question) + extra_of(model);
  if (model.thinking_tokens.value_or(0) > 0) // takes no temperature beside it
    optional +=
      fmt::format(R"("thinking":{{"type":"enabled","budget_tokens":{}}},)", *model.thinking_tokens);
  else
    optional += temperature_of(model);
  if (model.stream)
    optional += R"("stream":true,)";
  result.body = fmt::format(R"({{"model":{},{}"max_tokens":{},"messages":[{}]}})",
                            json_string(model.model), optional, model.max_output_tokens,
                            message_of("user", question.prompt) + follow_ups_of(question));
  return result;
}

// Its input comes in three parts. Events repeat some of it, and leave out what they do not know.
void read_usage(const auto& parent, partial_answer& found) {
  dom::element usage;
  if (parent["usage"].get(usage) != simdjson::SUCCESS || !usage.is_object())
    return;
  auto x = found.usage.value_or(reported_usage{});
  if (auto uncached = whole_number_at(usage, "input_tokens")) {
    x.cached = count_at(usage, "cache_read_input_tokens");
    x.cache_write = count_at(usage, "cache_creation_input_tokens");
    x.input = *uncached + x.cached + x.cache_write;
  }
  if (auto output = whole_number_at(usage, "output_tokens"))
    x.output = output;
  found.count(x);
}

void read_stop(const auto& parent, partial_answer& found) {
  auto reason = text_at(parent, "stop_reason");
  if (!reason.empty())
    found.finish = reason == "max_tokens"                              ? "length"
                   : reason == "end_turn" || reason == "stop_sequence" ? "stop"
                                                                       : reason;
}

std::optional<failure> parse_response(const model_config& model, dom::element root,
                                      std::string_view body, partial_answer& found) {
  if (text_at(root, "type") == "error")
    return failure_within(model, root);
  if (dom::array content; root["content"].get(content) != simdjson::SUCCESS)
    return nonsense(model, fmt::format("without content: {}", quote(body)));
  each_at(root, "content", [&](dom::element block) {
    found.add_thought(text_at(block, "thinking"));
    found.add_text(text_at(block, "text"));
  });
  found.model = text_at(root, "model");
  read_usage(root, found);
  read_stop(root, found);
  found.complete = true;
  return std::nullopt;
}

std::optional<failure> parse_event(const model_config& model, dom::element root,
                                   partial_answer& found) {
  auto type = text_at(root, "type");
  if (type == "message_start") {
    found.model = text_at(root["message"], "model");
    read_usage(root["message"], found);
    if (found.usage)
      found.usage->output.reset(); // there is none yet, whatever it says
  } else if (type == "content_block_delta") {
    found.add_thought(text_at(root["delta"], "thinking"));
    found.add_text(text_at(root["delta"], "text"));
  } else if (type == "message_delta") {
    read_usage(root, found);
    read_stop(root["delta"], found);
  } else if (type == "message_stop") {
    found.complete = true;
  } else if (type == "error") {
    return failure_within(model, root);
  }
  return std::nullopt;
}

} // namespace

const protocol anthropic_messages{make_request, parse_response, parse_event};

} // namespace lathe::llm_clients
