#include "llm_clients/server_failure.hpp"

#include "llm_clients/json_fields.hpp"
#include "llm_clients/json_text.hpp"

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
constexpr std::array<std::pair<std::string_view, unsigned>, 28> meanings{{
  {"invalid_api_key", 401},                // OpenAI
  {"authentication_error", 401},           // Anthropic
  {"API_KEY_INVALID", 401},                // Google, with status 400
  {"UNAUTHENTICATED", 401},                // Google
  {"insufficient_quota", 402},             // OpenAI, with status 429
  {"billing_error", 402},                  // Anthropic
  {"budget_exceeded", 402},                // LiteLLM, with status 400
  {"permission_error", 403},               // Anthropic
  {"PERMISSION_DENIED", 403},              // Google
  {"FAILED_PRECONDITION", 403},            // Google, with status 400: not from this country
  {"model_not_found", 404},                // OpenAI, with status 400 or 404
  {"not_found_error", 404},                // Anthropic
  {"NOT_FOUND", 404},                      // Google, Fireworks
  {"model_not_available", 404},            // Together, with status 400
  {"dedicated_endpoint_not_running", 404}, // Together, with status 400
  {"invalid_model", 404},                  // Mistral, with status 400
  {"context_length_exceeded", 413},        // OpenAI, with status 400
  {"exceed_context_size_error", 413},      // llama.cpp, with status 400
  {"request_too_large", 413},              // Anthropic
  {"rate_limit_error", 429},               // Anthropic
  {"rate_limit_exceeded", 429},            // OpenAI
  {"RESOURCE_EXHAUSTED", 429},             // Google
  {"overloaded_error", 529},               // Anthropic
  {"invalid_request_error", 400},          // Anthropic, OpenAI
  {"invalid_prompt", 400},                 // OpenAI
  {"INVALID_ARGUMENT", 400},               // Google
  {moderated, 400},
  {a_page, 400},
}};

// What is said in words alone, with a status and a code that could mean anything, and the code
// that it comes to. Gateways quote the server behind them, so the words may stand anywhere.
struct wording {
  std::string_view words;
  std::string_view code;
  bool alone = false; // nothing else is said
};

constexpr std::array<wording, 17> wordings{{
  {"Model Not Exist", "model_not_found"},                   // DeepSeek, 400
  {"is not a valid model ID", "model_not_found"},           // OpenRouter, 400
  {"Invalid model name passed in", "model_not_found"},      // LiteLLM, 400
  {"LLM Provider NOT provided", "model_not_found"},         // LiteLLM, 400
  {"model not found", "model_not_found", true},             // llama.cpp's router, 400
  {"Incorrect API key provided", "invalid_api_key"},        // xAI, 400
  {"credit balance is too low", "billing_error"},           // Anthropic, 400
  {"You have reached your specified", "billing_error"},     // Anthropic, 400: a limit
  {"prepayment credits are depleted", "billing_error"},     // Google, 429
  {"reaching the monthly spending limit", "billing_error"}, // Fireworks, 412
  {"maximum context length is", "context_length_exceeded"}, // vLLM, DeepSeek, OpenRouter
  {"longer than the model's context length", "context_length_exceeded"}, // SGLang, Together
  {"exceeds the available context size", "context_length_exceeded"},     // llama.cpp
  {"exceeds the context length", "context_length_exceeded"},             // Ollama
  {"ContextWindowExceededError", "context_length_exceeded"},             // LiteLLM
  {"prompt is too long", "context_length_exceeded"},                     // Anthropic
  {"exceeds the maximum number of tokens", "context_length_exceeded"},   // Google
}};

std::optional<unsigned> status_of(std::string_view code) {
  auto found = std::ranges::find(meanings, code, &std::pair<std::string_view, unsigned>::first);
  return found != meanings.end() ? std::optional{found->second} : std::nullopt;
}

