#include "llm_clients/exchange.hpp"

#include "llm_clients/json_fields.hpp"
#include "llm_clients/json_text.hpp"
#include "messages/content_hash.hpp"
#include "messages/error.hpp"

#include <simdjson.h>

#include <fmt/format.h>

namespace lathe::llm_clients {

namespace {

// Who asks what.
std::string question_fields(const llm_request& x, const std::string& prompt_hash) {
  return fmt::format(R"("request":{},"agent":{},"role":{},"model":{},"prompt":"{}")", x.request,
                     json_string(x.agent), json_string(x.role), json_string(x.model), prompt_hash);
}

std::string spend_fields(const spend& x) {
  return fmt::format(R"("queries":{},"input_tokens":{},"cached_input_tokens":{},)"
                     R"("output_tokens":{},"reasoning_tokens":{},"usd":{})",
                     x.queries, x.input_tokens, x.cached_input_tokens, x.output_tokens,
                     x.reasoning_tokens, x.usd);
}

journal_record record_of(const llm_request& request, std::string_view kind, std::string payload) {
  journal_record result;
  result.session = request.session;
  result.kind = kind;
  result.payload = std::move(payload);
  return result;
}

spend cost_in(field_reader& fields) {
  spend result{fields.number<std::int64_t>("queries"), fields.number<std::int64_t>("input_tokens"),
               fields.number<std::int64_t>("cached_input_tokens"),
               fields.number<std::int64_t>("output_tokens"), fields.number<double>("usd")};
  if (fields.object["reasoning_tokens"].error() == simdjson::SUCCESS) // older journals have none
    result.reasoning_tokens = fields.number<std::int64_t>("reasoning_tokens");
  return result;
}

caf::error damaged(const journal_record& record, std::string_view what) {
  return make_error(errc::journal_failed, fmt::format("journal record {} ({}) is damaged: {}",
                                                      record.seq, record.kind, what));
}

recorded_answer answer_of(const journal_record& record, field_reader& fields) {
  recorded_answer result;
  result.session = record.session;
  result.request = fields.get<std::uint64_t>("request");
  result.prompt_hash = fields.text("prompt");
  result.answer.model = fields.text("provider_model");
  result.answer.finish = fields.text("finish");
  result.answer.cost = cost_in(fields);
  result.answer.seconds = fields.get<double>("seconds");
  result.answer.recorded = true;
  return result;
}

} // namespace

std::string prompt_text(const llm_request& request) {
  auto result = request.system + "\n\n" + request.prompt;
  for (const auto& x : request.follow_ups)
    result += "\n\nanswer:\n\n" + x.answer + "\n\nprompt:\n\n" + x.prompt;
  return result;
}

journal_append exchange_record(const llm_request& request, const llm_answer& answer) {
  auto prompt = prompt_text(request);
  auto prompt_hash = content_hash(prompt);
  auto answer_hash = content_hash(answer.text);
  auto payload =
    fmt::format(R"({{{},"provider_model":{},"answer":"{}","finish":{},{},"seconds":{}}})",
                question_fields(request, prompt_hash), json_string(answer.model), answer_hash,
                json_string(answer.finish), spend_fields(answer.cost), answer.seconds);
  return {{record_of(request, exchange_kind, std::move(payload))},
          {{prompt_hash, std::move(prompt)}, {answer_hash, answer.text}}};
}

journal_append reserved_record(const llm_request& request, const std::string& prompt_hash,
                               const spend& worst) {
  auto payload =
    fmt::format("{{{},{}}}", question_fields(request, prompt_hash), spend_fields(worst));
  return {{record_of(request, reserved_kind, std::move(payload))}, {}};
}

journal_append lost_record(const llm_request& request, const std::string& prompt_hash,
                           const spend& cost) {
  auto payload =
    fmt::format("{{{},{}}}", question_fields(request, prompt_hash), spend_fields(cost));
  return {{record_of(request, lost_kind, std::move(payload))}, {}};
}

journal_append released_record(const llm_request& request, const std::string& prompt_hash) {
  auto payload = fmt::format("{{{}}}", question_fields(request, prompt_hash));
  return {{record_of(request, released_kind, std::move(payload))}, {}};
}

bool is_about_questions(std::string_view kind) {
  return kind == exchange_kind || kind == reserved_kind || kind == lost_kind
         || kind == released_kind;
}

caf::error read_record(const journal_record& record,
                       const std::function<caf::expected<std::string>(const std::string&)>& text_of,
                       earlier_run& run) {
  if (!is_about_questions(record.kind))
    return {};
  simdjson::dom::parser parser;
  field_reader fields;
  if (parser.parse(record.payload).get(fields.object) != simdjson::SUCCESS)
    return damaged(record, "not JSON");
  auto answered = record.kind == exchange_kind;
  payer who{record.session, fields.text("agent"), fields.text("model")};
  question_key question{record.session, fields.get<std::uint64_t>("request"),
                        text_at(fields.object, "prompt")}; // older losses have none
  auto cost = record.kind == released_kind ? spend{} : cost_in(fields);
  auto answer = answered ? answer_of(record, fields) : recorded_answer{};
  auto answer_hash = answered ? fields.text("answer") : std::string{};
  if (!fields.missing.empty())
    return damaged(record, fmt::format("no valid '{}'", fields.missing));
  if (answered) {
    auto text = text_of(answer_hash);
    if (!text)
      return std::move(text.error());
    answer.answer.text = std::move(*text);
    run.answers.push_back(std::move(answer));
  }
  run.open.erase(question);
  if (record.kind == reserved_kind) {
    run.started.push_back({who.model, record.time, cost});
    run.open.emplace(std::move(question),
                     open_call{std::move(who), cost, text_at(fields.object, "role")});
  } else {
    run.spent[std::move(who)] += cost;
  }
  return {};
}

} // namespace lathe::llm_clients
