#pragma once

#include "llm_clients/protocol.hpp"

#include <gmock/gmock.h>
#include <simdjson.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace lathe::llm_clients::test {

inline model_config priced_model(provider_kind provider = provider_kind::openai) {
  model_config result;
  result.name = "strong";
  result.provider = provider;
  result.model = "x-1";
  result.base_url = "http://localhost:8000/v1";
  result.max_output_tokens = 500;
  result.price.input = 1;
  result.price.cached_input = 0.1;
  result.price.cache_write = 1.25;
  result.price.output = 10;
  return result;
}

inline llm_request question(std::string system = "be brief", std::string prompt = "hello") {
  llm_request result;
  result.system = std::move(system);
  result.prompt = std::move(prompt);
  return result;
}

/// Asks to go on with an answer that was cut.
inline llm_request conversation() {
  auto result = question();
  result.follow_ups = {{"one, \"two\"", "go on"}};
  return result;
}

inline llm_answer answer_in(reply x) {
  if (auto failed = std::get_if<failure>(&x))
    ADD_FAILURE() << failed->sentence;
  auto answer = std::get_if<llm_answer>(&x);
  return answer ? *answer : llm_answer{};
}

inline failure failure_in(reply x) {
  auto failed = std::get_if<failure>(&x);
  EXPECT_TRUE(failed) << "an answer";
  return failed ? *failed : failure{};
}

/// What a response that came whole says.
inline reply read(const model_config& model, std::string body, unsigned status = 200,
                  std::map<std::string, std::string> headers = {}) {
  http_response response;
  response.status = status;
  response.headers = std::move(headers);
  response.body = std::move(body);
  return read_response(protocol_of(model), model, question(), response);
}

/// What a stream of such data comes to.
inline reply read_stream(const model_config& model, const std::vector<std::string>& events) {
  partial_answer found;
  for (const auto& data : events)
    if (auto failed = read_event(protocol_of(model), model, {{}, data}, found))
      return std::move(*failed);
  return read_stream_end(model, question(), std::move(found));
}

/// A request's body. Good as long as this lives.
class body_of {
public:
  body_of(const model_config& model, const llm_request& asked)
    : text_(protocol_of(model).make_request(model, asked).body) {
    EXPECT_EQ(parser_.parse(text_).get(root_), simdjson::SUCCESS) << text_;
  }

  auto operator[](std::string_view key) const {
    return root_[key];
  }

  std::string at(std::string_view pointer) const {
    std::string_view result;
    return root_.at_pointer(pointer).get(result) == simdjson::SUCCESS ? std::string{result}
                                                                      : "nothing";
  }

  const std::string& text() const {
    return text_;
  }

private:
  simdjson::dom::parser parser_;
  std::string text_;
  simdjson::dom::element root_;
};

} // namespace lathe::llm_clients::test