std::optional<std::string_view> code_in_words(std::string_view message) {
  auto found = std::ranges::find_if(wordings, [&](const wording& x) {
    return x.alone ? message == x.words : message.find(x.words) != std::string_view::npos;
  });
  return found != wordings.end() ? std::optional{found->code} : std::nullopt;
}

// For good, whatever the status says.
bool is_for_good(std::string_view code) {
  auto status = status_of(code);
  return status && *status > 400 && *status < 408;
}

// What a status means together with a code.
unsigned meaning_with(std::string_view code, unsigned status) {
  auto known = status_of(code);
  auto is_too_long = known == 413u && status >= 400 && status < 429;
  return known && (is_for_good(code) || is_too_long) ? *known : status;
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
  // Any question would come to that. A redirect would carry the key to a place that nobody
  // configured.
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
      return "the prompt, or the prompt with max_output_tokens, is too long for the server";
    case 429:
      return "the server's rate limit is reached";
    default:
      break;
  }
  if (status >= 500)
    return "the server has a problem";
  return status < 400 ? "the server gave neither an answer nor an error; is base_url right?"
                      : "the server refuses";
}

bool is_redirect(unsigned status, const std::map<std::string, std::string>& headers) {
  return status >= 300 && status < 400 && status != 304 && headers.contains("location");
}

// Of the words that an error goes by the one that is known, else the first. Google has the one that
// says most in a list of details.
std::string code_of(dom::element error) {
  std::vector<std::string> words;
  each_at(error, "details", [&](dom::element x) { words.push_back(text_at(x, "reason")); });
  for (auto key : {"code", "type", "status"})
    words.push_back(text_at(error, key));
  if (text_at(error, "param") == "model") // LiteLLM, OpenAI: whatever else it is called
    words.insert(words.begin(), "model_not_found");
  if (dom::element reasons; error["metadata"]["reasons"].get(reasons) == simdjson::SUCCESS)
    words.emplace_back(moderated);
  std::erase(words, "");
  auto known = std::ranges::find_if(words, [](const auto& x) { return status_of(x).has_value(); });
  return known != words.end() ? *known : words.empty() ? std::string{} : words.front();
}

// The status that an error names: OpenRouter, Google, vLLM and llama.cpp as a number, LiteLLM as a
// text.
std::int64_t status_in(const auto& error) {
  auto text = text_at(error, "code");
  std::int64_t result = count_at(error, "code");
  std::from_chars(text.data(), text.data() + text.size(), result);
  return result;
}

// How long to wait where a server asks for so much [seconds]. Who asks for more than a week has
// made a mistake, and asks for nothing.
std::chrono::milliseconds sensible_wait(double seconds) {
  constexpr double longest = 7 * 24 * 3600;
  auto is_sensible = seconds > 0 && seconds <= longest; // no NaN is
  return std::chrono::milliseconds{is_sensible ? static_cast<std::int64_t>(seconds * 1e3) : 0};
}

// Google's way to ask for time: "34s", or "1.5s".
std::chrono::milliseconds delay_in(dom::element error) {
  double seconds = 0;
  each_at(error, "details", [&](dom::element x) {
    auto text = text_at(x, "retryDelay");
    if (text.ends_with('s'))
      std::from_chars(text.data(), text.data() + text.size() - 1, seconds);
  });
  return sensible_wait(seconds);
}

} // namespace

complaint complaint_in(dom::element root) {
  dom::element error;
  if (root["error"].get(error) != simdjson::SUCCESS)
    error = root; // vLLM's older versions, SGLang, FastAPI
  complaint result;
  if (std::string_view plain; error.get(plain) == simdjson::SUCCESS)
    result.message = plain;
  else
    result = {code_of(error), text_at(error, "message"), delay_in(error)};
  if (result.message.empty())
    result.message = text_at(error, "detail");
  if (auto code = code_in_words(result.message))
    result.code = *code;
  return result;
}

