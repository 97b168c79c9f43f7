#include "llm_clients/price.hpp"

namespace lathe::llm_clients {

namespace {

// Default system texts that templates add are the largest part: about 40 tokens for Llama 3.1.
constexpr std::int64_t template_allowance = 256; // [tokens]

// What English and code come to in most tokenizers, or a little less.
constexpr std::int64_t bytes_per_token = 3;

constexpr double million = 1e6;

} // namespace

std::int64_t input_bytes(const llm_request& request) {
  auto result = request.system.size() + request.prompt.size();
  for (const auto& x : request.follow_ups)
    result += x.answer.size() + x.prompt.size();
  return static_cast<std::int64_t>(result);
}

std::int64_t input_token_bound(const llm_request& request) {
  auto messages = 1 + 2 * static_cast<std::int64_t>(request.follow_ups.size());
  return input_bytes(request) + messages * template_allowance;
}

call_tokens likely_tokens(const model_config& model, const llm_request& request) {
  return {input_bytes(request) / bytes_per_token, model.max_output_tokens};
}

double price_of(const model_config& model, const token_usage& tokens) {
  auto own_or_input = [&](double own) { return own > 0 ? own : model.input_price; };
  auto cost = [](std::int64_t count, double price) { return static_cast<double>(count) * price; };
  return (cost(tokens.input - tokens.cached - tokens.cache_write, model.input_price)
          + cost(tokens.cached, own_or_input(model.cached_input_price))
          + cost(tokens.cache_write, own_or_input(model.cache_write_price))
          + cost(tokens.output, model.output_price))
         / million;
}

double worst_case(const model_config& model, const llm_request& request) {
  token_usage bound;
  bound.input = input_token_bound(request);
  if (model.cache_write_price > model.input_price)
    bound.cache_write = bound.input;
  bound.output = model.max_output_tokens;
  return price_of(model, bound);
}

} // namespace lathe::llm_clients
