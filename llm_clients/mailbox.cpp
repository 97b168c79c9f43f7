#include "llm_clients/mailbox.hpp"

#include "llm_clients/exchange.hpp"
#include "llm_clients/json_fields.hpp"
#include "llm_clients/json_text.hpp"
#include "llm_clients/protocol.hpp"
#include "llm_clients/server_failure.hpp"
#include "messages/content_hash.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lathe::llm_clients {

namespace dom = simdjson::dom;

namespace {

constexpr std::size_t longest_id = 64;  // what OpenAI takes
constexpr std::size_t hash_digits = 12; // within a session and a request, so they are enough

std::string plain(std::string text) {
  auto odd = [](char c) {
    auto letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return !letter && !(c >= '0' && c <= '9') && c != '_' && c != '.' && c != '-';
  };
  std::replace_if(text.begin(), text.end(), odd, '_');
  return text;
}

failure unusable(const model_config& model, std::string_view what) {
  return {failure_kind::retry, fmt::format("model '{}' ({}): {}", model.name, model.model, what)};
}

bool is_set(dom::element line, std::string_view key, dom::element& x) {
  return line[key].get(x) == simdjson::SUCCESS && !x.is_null();
}

// The response in a line, or why there is none.
std::variant<http_response, failure> response_in(const model_config& model, dom::element line) {
  dom::element response;
  dom::element error;
  dom::element body;
  auto responded = is_set(line, "response", response);
  auto status = responded ? count_at(response, "status_code") : 0;
  if (is_set(line, "error", error) && status < 400)
    return failure_within(model, line);
  if (!responded)
    return unusable(model, "a line with neither 'response' nor 'error'");
  http_response result;
  result.status = static_cast<unsigned>(status == 0 ? 200 : std::clamp(status, 100L, 599L));
  if (is_set(response, "body", body))
    result.body = simdjson::minify(body);
  return result;
}

} // namespace

std::string custom_id(const model_config& model, const llm_request& question) {
  auto hash =
    content_hash(fmt::format("[{},{},{}]", json_string(question.session), json_string(model.model),
                             json_string(prompt_text(question))));
  auto end = fmt::format("-{}-{}", question.request, hash.substr(0, hash_digits));
  return plain(question.session.substr(0, longest_id - end.size())) + end;
}

std::string batch_line(const model_config& model, const llm_request& question) {
  auto whole = model;
  whole.stream = false;
  auto request = protocol_of(whole).make_request(whole, question);
  return fmt::format("{{\"custom_id\":\"{}\",\"method\":\"POST\",\"url\":\"/v1{}\",\"body\":{}}}\n",
                     custom_id(model, question), request.path, request.body);
}

std::string custom_id_in(std::string_view line) {
  line = without_byte_order_mark(line);
  dom::parser parser;
  dom::element root;
  auto status = parser.parse(line.data(), line.size()).get(root);
  return status == simdjson::SUCCESS ? text_at(root, "custom_id") : std::string{};
}

mailbox_answers::mailbox_answers(model_config model) : model_(std::move(model)) {
  // nop
}

mailbox_answers::noted mailbox_answers::add(std::string_view line) {
  line = without_byte_order_mark(line);
  dom::parser parser;
  dom::element root;
  if (parser.parse(line.data(), line.size()).get(root) != simdjson::SUCCESS)
    return {{}, fmt::format("not JSON: {}", quote(line.substr(0, 80)))};
  auto id = text_at(root, "custom_id");
  if (id.empty())
    return {{}, fmt::format("no 'custom_id': {}", quote(line.substr(0, 80)))};
  entry found;
  auto response = response_in(model_, root);
  if (auto given = std::get_if<http_response>(&response)) {
    auto said = read_response(protocol_of(model_), model_, {}, *given);
    if (auto failed = std::get_if<failure>(&said))
      found.failed = std::move(*failed);
    else if (auto& answer = std::get<llm_answer>(said);
             answer.text.empty() && answer.finish != "length")
      found.failed = failure{failure_kind::retry, "there is no text in the answer"};
    else
      found.body = std::move(given->body);
  } else {
    found.failed = std::move(std::get<failure>(response));
  }
  auto [i, is_first] = entries_.try_emplace(id);
  auto& known = i->second;
  if (!is_first && !known.failed) {
    auto differs = !found.failed && found.body != known.body;
    return {id,
            differs ? fmt::format("another answer to {}: the first one counts", quote(id)) : ""};
  }
  known = std::move(found);
  if (!known.failed)
    return {id, {}};
  auto final = known.failed->kind == failure_kind::refuse;
  return {id, fmt::format("{}: {}{}", quote(id), known.failed->sentence,
                          final ? "" : "; it waits for another line")};
}

std::optional<reply> mailbox_answers::find(const std::string& custom_id,
                                           const llm_request& question) const {
  auto i = entries_.find(custom_id);
  if (i == entries_.end())
    return std::nullopt;
  const auto& [body, failed] = i->second;
  if (!failed)
    return read_response(protocol_of(model_), model_, question, {200, {}, body});
  return failed->kind == failure_kind::refuse ? std::optional<reply>{*failed} : std::nullopt;
}

} // namespace lathe::llm_clients
