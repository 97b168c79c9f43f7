// What servers of models send: event streams in parts of any size, bodies with any status, headers.
// Whatever it is, there is an answer or a failure with a sentence.
#include "llm_clients/price.hpp"
#include "llm_clients/protocol.hpp"
#include "llm_clients/server_failure.hpp"
#include "tests/fuzz/seeded_mutator.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

using namespace lathe;
using namespace lathe::llm_clients;

namespace {

constexpr std::array<unsigned, 8> statuses = {200, 200, 200, 302, 400, 403, 429, 503};

void require(bool holds, const char* what) {
  if (holds)
    return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

model_config model_of(std::uint8_t choice) {
  model_config result;
  result.name = "strong";
  result.model = "x-1";
  result.price.input = 1;
  result.price.output = 10;
  result.can.reasons = (choice & 4) != 0;
  constexpr std::array providers = {provider_kind::openai, provider_kind::openai,
                                    provider_kind::anthropic, provider_kind::gemini};
  result.provider = providers[choice % 4];
  result.api = choice % 4 == 1 ? "responses" : "chat";
  return result;
}

void check(const reply& x) {
  if (auto why = std::get_if<failure>(&x)) {
    require(!why->sentence.empty() && why->sentence.size() < 1400, "a failure is a sentence");
    require(why->retry_after.count() >= 0 && why->retry_after.count() <= 1'000'000'000,
            "no server asks for more than twelve days");
    return;
  }
  auto& cost = std::get<llm_answer>(x).cost;
  require(std::isfinite(cost.usd) && cost.usd >= 0, "an answer costs something or nothing");
  require(cost.input_tokens >= 0 && cost.output_tokens >= 0, "no tokens come back");
  require(cost.cached_input_tokens <= cost.input_tokens, "what was cached is a part");
  require(cost.reasoning_tokens <= cost.output_tokens, "what was thought is a part");
}

using events = std::vector<std::pair<std::string, std::string>>;

// `next_size` says how long each part is.
template <class Size>
events events_of(std::string_view stream, Size next_size) {
  sse_reader reader;
  events result;
  while (!stream.empty()) {
    auto part = stream.substr(0, next_size());
    stream.remove_prefix(part.size());
    reader.take(part, [&](const sse_event& x) {
      result.emplace_back(x.type, x.data);
      return true;
    });
  }
  return result;
}

void read_as_stream(const model_config& model, const std::string& text, unsigned seed) {
  auto whole = events_of(text, [&] { return text.size(); });
  std::minstd_rand random{seed};
  require(whole == events_of(text, [&] { return 1 + random() % 9; }),
          "a stream is the same however it is cut");
  partial_answer found;
  for (const auto& [type, data] : whole) {
    auto before = found.text.size();
    if (auto failed = read_event(protocol_of(model), model, {type, data}, found))
      return check(*failed);
    require(found.text.size() >= before, "what was said is not taken back");
  }
  check(read_stopped_stream(model, {}, partial_answer{found}));
  check(read_stream_end(model, {}, std::move(found)));
}

void read_as_response(const model_config& model, const std::string& text, unsigned status) {
  http_response response;
  response.status = status;
  response.body = text;
  response.headers = {{"retry-after", text.substr(0, text.find('\n'))}};
  auto once = read_response(protocol_of(model), model, {}, response);
  check(once);
  check(failure_of(model, status, complaint_in(text), response.headers));
}

} // namespace

std::vector<std::string> lathe::fuzz::seeds() {
  // The first two bytes say who speaks, and how.
  return {
    R"(00{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,)"
    R"("completion_tokens":4,"prompt_tokens_details":{"cached_tokens":1}}})",
    "00data: {\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"length\"}]}\r\n\r\n"
    ": wait\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":9}}\n\ndata: [DONE]\n\n",
    R"(10{"status":"completed","output":[{"content":[{"text":"hi"}]}],"usage":{"input_tokens":9,)"
    R"("output_tokens":4,"output_tokens_details":{"reasoning_tokens":1}}})",
    "10event: x\rdata: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\"}\r\rdata: "
    "{\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}\n\n",
    R"(20{"content":[{"type":"text","text":"hi"}],"stop_reason":"max_tokens","usage":{"input_tokens":)"
    R"(9223372036854775807,"cache_read_input_tokens":9223372036854775807,"output_tokens":4}})",
    "20event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{"
    "\"input_tokens\":9,\"cache_creation_input_tokens\":2}}}\n\ndata: {\"type\":"
    "\"content_block_delta\",\"delta\":{\"text\":\"hi\"}}\n\ndata: "
    "{\"type\":\"message_delta\",\"delta\":"
    "{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":4}}\n\ndata: "
    "{\"type\":\"message_stop\"}\n\n",
    R"(30{"candidates":[{"content":{"parts":[{"text":"hi"},{"thought":true,"text":"x"}]},)"
    R"("finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":)"
    R"(9223372036854775807,"thoughtsTokenCount":9223372036854775807}})",
    "30data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hi\"}]}}]}\n\ndata: "
    "{\"candidates\":"
    "[{\"finishReason\":\"MAX_TOKENS\"}],\"promptFeedback\":{\"blockReason\":\"X\"}}\n\n",
    R"(06{"error":{"message":"slow down","code":"rate_limit_exceeded","type":"requests","param":"model"}})",
    R"(36[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"x","details":[{"reason":"y"},)"
    R"({"retryDelay":"34.5s"},{"retryDelay":"nans"}]}}])",
    R"(24{"type":"error","error":{"type":"invalid_request_error","message":"credit balance is too low"}})",
    "07Wed, 21 Oct 2099 07:28:00 GMT\n<html>busy</html>",
    "061e308",
    "06{\"detail\": \"x\"}",
    "05{\"error\":{\"metadata\":{\"reasons\":[\"violence\"]},\"code\":403}}",
  };
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2)
    return 0;
  std::string text{reinterpret_cast<const char*>(data) + 2, size - 2};
  auto model = model_of(data[0]);
  read_as_stream(model, text, data[1] + 1u);
  read_as_response(model, text, statuses[data[1] % statuses.size()]);
  return 0;
}
