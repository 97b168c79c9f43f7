#include "llm_clients/openai_chat.hpp"

#include "llm_clients/json_fields.hpp"
#include "llm_clients/json_text.hpp"
#include "llm_clients/server_failure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

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
  auto optional = temperature_of(model) + extra_of(model);
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

// Some send it with every chunk, and the last one counts. Moonshot has it in the choice.
void read_usage(dom::element parent, partial_answer& found) {
  dom::element usage;
  if (parent["usage"].get(usage) != simdjson::SUCCESS || !usage.is_object())
    return;
  auto prompt = usage["prompt_tokens_details"];
  reported_usage x;
  x.input = whole_number_at(usage, "prompt_tokens");
  x.cached = std::max({count_at(prompt, "cached_tokens"),
                       count_at(usage, "prompt_cache_hit_tokens"), // DeepSeek
                       count_at(usage, "cached_tokens")});         // Moonshot
  x.cache_write = count_at(prompt, "cache_write_tokens");          // OpenAI, OpenRouter
  x.output = whole_number_at(usage, "completion_tokens");
  x.reasoning = std::max(count_at(usage["completion_tokens_details"], "reasoning_tokens"),
                         count_at(usage, "reasoning_tokens")); // SGLang
  // Some do not count thoughts as completion (xAI, gateways to Gemini): their sum says so.
  auto sum = whole_number_at(usage, "total_tokens");
  if (x.reasoning > 0 && x.input && x.output && sum == *x.input + *x.output + x.reasoning)
    *x.output += x.reasoning;
  x.take_sum(sum);
  found.count(x);
}

// A model that says no says it in words, which have been paid for.
std::string words_of(const auto& message) {
  auto result = text_at(message, "content");
  return result.empty() ? text_at(message, "refusal") : result;
}

// DeepSeek, SGLang, llama.cpp, Fireworks and LiteLLM call it by the first name; OpenRouter, Ollama,
// Together and newer versions of vLLM by the second.
std::string thoughts_of(const auto& message) {
  auto result = text_at(message, "reasoning_content");
  return result.empty() ? text_at(message, "reasoning") : result;
}

std::optional<failure> error_in(const model_config& model, dom::element parent) {
  dom::element error;
  if (parent["error"].get(error) != simdjson::SUCCESS || error.is_null())
    return std::nullopt;
  return failure_within(model, parent);
}

// Reasons for which servers end an answer that they could not finish: DeepSeek out of resources,
// vLLM and SGLang, OpenRouter.
constexpr std::array<std::string_view, 3> broken_off{"insufficient_system_resource", "abort",
                                                     "error"};

// What a choice says besides its words.
std::optional<failure> read_end(const model_config& model, dom::element choice,
                                partial_answer& found) {
  auto failed = error_in(model, choice); // OpenRouter
  auto finish = text_at(choice, "finish_reason");
  if (!failed && std::ranges::find(broken_off, finish) != broken_off.end())
    failed = nonsense(model, fmt::format("with half an answer: finish_reason '{}'", finish));
  if (failed) {
    failed->may_be_charged = true; // it had begun
    return failed;
  }
  if (!finish.empty())
    found.finish = finish == "eos" ? "stop" : std::move(finish); // Together
  return std::nullopt;
}

// After the words, which usage is about.
void read_common(dom::element root, partial_answer& found) {
  read_usage(root, found);
  if (auto name = text_at(root, "model"); !name.empty())
    found.model = std::move(name);
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
  found.add_thought(thoughts_of(message));
  found.add_text(words_of(message));
  read_common(root, found);
  found.complete = true;
  return read_end(model, choice, found);
}

std::optional<failure> parse_event(const model_config& model, dom::element root,
                                   partial_answer& found) {
  if (auto failed = error_in(model, root))
    return failed;
  dom::element choice;
  if (root["choices"].at(0).get(choice) == simdjson::SUCCESS) {
    found.add_thought(thoughts_of(choice["delta"]));
    found.add_text(words_of(choice["delta"]));
    // Not all servers say that they are done after this.
    if (auto failed = read_end(model, choice, found))
      return failed;
    found.complete |= !found.finish.empty();
    read_usage(choice, found);
  }
  read_common(root, found);
  return std::nullopt;
}

} // namespace

const protocol openai_chat{make_request, parse_response, parse_event, true};

} // namespace lathe::llm_clients
