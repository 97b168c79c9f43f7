#include "tools/llm_server/api.hpp"

#include "tools/llm_server/json_text.hpp"

#include <simdjson.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace lathe::llm_server {

namespace dom = simdjson::dom;

namespace {

// Google's own SDK has moved from the one to the other.
constexpr std::array<std::string_view, 2> gemini_models{"/v1beta/models/", "/v1/models/"};

struct fixed_path {
  std::string_view path;
  provider from;
  const answer_format& (*format)();
};

constexpr std::array<fixed_path, 3> fixed_paths{{
  {"/v1/chat/completions", provider::openai, chat_completions_format},
  {"/v1/responses", provider::openai, responses_format},
  {"/v1/messages", provider::anthropic, messages_format},
}};

// The value of `name` in a query such as "alt=sse&key=x".
std::string_view query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    auto end = std::min(query.find('&'), query.size());
    auto pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.starts_with(name) && pair.substr(name.size()).starts_with('='))
      return pair.substr(name.size() + 1);
  }
  return {};
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

// `call` is "MODEL:METHOD".
boost::system::result<endpoint, refusal> find_gemini(std::string_view call,
                                                     std::string_view query) {
  auto colon = std::min(call.rfind(':'), call.size());
  auto method = call.substr(colon);
  endpoint result{provider::gemini, &generate_content_format(), std::string{call.substr(0, colon)},
                  method == ":streamGenerateContent", std::string{query_value(query, "key")}};
  if (result.model.empty() || !is_printable(result.model)
      || (!result.stream && method != ":generateContent"))
    return refusal{404, "There is no such method of a model."};
  if (result.stream && query_value(query, "alt") != "sse")
    return refusal{400, "A stream is given as server-sent events only: add alt=sse."};
  return result;
}

// -- bodies ---------------------------------------------------------------------------

// The member that holds what is asked, in each API.
const char* input_member(const endpoint& to) {
  if (to.format == &responses_format())
    return "input";
  return to.from == provider::gemini ? "contents" : "messages";
}

bool true_in(dom::object object, const char* name) {
  bool result = false;
  return object[name].get(result) == simdjson::SUCCESS && result;
}

} // namespace

provider provider_of(std::string_view target) {
  for (auto models : gemini_models)
    if (target.starts_with(models))
      return provider::gemini;
  return target.starts_with("/v1/messages") ? provider::anthropic : provider::openai;
}

boost::system::result<endpoint, refusal> find_endpoint(std::string_view method,
                                                       std::string_view target) {
  auto mark = std::min(target.find('?'), target.size());
  auto path = target.substr(0, mark);
  auto query = target.substr(std::min(mark + 1, target.size()));
  auto needs = [&](std::string_view needed, endpoint found) {
    using result = boost::system::result<endpoint, refusal>;
    if (method == needed)
      return result{std::move(found)};
    return result{refusal{405, fmt::format("This path takes {} only.", needed)}};
  };
  if (path == "/v1/models")
    return needs("GET", {});
  for (const auto& known : fixed_paths)
    if (path == known.path)
      return needs("POST", {known.from, &known.format()});
  for (auto models : gemini_models)
    if (path.starts_with(models)) {
      auto found = find_gemini(path.substr(models.size()), query);
      return found ? needs("POST", std::move(*found)) : found;
    }
  return refusal{404, "There is nothing at this path."};
}

parsed<question> parse_question(const endpoint& to, std::string_view body) {
  dom::parser parser;
  dom::object object;
  if (parser.parse(body.data(), body.size()).get(object) != simdjson::SUCCESS)
    return mistake{"The body is no JSON object."};
  question result{to.model, to.stream};
  if (to.from != provider::gemini) {
    std::string_view model;
    if (object["model"].get(model) != simdjson::SUCCESS || model.empty())
      return mistake{"The body names no 'model'."};
    result.model = model;
    result.stream = true_in(object, "stream");
  }
  auto input = input_member(to);
  dom::element asked;
  if (object[input].get(asked) != simdjson::SUCCESS)
    return mistake{fmt::format("The body has no '{}'.", input)};
  if (!asked.is_array() && !(asked.is_string() && to.format == &responses_format()))
    return mistake{fmt::format("'{}' is no list.", input)};
  if (std::uint64_t most = 0;
      to.from == provider::anthropic && object["max_tokens"].get(most) != simdjson::SUCCESS)
    return mistake{"The body has no 'max_tokens'."};
  if (dom::object options; object["stream_options"].get(options) == simdjson::SUCCESS)
    result.stream_usage = true_in(options, "include_usage");
  return result;
}

std::string models_body() {
  std::string list;
  for (auto name : {"llm-server-small", "llm-server-large"})
    list += fmt::format(R"({}{{"id":"{}","object":"model","created":1700000000,)"
                        R"("owned_by":"llm-server"}})",
                        list.empty() ? "" : ",", name);
  return fmt::format(R"({{"object":"list","data":[{}]}})", list);
}

} // namespace lathe::llm_server
