#include "llm_clients/server_failure.hpp"

#include "llm_clients/json_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

namespace lathe::llm_clients {

namespace dom = simdjson::dom;

namespace {

constexpr std::size_t longest_quote = 1024; // [bytes] of what a server says in an error

// Our own words: OpenRouter does not like a question; somebody before the server speaks.
constexpr std::string_view moderated = "moderated";
constexpr std::string_view a_page = "html";

// What providers call their errors, where the word says more than the status, or stands alone.
constexpr std::array<std::pair<std::string_view, unsigned>, 22> meanings{{
  {"invalid_api_key", 401},         // OpenAI
  {"authentication_error", 401},    // Anthropic
  {"API_KEY_INVALID", 401},         // Google, with status 400
  {"UNAUTHENTICATED", 401},         // Google
  {"insufficient_quota", 402},      // OpenAI, with status 429
  {"billing_error", 402},           // Anthropic
  {"permission_error", 403},        // Anthropic
  {"PERMISSION_DENIED", 403},       // Google
  {"model_not_found", 404},         // OpenAI, with status 400 or 404
  {"not_found_error", 404},         // Anthropic
  {"NOT_FOUND", 404},               // Google
  {"rate_limit_error", 429},        // Anthropic
  {"rate_limit_exceeded", 429},     // OpenAI
  {"RESOURCE_EXHAUSTED", 429},      // Google
  {"overloaded_error", 529},        // Anthropic
  {"invalid_request_error", 400},   // Anthropic, OpenAI
  {"context_length_exceeded", 400}, // OpenAI
  {"invalid_prompt", 400},          // OpenAI
  {"request_too_large", 400},       // Anthropic
  {"INVALID_ARGUMENT", 400},        // Google
  {moderated, 400},
  {a_page, 400},
}};

std::optional<unsigned> status_of(std::string_view code) {
  auto found = std::ranges::find(meanings, code, &std::pair<std::string_view, unsigned>::first);
  return found != meanings.end() ? std::optional{found->second} : std::nullopt;
}

// For good, whatever the status says.
bool is_for_good(std::string_view code) {
  auto status = status_of(code);
  return status && *status > 400 && *status < 408;
}

failure_kind kind_of(unsigned status, std::string_view code) {
  if (is_for_good(code))
    return failure_kind::fail;
  if (status == 403 && (code == moderated || code == a_page))
    return failure_kind::refuse; // of this question
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

// As LiteLLM says it, with status and code 400: some versions in a field, others in words alone.
bool names_unknown_model(dom::element error) {
  return text_at(error, "param") == "model"
         || text_at(error, "message").find("Invalid model name passed in") != std::string::npos;
}

// Of the words that an error goes by the one that is known, else the first. Google has the one that
// says most in a list of details.
std::string code_of(dom::element error) {
  std::vector<std::string> words;
  each_at(error, "details", [&](dom::element x) { words.push_back(text_at(x, "reason")); });
  for (auto key : {"code", "type", "status"})
    words.push_back(text_at(error, key));
  if (names_unknown_model(error))
    words.insert(words.begin(), "model_not_found");
  if (dom::element reasons; error["metadata"]["reasons"].get(reasons) == simdjson::SUCCESS)
    words.emplace_back(moderated);
  std::erase(words, "");
  auto known = std::ranges::find_if(words, [](const auto& x) { return status_of(x).has_value(); });
  return known != words.end() ? *known : words.empty() ? std::string{} : words.front();
}

// Google's way to ask for time: "34s", or "1.5s".
std::chrono::milliseconds delay_in(dom::element error) {
  double seconds = 0;
  each_at(error, "details", [&](dom::element x) {
    auto text = text_at(x, "retryDelay");
    if (text.ends_with('s'))
      std::from_chars(text.data(), text.data() + text.size() - 1, seconds);
  });
  if (std::isnan(seconds)) // which is a number to from_chars
    return {};
  return std::chrono::milliseconds{static_cast<std::int64_t>(std::clamp(seconds, 0.0, 1e6) * 1e3)};
}

} // namespace

complaint complaint_in(dom::element root) {
  dom::element error;
  if (root["error"].get(error) != simdjson::SUCCESS) {
    auto message = text_at(root, "message");
    return {text_at(root, "code"), message.empty() ? text_at(root, "detail") : message};
  }
  std::string_view plain;
  if (error.get(plain) == simdjson::SUCCESS)
    return {{}, std::string{plain}};
  complaint result{code_of(error), text_at(error, "message"), delay_in(error)};
  // Anthropic says so with status 400, and a type that says nothing.
  if (result.message.find("credit balance is too low") != std::string::npos)
    result.code = "billing_error";
  return result;
}

complaint complaint_in(const std::string& body) {
  if (looks_like_html(body))
    return {std::string{a_page}, "an HTML page instead of JSON; is base_url right?"};
  dom::parser parser;
  dom::element root;
  complaint result;
  if (parser.parse(body).get(root) == simdjson::SUCCESS) {
    if (dom::element first; root.at(0).get(first) == simdjson::SUCCESS)
      root = first; // Google wraps some in a list
    result = complaint_in(root);
  }
  if (result.message.empty())
    result.message = body;
  return result;
}

failure failure_of(const model_config& model, unsigned status, const complaint& said,
                   const std::map<std::string, std::string>& headers) {
  failure result;
  result.kind = kind_of(status, said.code);
  result.status = status;
  result.retry_after = std::max(retry_after(headers, std::time(nullptr)), said.retry_after);
  auto means = is_for_good(said.code) ? status_of(said.code).value_or(status) : status;
  result.sentence = fmt::format("model '{}' ({}): {} (HTTP {})", model.name, model.model,
                                meaning_of(means), status);
  if (!said.message.empty())
    result.sentence += fmt::format(": {}", quote(said.message));
  return result;
}

failure failure_within(const model_config& model, dom::element root) {
  auto said = complaint_in(root);
  // OpenRouter and Google give the status as a number.
  auto status = count_at(root["error"], "code");
  if (status < 400 || status > 599)
    status = status_of(said.code).value_or(500);
  return failure_of(model, static_cast<unsigned>(status), said);
}

failure nonsense(const model_config& model, std::string_view what) {
  return {failure_kind::retry,
          fmt::format("model '{}' ({}): the server answered {}", model.name, model.model, what),
          {},
          true};
}

bool looks_like_html(std::string_view body) {
  auto first = body.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && body[first] == '<';
}

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
