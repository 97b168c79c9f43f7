#include "llm_clients/openai_protocol.hpp"

#include "llm_clients/json_text.hpp"
#include "llm_clients/price.hpp"
#include "llm_clients/url.hpp"

#include <simdjson.h>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>
#include <optional>

namespace lathe::llm_clients {

namespace dom = simdjson::dom;

namespace {

constexpr std::size_t longest_quote = 1024; // [bytes] of what a server says in an error

// What a server says about a failure.
struct complaint {
  std::string code;
  std::string message;
};

// -- bodies -----------------------------------------------------------------------------

// OpenAI's own reasoning models refuse `max_tokens`; most other servers know nothing else.
std::string_view output_limit_key(const model_config& model) {
  auto server = parse_url(model.base_url);
  return server && server->host == "api.openai.com" ? "max_completion_tokens" : "max_tokens";
}

// One line, and not too long a one.
std::string quote(std::string_view text) {
  if (text.size() > longest_quote) {
    auto end = longest_quote;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
      --end; // not in the middle of a character
    text = text.substr(0, end);
  }
  std::string result;
  for (auto c : text)
    if (static_cast<unsigned char>(c) > ' ')
      result += c;
    else if (!result.empty() && result.back() != ' ')
      result += ' ';
  return result;
}

std::string text_of(dom::element object, const char* key) {
  std::string_view result;
  return object[key].get(result) == simdjson::SUCCESS ? std::string{result} : std::string{};
}

std::int64_t count_of(dom::element object, const char* key) {
  std::int64_t result = 0;
  return object[key].get(result) == simdjson::SUCCESS ? std::max<std::int64_t>(result, 0) : 0;
}

// The usual shape is {"error": {"message", "code"}}; others say {"error": "..."},
// {"message": ...} or {"detail": ...}.
complaint complaint_of(dom::element root) {
  dom::element error;
  if (root["error"].get(error) != simdjson::SUCCESS) {
    auto message = text_of(root, "message");
    return {text_of(root, "code"), message.empty() ? text_of(root, "detail") : message};
  }
  std::string_view plain;
  if (error.get(plain) == simdjson::SUCCESS)
    return {{}, std::string{plain}};
  auto code = text_of(error, "code");
  return {code.empty() ? text_of(error, "type") : code, text_of(error, "message")};
}

bool looks_like_html(std::string_view body) {
  auto first = body.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && body[first] == '<';
}

complaint complaint_of(const std::string& body) {
  if (looks_like_html(body))
    return {{}, "an HTML page instead of JSON; is base_url right?"};
  dom::parser parser;
  dom::element root;
  complaint result;
  if (parser.parse(body).get(root) == simdjson::SUCCESS)
    result = complaint_of(root);
  if (result.message.empty())
    result.message = body;
  return result;
}

// -- failures ---------------------------------------------------------------------------

failure_kind kind_of(unsigned status, const std::string& code) {
  if (code == "insufficient_quota" || code == "model_not_found" || code == "invalid_api_key")
    return failure_kind::fail;
  switch (status) {
    case 401: // no or wrong key
    case 402: // no money
    case 403: // the key may not use this model
    case 404: // no such model, or no such path
      return failure_kind::fail;
    case 408: // the server waited too long for us
    case 409: // lock conflict
    case 425: // too early
    case 429: // too many requests
      return failure_kind::retry;
    default:
      break;
  }
  if (status >= 500)
    return failure_kind::retry;
  // A redirect would carry the key to a place that nobody configured.
  return status < 400 ? failure_kind::fail : failure_kind::refuse;
}

std::string_view meaning_of(unsigned status) {
  switch (status) {
    case 401:
      return "the server does not accept the key";
    case 402:
      return "the account has no credit left";
    case 403:
      return "the key may not use this model";
    case 404:
      return "the server does not know this model or path";
    case 413:
      return "the prompt is too long for the server";
    case 429:
      return "the server's rate limit is reached";
    default:
      break;
  }
  if (status >= 500)
    return "the server has a problem";
  return status < 400 ? "the server redirects, which is not followed" : "the server refuses";
}

failure failure_of(const model_config& model, const http_response& response, unsigned status,
                   const complaint& said) {
  failure result;
  result.kind = kind_of(status, said.code);
  result.retry_after = retry_after(response.headers, std::time(nullptr));
  result.sentence = fmt::format("model '{}' ({}): {} (HTTP {})", model.name, model.model,
                                meaning_of(status), status);
  if (!said.message.empty())
    result.sentence += fmt::format(": {}", quote(said.message));
  return result;
}

failure nonsense(const model_config& model, std::string_view what) {
  return {failure_kind::retry,
          fmt::format("model '{}' ({}): the server answered {}", model.name, model.model, what),
          {},
          true};
}

// A status inside a body of HTTP 200, as OpenRouter sends it when a model fails half-way.
unsigned status_within(dom::element root) {
  std::int64_t code = 0;
  if (root["error"]["code"].get(code) == simdjson::SUCCESS && code >= 400 && code < 600)
    return static_cast<unsigned>(code);
  return 500;
}

// -- answers ----------------------------------------------------------------------------

// Servers that do not report usage are charged at the bound: too much rather than too little.
spend cost_of(const model_config& model, const llm_request& question, dom::element root,
              std::string_view text) {
  spend result;
  result.queries = 1;
  dom::element usage;
  if (root["usage"].get(usage) == simdjson::SUCCESS && usage.is_object()) {
    result.input_tokens = count_of(usage, "prompt_tokens");
    result.output_tokens = count_of(usage, "completion_tokens");
    dom::element details;
    if (usage["prompt_tokens_details"].get(details) == simdjson::SUCCESS)
      result.cached_input_tokens = count_of(details, "cached_tokens");
    result.cached_input_tokens = std::min(result.cached_input_tokens, result.input_tokens);
  } else {
    result.input_tokens = input_token_bound(question);
    result.output_tokens =
      std::min(static_cast<std::int64_t>(text.size()), model.max_output_tokens);
  }
  result.usd = price_of(model, result);
  return result;
}

// The content, or what stands in its place: a model that says no, or nothing but reasoning. Either
// has been paid for, so it is an answer.
std::string content_of(dom::element message) {
  auto result = text_of(message, "content");
  return result.empty() ? text_of(message, "refusal") : result;
}

reply parse_answer(const model_config& model, const llm_request& question,
                   const http_response& response) {
  if (looks_like_html(response.body))
    return nonsense(model, "with an HTML page instead of JSON; is base_url right?");
  dom::parser parser;
  dom::element root;
  if (parser.parse(response.body).get(root) != simdjson::SUCCESS)
    return nonsense(model,
                    fmt::format("with something that is not JSON: {}", quote(response.body)));
  if (dom::element error; root["error"].get(error) == simdjson::SUCCESS && !error.is_null())
    return failure_of(model, response, status_within(root), complaint_of(root));
  dom::element choice;
  dom::element message;
  if (root["choices"].at(0).get(choice) != simdjson::SUCCESS
      || choice["message"].get(message) != simdjson::SUCCESS)
    return nonsense(model, fmt::format("without a choice: {}", quote(response.body)));
  llm_answer answer;
  answer.text = content_of(message);
  answer.model = text_of(root, "model");
  if (answer.model.empty())
    answer.model = model.model;
  answer.finish = text_of(choice, "finish_reason");
  answer.cost = cost_of(model, question, root, answer.text);
  return answer;
}

} // namespace

std::string make_body(const model_config& model, const llm_request& question) {
  std::string messages;
  if (!question.system.empty())
    messages = fmt::format(R"({{"role":"system","content":{}}},)", json_string(question.system));
  messages += fmt::format(R"({{"role":"user","content":{}}})", json_string(question.prompt));
  std::string sampling;
  if (model.temperature)
    sampling = fmt::format(R"("temperature":{},)", *model.temperature);
  return fmt::format(R"({{"model":{},{}"{}":{},"messages":[{}]}})", json_string(model.model),
                     sampling, output_limit_key(model), model.max_output_tokens, messages);
}

reply parse_response(const model_config& model, const llm_request& question,
                     const http_response& response) {
  if (response.status >= 200 && response.status < 300)
    return parse_answer(model, question, response);
  return failure_of(model, response, response.status, complaint_of(response.body));
}

std::chrono::milliseconds retry_after(const std::map<std::string, std::string>& headers,
                                      std::time_t now) {
  const double longest = 1e9; // [ms] twelve days: what a date in a far year comes to
  auto milliseconds = [=](double x) {
    return std::chrono::milliseconds{static_cast<std::int64_t>(std::clamp(x, 0.0, longest))};
  };
  auto number = [&](const char* name) -> std::optional<double> {
    auto i = headers.find(name);
    double x = 0;
    if (i == headers.end())
      return std::nullopt;
    auto [end, code] = std::from_chars(i->second.data(), i->second.data() + i->second.size(), x);
    auto whole = code == std::errc{} && end == i->second.data() + i->second.size();
    return whole && !std::isnan(x) ? std::optional{x} : std::nullopt;
  };
  if (auto x = number("retry-after-ms"))
    return milliseconds(*x);
  if (auto x = number("retry-after"))
    return milliseconds(*x * 1000);
  auto date = headers.find("retry-after");
  std::tm time{};
  if (date == headers.end() || !strptime(date->second.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time))
    return {};
  return milliseconds(static_cast<double>(timegm(&time) - now) * 1000);
}

} // namespace lathe::llm_clients
