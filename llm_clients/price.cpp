#include "llm_clients/price.hpp"

#include <fmt/format.h>

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
  auto is_long = model.long_prompt > 0 && tokens.input > model.long_prompt;
  const auto& price = is_long ? model.long_price : model.price;
  auto own_or_input = [&](double own) { return own > 0 ? own : price.input; };
  auto cost = [](std::int64_t count, double each) { return static_cast<double>(count) * each; };
  return (cost(tokens.input - tokens.cached - tokens.cache_write, price.input)
          + cost(tokens.cached, own_or_input(price.cached_input))
          + cost(tokens.cache_write, own_or_input(price.cache_write))
          + cost(tokens.output, price.output))
         / million;
}

std::string describe_price(const model_config& model) {
  if (model.price == token_prices{})
    return {};
  auto result =
    fmt::format("${:g} in, ${:g} out per million tokens", model.price.input, model.price.output);
  if (model.long_prompt > 0)
    result += fmt::format(", ${:g} and ${:g} with prompts of more than {}", model.long_price.input,
                          model.long_price.output, model.long_prompt);
  return result + (model.price_source.empty() ? "" : fmt::format(" ({})", model.price_source));
}

spend worst_case(const model_config& model, const llm_request& request) {
  token_usage bound;
  bound.input = input_token_bound(request);
  if (model.price.cache_write > model.price.input)
    bound.cache_write = bound.input;
  bound.output = model.max_output_tokens;
  spend result;
  result.input_tokens = bound.input;
  result.output_tokens = bound.output;
  result.usd = price_of(model, bound);
  return result;
}

} // namespace lathe::llm_clients