complaint complaint_in(const std::string& body) {
  auto text = without_byte_order_mark(body);
  if (looks_like_html(text))
    return {std::string{a_page}, "an HTML page instead of JSON; is base_url right?"};
  dom::parser parser;
  dom::element root;
  complaint result;
  if (parser.parse(text.data(), text.size()).get(root) == simdjson::SUCCESS) {
    if (dom::element first; root.at(0).get(first) == simdjson::SUCCESS)
      root = first; // Google wraps some in a list
    result = complaint_in(root);
  }
  if (result.message.empty())
    result.message = body;
  return result;
}

// Whether a character can be seen, and leaves those around it as they are.
bool is_printable(std::string_view character) {
  auto within = [&](std::string_view first, std::string_view last) {
    return character >= first && character <= last;
  };
  return character > " " && !within("\x7F", "\xC2\x9F") // DEL to U+009F
         && !within("\xE2\x80\x8B", "\xE2\x80\x8F")     // of no width
         && !within("\xE2\x80\xA8", "\xE2\x80\xAE")     // ends of lines, directions
         && !within("\xE2\x81\xA0", "\xE2\x81\xAF")     // of no width, directions
         && character != byte_order_mark;
}

// Whether only what is no text has it.
bool is_control(std::string_view character) {
  return character < " " && character != "\t" && character != "\n" && character != "\r";
}

// Somebody in between has lost patience with a server, which may go on with its answer.
bool is_impatience(unsigned status) {
  return status == 408 || status == 504 || status == 522 || status == 524;
}

failure failure_of(const model_config& model, unsigned status, const complaint& said,
                   const std::map<std::string, std::string>& headers) {
  failure result;
  result.kind = kind_of(status, said.code);
  result.status = status;
  result.may_be_charged = is_impatience(status);
  result.retry_after = std::max(retry_after(headers, std::time(nullptr)), said.retry_after);
  auto means = meaning_with(said.code, status);
  result.sentence = fmt::format(
    "model '{}' ({}): {} (HTTP {})", model.name, model.model,
    is_redirect(means, headers) ? "the server redirects, which is not followed" : meaning_of(means),
    status);
  if (!said.message.empty())
    result.sentence += fmt::format(": {}", quote(said.message));
  return result;
}

failure failure_within(const model_config& model, dom::element root) {
  auto said = complaint_in(root);
  auto status = status_in(root["error"]);
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
  const auto size = text.size();
  text = text.substr(0, longest_quote);
  std::size_t odd = 0; // what no text has
  std::string result;
  for (auto rest = text; !rest.empty();) {
    auto character = first_character(rest);
    auto is_cut = character.empty() && text.size() < size && rest.size() < 4;
    if (is_cut || result.size() + replacement_character.size() > longest_quote)
      break;
    rest.remove_prefix(std::max<std::size_t>(character.size(), 1));
    odd += character.empty() || is_control(character) ? 1 : 0;
    if (character.empty())
      result += result.ends_with(replacement_character) ? "" : replacement_character;
    else if (is_printable(character))
      result += character;
    else if (!result.empty() && result.back() != ' ')
      result += ' ';
  }
  return odd * 4 > text.size() ? fmt::format("({} bytes that are no text)", size) : result;
}

std::chrono::milliseconds retry_after(const std::map<std::string, std::string>& headers,
                                      std::time_t now) {
  auto number = [&](const char* name) -> std::optional<double> {
    auto i = headers.find(name);
    double x = 0;
    if (i == headers.end())
      return std::nullopt;
    auto [end, code] = std::from_chars(i->second.data(), i->second.data() + i->second.size(), x);
    auto whole = code == std::errc{} && end == i->second.data() + i->second.size();
    return whole ? std::optional{x} : std::nullopt;
  };
  if (auto x = number("retry-after-ms"))
    return sensible_wait(*x / 1000);
  if (auto x = number("retry-after"))
    return sensible_wait(*x);
  auto date = headers.find("retry-after");
  std::tm time{};
  if (date == headers.end() || !strptime(date->second.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time))
    return {};
  return sensible_wait(static_cast<double>(timegm(&time) - now));
}

} // namespace lathe::llm_clients
