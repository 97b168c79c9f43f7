#pragma once

#include "actors/prompt.hpp"
#include "llm_clients/cut_answer.hpp"
#include "messages/error.hpp"
#include "messages/interfaces.hpp"

#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace lathe::actors {

/// Returns what a planner, coder, fixer or profiler asks.
inline llm_request question_of(const agent_config& config, rendered_prompt prompt,
                               const session_id& session, request_id id) {
  llm_request result;
  result.session = session;
  result.request = id;
  result.agent = config.name;
  result.role = to_string(config.role);
  result.model = config.model;
  result.system = std::move(prompt.system);
  result.prompt = std::move(prompt.text);
  result.stop_after_code = config.stop_after_code;
  result.priority = config.priority;
  result.patience = config.timeout;
  return result;
}

/// Returns why an agent has no answer.
inline caf::error without_answer(caf::error reason) {
  if (reason == caf::sec::request_timeout)
    return make_error(errc::timed_out, "the model gave no answer in time");
  return reason;
}

/// The gateway itself ends a question when its time is up, and says how; whoever does not hear even
/// that goes on so much later.
inline constexpr auto gateway_grace = std::chrono::seconds{10};

/// Sends a rendered prompt to the gateway and answers the request under way with
/// `convert(answer)`, or with the error that came instead. Where the request may take a second
/// query, an answer that was cut goes on, within the same time limit. When that comes to nothing,
/// the first part is the answer.
template <class Answer, class Self, class Convert>
caf::result<Answer> ask_model(Self* self, const gateway_actor& gateway, const agent_config& config,
                              caf::expected<rendered_prompt> prompt, const session_id& session,
                              request_id id, std::int32_t queries, Convert convert) {
  if (!prompt)
    return std::move(prompt.error());
  auto question = question_of(config, std::move(*prompt), session, id);
  auto limit = std::chrono::duration_cast<caf::timespan>(std::chrono::duration<double>(config.timeout));
  auto deadline = self->clock().now() + limit;
  auto promise = self->template make_response_promise<Answer>();
  auto fail = [promise](caf::error& reason) mutable {
    promise.deliver(without_answer(std::move(reason)));
  };
  auto go_on = [=](llm_answer& first, llm_request rest) mutable {
    auto left = std::chrono::duration<double>(deadline - self->clock().now());
    rest.patience = std::max(left.count(), 1e-3);
    self->request(gateway, deadline + gateway_grace - self->clock().now(), std::move(rest))
      .then(
        [=](const llm_answer& second) mutable {
          auto whole = llm_clients::joined(first, second);
          promise.deliver(convert(whole));
        },
        [=](caf::error& reason) mutable {
          if (reason == errc::provider_failed || reason == errc::budget_exhausted)
            promise.deliver(convert(first));
          else
            fail(reason);
        });
  };
  // Prompts are long, and agents many: only who may go on keeps the question.
  auto kept = queries > 1 ? std::optional{question} : std::nullopt;
  self->request(gateway, limit + gateway_grace, std::move(question))
    .then(
      [=](llm_answer& answer) mutable {
        auto rest = kept ? llm_clients::question_to_go_on(*kept, answer) : std::nullopt;
        if (rest)
          go_on(answer, std::move(*rest));
        else
          promise.deliver(convert(answer));
      },
      fail);
  return promise;
}

} // namespace lathe::actors
