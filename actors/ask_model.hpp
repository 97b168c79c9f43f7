#pragma once

#include "messages/error.hpp"
#include "messages/interfaces.hpp"

#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <chrono>
#include <utility>

namespace lathe::actors {

/// Sends a rendered prompt to the gateway and answers the request under way with
/// `convert(answer)`, or with the error that came instead.
template <class Answer, class Self, class Convert>
caf::result<Answer> ask_model(Self* self, const gateway_actor& gateway, const agent_config& config,
                              caf::expected<std::string> prompt, const session_id& session,
                              request_id id, Convert convert) {
  if (!prompt)
    return std::move(prompt.error());
  llm_request question;
  question.session = session;
  question.request = id;
  question.agent = config.name;
  question.role = to_string(config.role);
  question.model = config.model;
  question.prompt = std::move(*prompt);
  question.stop_after_code = config.stop_after_code;
  question.priority = config.priority;
  question.patience = config.timeout;
  auto limit = std::chrono::duration_cast<caf::timespan>(std::chrono::duration<double>(config.timeout));
  auto promise = self->template make_response_promise<Answer>();
  self->request(gateway, limit, std::move(question))
    .then([promise, convert = std::move(convert)](
            llm_answer& answer) mutable { promise.deliver(convert(answer)); },
          [promise](caf::error& reason) mutable {
            if (reason == caf::sec::request_timeout)
              reason = make_error(errc::timed_out, "the model gave no answer in time");
            promise.deliver(std::move(reason));
          });
  return promise;
}

} // namespace lathe::actors
