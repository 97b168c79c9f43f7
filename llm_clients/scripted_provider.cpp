#include "llm_clients/scripted_provider.hpp"

#include "llm_clients/io_thread.hpp"
#include "llm_clients/price.hpp"
#include "messages/error.hpp"

#include <boost/asio/steady_timer.hpp>

namespace lathe::llm_clients {

namespace asio = boost::asio;

namespace {

// What English and code come to in most tokenizers.
constexpr std::int64_t bytes_per_token = 4;

std::int64_t estimated_tokens(std::int64_t bytes) {
  return (bytes + bytes_per_token - 1) / bytes_per_token;
}

llm_answer to_answer(const model_config& model, const llm_request& question, scripted_answer x) {
  llm_answer result;
  result.model = model.model;
  result.finish = x.finish;
  result.seconds = x.delay;
  result.cost.queries = 1;
  auto estimate =
    std::pair{estimated_tokens(input_bytes(question)), estimated_tokens(std::ssize(x.text))};
  token_usage usage;
  std::tie(usage.input, usage.output) = x.tokens.value_or(estimate);
  result.cost.input_tokens = usage.input;
  result.cost.output_tokens = usage.output;
  result.cost.usd = price_of(model, usage);
  result.text = std::move(x.text);
  return result;
}

} // namespace

scripted_provider::scripted_provider(model_config model, script answers,
                                     std::shared_ptr<io_thread> io)
  : model_(std::move(model)), script_(std::move(answers)), io_(std::move(io)) {
  model_.api_key.clear();
}

void scripted_provider::ask(const llm_request& question, completion done) {
  auto found = script_.choose(question);
  if (!found)
    return done(failure{failure_kind::refuse, describe(found.error())});
  auto delay = std::chrono::duration<double>(found->delay);
  auto answer = to_answer(model_, question, std::move(*found));
  if (delay.count() <= 0)
    return done(std::move(answer));
  auto timer = std::make_shared<asio::steady_timer>(io_->context());
  timer->expires_after(std::chrono::duration_cast<std::chrono::nanoseconds>(delay));
  timer->async_wait([timer, answer, done](const boost::system::error_code&) { done(answer); });
}

} // namespace lathe::llm_clients
