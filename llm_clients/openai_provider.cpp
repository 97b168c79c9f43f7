#include "llm_clients/openai_provider.hpp"

#include "llm_clients/log.hpp"
#include "llm_clients/openai_protocol.hpp"
#include "messages/error.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>

namespace lathe::llm_clients {

namespace {

using clock = std::chrono::steady_clock;

reply without_response(const model_config& model, const http_failure& x) {
  return failure{x.permanent ? failure_kind::fail : failure_kind::retry,
                 fmt::format("model '{}' ({}): {}", model.name, model.model, x.sentence),
                 {},
                 x.sent,
                 !x.sent};
}

reply with_response(const model_config& model, const llm_request& question, const secret& key,
                    http_response& response) {
  response.body = key.scrub(std::move(response.body));
  log()->trace("model '{}': HTTP {}: {}", model.name, response.status, response.body);
  return parse_response(model, question, response);
}

void set_seconds(reply& x, clock::time_point start) {
  if (auto answer = std::get_if<llm_answer>(&x))
    answer->seconds = std::chrono::duration<double>(clock::now() - start).count();
}

} // namespace

caf::expected<std::unique_ptr<provider>>
openai_provider::make(model_config model, std::shared_ptr<http_client> client) {
  auto server = parse_url(model.base_url);
  if (!server)
    return make_error(errc::user_error,
                      fmt::format("model '{}': {}", model.name, describe(server.error())));
  secret key{std::exchange(model.api_key, {})};
  if (!key.sendable())
    return make_error(errc::user_error,
                      fmt::format("model '{}': the API key holds a space, a line break or a "
                                  "character that is not ASCII",
                                  model.name));
  auto at =
    std::make_shared<endpoint>(endpoint{std::move(model), std::move(*server), std::move(key)});
  return std::unique_ptr<provider>{new openai_provider{std::move(at), std::move(client)}};
}

openai_provider::openai_provider(std::shared_ptr<const endpoint> at,
                                 std::shared_ptr<http_client> client)
  : at_(std::move(at)), client_(std::move(client)) {
  // nop
}

void openai_provider::ask(const llm_request& question, completion done) {
  http_request request;
  request.server = at_->server;
  request.path = at_->server.path + "/chat/completions";
  request.bearer = at_->key;
  request.body = make_body(at_->model, question);
  request.timeout = std::chrono::milliseconds{static_cast<std::int64_t>(at_->model.timeout * 1000)};
  log()->trace("model '{}': POST {}{}: {}", at_->model.name, request.server.authority(),
               request.path, at_->key.scrub(request.body));
  auto start = clock::now();
  client_->send(std::move(request),
                [at = at_, question, done = std::move(done), start](http_result x) {
                  auto response = std::get_if<http_response>(&x);
                  auto result = response ? with_response(at->model, question, at->key, *response)
                                         : without_response(at->model, std::get<http_failure>(x));
                  set_seconds(result, start);
                  done(std::move(result));
                });
}

} // namespace lathe::llm_clients
