#include "llm_clients/gemini_content.hpp"

#include "llm_clients/json_fields.hpp"
#include "llm_clients/json_text.hpp"
#include "llm_clients/server_failure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace lathe::llm_clients {

namespace dom = simdjson::dom;

namespace {

// The model is a part of the address.
std::string percent_encoded(std::string_view text) {
  std::string result;
  for (unsigned char c : text)
    if (std::isalnum(c) != 0
        || std::string_view{"-._~"}.find(static_cast<char>(c)) != std::string_view::npos)
      result += static_cast<char>(c);
    else
      result += fmt::format("%{:02X}", c);
  return result;
}

std::string content(std::string_view role, std::string_view text) {
  return fmt::format(R"({{"role":"{}","parts":[{{"text":{}}}]}})", role, json_string(text));
}

std::string contents_of(const llm_request& question) {
  auto result = content("user", question.prompt);
  for (const auto& x : question.follow_ups)
    result += "," + content("model", x.answer) + "," + content("user", x.prompt);
  return result;
}

// Members of `extra`, each with a comma behind it, for where they belong.
struct extra_members {
  std::string body;
  std::string settings; // those of its generationConfig
};

extra_members extra_for(const model_config& model) {
  extra_members result;
  dom::parser parser;
  dom::object extra;
  if (parser.parse(model.extra).get(extra) != simdjson::SUCCESS)
    return result; // there is none
  for (auto [key, value] : extra) {
    dom::object settings;
    if (key != "generationConfig" || value.get(settings) != simdjson::SUCCESS)
      result.body += fmt::format("{}:{},", json_string(key), simdjson::minify(value));
    else
      for (auto [name, setting] : settings)
        result.settings += fmt::format("{}:{},", json_string(name), simdjson::minify(setting));
  }
  return result;
}

// A level is what newer models take, a budget what older ones do. None takes both.
std::string thinking_of(const model_config& model) {
  if (model.thinking_tokens)
    return fmt::format(R"("thinkingConfig":{{"thinkingBudget":{}}},)", *model.thinking_tokens);
  if (!model.reasoning_effort.empty())
    return fmt::format(R"("thinkingConfig":{{"thinkingLevel":{}}},)",
                       json_string(model.reasoning_effort));
  return {};
}

http_request make_request(const model_config& model, const llm_request& question) {
  http_request result;
  result.path = fmt::format("/models/{}:{}", percent_encoded(model.model),
                            model.stream ? "streamGenerateContent?alt=sse" : "generateContent");
  result.key_header = "x-goog-api-key";
  auto [optional, settings] = extra_for(model);
  if (!question.system.empty())
    optional += fmt::format(R"("systemInstruction":{{"parts":[{{"text":{}}}]}},)",
                            json_string(question.system));
  settings += temperature_of(model) + thinking_of(model);
  result.body =
    fmt::format(R"({{{}"generationConfig":{{{}"maxOutputTokens":{}}},"contents":[{}]}})", optional,
                settings, model.max_output_tokens, contents_of(question));
  return result;
}

void read_usage(dom::element root, partial_answer& found) {
  dom::element usage;
  if (root["usageMetadata"].get(usage) != simdjson::SUCCESS || !usage.is_object())
    return;
  reported_usage x;
  x.input = whole_number_at(usage, "promptTokenCount");
  x.cached = count_at(usage, "cachedContentTokenCount");
  x.reasoning = count_at(usage, "thoughtsTokenCount");
  x.output = whole_number_at(usage, "candidatesTokenCount");
  if (x.output)
    *x.output += x.reasoning;
  x.take_sum(whole_number_at(usage, "totalTokenCount"));
  if (!x.output && found.text.empty()) // what is nothing is left out
    x.output = x.reasoning;
  found.count(x);
}

std::string finish_of(std::string reason) {
  if (reason == "MAX_TOKENS")
    return "length";
  std::ranges::transform(reason, reason.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return reason;
}

// Whole responses and the events of a stream have one shape.
std::optional<failure> parse_event(const model_config& model, dom::element root,
                                   partial_answer& found) {
  if (dom::element error; root["error"].get(error) == simdjson::SUCCESS)
    return failure_within(model, root);
  if (auto name = text_at(root, "modelVersion"); !name.empty())
    found.model = std::move(name);
  // A prompt that it does not like has no candidates.
  auto finish = text_at(root["promptFeedback"], "blockReason");
  if (dom::element candidate; root["candidates"].at(0).get(candidate) == simdjson::SUCCESS) {
    each_at(candidate["content"], "parts", [&](dom::element part) {
      bool thought = false;
      if (part["thought"].get(thought) == simdjson::SUCCESS && thought)
        found.add_thought(text_at(part, "text"));
      else
        found.add_text(text_at(part, "text"));
    });
    finish = text_at(candidate, "finishReason");
  }
  read_usage(root, found);
  if (!finish.empty()) {
    found.finish = finish_of(std::move(finish));
    found.complete = true;
  }
  return std::nullopt;
}

std::optional<failure> parse_response(const model_config& model, dom::element root,
                                      std::string_view body, partial_answer& found) {
  if (auto failed = parse_event(model, root, found))
    return failed;
  if (!found.complete)
    return nonsense(model, fmt::format("without a finished candidate: {}", quote(body)));
  return std::nullopt;
}

} // namespace

const protocol gemini_content{make_request, parse_response, parse_event};

} // namespace lathe::llm_clients
