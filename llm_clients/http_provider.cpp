#include "llm_clients/http_provider.hpp"

#include "llm_clients/answer_parsing.hpp"
#include "llm_clients/log.hpp"
#include "llm_clients/server_failure.hpp"
#include "messages/error.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

namespace lathe::llm_clients {

namespace {

using clock = std::chrono::steady_clock;

std::chrono::milliseconds milliseconds_of(double seconds) {
  return std::chrono::milliseconds{static_cast<std::int64_t>(seconds * 1000)};
}

} // namespace

// What outlives the provider in calls under way. The key is in `key` alone.
struct http_provider::endpoint {
  model_config model;
  const protocol& spoken;
  url server;
  std::optional<proxy> via;
  secret key;
  secret_list secrets; // what servers and proxies may repeat
};

// One question, on the I/O thread from the first byte that comes back.
class http_provider::call {
public:
  call(std::shared_ptr<const endpoint> at, llm_request question)
    : at_(std::move(at)), question_(std::move(question)) {
    // nop
  }

  http_request request() {
    auto result = at_->spoken.make_request(at_->model, question_);
    result.server = at_->server;
    result.path = at_->server.path + result.path;
    result.via = at_->via;
    result.key = at_->key;
    result.timeout = milliseconds_of(at_->model.timeout);
    result.connect = milliseconds_of(at_->model.connect_timeout);
    if (at_->model.stream) // else the answer's first byte comes with its last
      result.first_byte = milliseconds_of(at_->model.first_byte_timeout);
    result.idle = milliseconds_of(at_->model.idle_timeout);
    log()->trace("model '{}': POST {}{}: {}", at_->model.name, result.server.authority(),
                 result.path, at_->secrets.scrub(result.body));
    return result;
  }

  /// Returns whether more is wanted.
  bool take_part(std::string_view part) {
    auto goes_on = events_.take(part, [this](sse_event event) {
      std::string scrubbed;
      if (at_->secrets.occur_in(event.data))
        event.data = scrubbed = at_->secrets.scrub(std::string{event.data});
      failed_ = read_event(at_->spoken, at_->model, event, found_);
      stopped_ = !failed_ && !found_.complete && question_.stop_after_code && is_enough();
      return !failed_ && !stopped_;
    });
    if (!goes_on && !failed_ && !stopped_)
      failed_ = nonsense(at_->model, "with an event that is too long");
    return goes_on;
  }

  reply end(http_result&& x) {
    auto result = ended(std::move(x));
    if (auto answer = std::get_if<llm_answer>(&result)) {
      answer->seconds = std::chrono::duration<double>(clock::now() - start_).count();
      answer->text = at_->secrets.scrub(std::move(answer->text)); // events may have cut it in two
      log()->trace("model '{}': answered: {}", at_->model.name, answer->text);
    } else if (auto why = std::get_if<failure>(&result)) {
      why->sentence = at_->secrets.scrub(std::move(why->sentence));
    }
    return result;
  }

private:
  // Only looks when a line ends that may be a fence.
  bool is_enough() {
    std::string_view fresh = found_.text;
    fresh.remove_prefix(seen_);
    if (fresh.find('\n') == std::string_view::npos)
      return false;
    auto may_end_block = fresh.find("``") != std::string_view::npos || fresh.starts_with('`');
    seen_ = found_.text.rfind('\n') + 1;
    return may_end_block && has_whole_code(found_.text);
  }

  reply ended(http_result&& x) {
    if (failed_)
      return std::move(*failed_);
    if (stopped_)
      return read_stopped_stream(at_->model, question_, std::move(found_));
    if (auto lost = std::get_if<http_failure>(&x))
      return found_.complete ? read_stream_end(at_->model, question_, std::move(found_))
                             : without_response(*lost);
    auto& response = std::get<http_response>(x);
    if (response.streamed)
      return read_stream_end(at_->model, question_, std::move(found_));
    response.body = at_->secrets.scrub(std::move(response.body));
    log()->trace("model '{}': HTTP {}: {}", at_->model.name, response.status, response.body);
    if (is_nameless_stream(response))
      return read_events(response.body);
    return read_response(at_->spoken, at_->model, question_, response);
  }

  // Some servers do not say what it is that they stream.
  bool is_nameless_stream(const http_response& x) const {
    return at_->model.stream && x.status == 200 && !x.headers.contains("content-type")
           && looks_like_events(x.body);
  }

  // All of it has come and is paid for, so there is nothing to stop.
  reply read_events(std::string_view body) {
    question_.stop_after_code = false;
    take_part(body);
    if (failed_)
      return std::move(*failed_);
    return read_stream_end(at_->model, question_, std::move(found_));
  }

  reply without_response(const http_failure& x) const {
    return failure{
      x.permanent ? failure_kind::fail : failure_kind::retry,
      fmt::format("model '{}' ({}): {}", at_->model.name, at_->model.model, x.sentence),
      {},
      x.sent,
      !x.sent};
  }

  std::shared_ptr<const endpoint> at_;
  llm_request question_;
  clock::time_point start_ = clock::now();
  sse_reader events_;
  partial_answer found_;
  std::optional<failure> failed_; // by what an event said
  bool stopped_ = false;          // by us, who have what we want
  std::size_t seen_ = 0;          // of the text: whole lines
};

caf::expected<std::unique_ptr<provider>> http_provider::make(model_config model,
                                                             std::shared_ptr<http_client> client,
                                                             const variable_lookup& environment) {
  auto server = parse_url(model.base_url);
  if (!server)
    return make_error(errc::user_error,
                      fmt::format("model '{}': {}", model.name, describe(server.error())));
  auto via = proxy_for(*server, environment);
  if (!via)
    return make_error(errc::user_error,
                      fmt::format("model '{}': {}", model.name, describe(via.error())));
  if (*via)
    log()->info("model '{}' is asked through {}", model.name, (*via)->name());
  secret key{std::exchange(model.api_key, {})};
  if (!key.sendable())
    return make_error(errc::user_error,
                      fmt::format("model '{}': the API key holds a space, a line break or a "
                                  "character that is not ASCII",
                                  model.name));
  const auto& spoken = protocol_of(model);
  std::vector<secret> secrets{key};
  if (*via)
    secrets.insert(secrets.end(), {(*via)->password, (*via)->credentials});
  auto at = std::make_shared<endpoint>(endpoint{std::move(model), spoken, std::move(*server),
                                                std::move(*via), std::move(key),
                                                secret_list{std::move(secrets)}});
  return std::unique_ptr<provider>{new http_provider{std::move(at), std::move(client)}};
}

http_provider::http_provider(std::shared_ptr<const endpoint> at,
                             std::shared_ptr<http_client> client)
  : at_(std::move(at)), client_(std::move(client)) {
  // nop
}

void http_provider::ask(const llm_request& question, completion done) {
  auto x = std::make_shared<call>(at_, question);
  auto request = x->request();
  if (at_->model.stream)
    request.on_part = [x](std::string_view part) { return x->take_part(part); };
  request.cancelled = done.cancelled();
  request.on_headers = [done](const header_map& headers) { done.hear(headers); };
  client_->send(std::move(request), [x, done = std::move(done)](http_result result) {
    done(x->end(std::move(result)));
  });
}

} // namespace lathe::llm_clients
