#include "llm_clients/price.hpp"

namespace lathe::llm_clients {

namespace {

// Default system texts that templates add are the largest part: about 40 tokens for Llama 3.1.
constexpr std::int64_t template_allowance = 256; // [tokens]

constexpr double million = 1e6;

} // namespace

std::int64_t input_token_bound(const llm_request& request) {
  return static_cast<std::int64_t>(request.system.size() + request.prompt.size())
         + template_allowance;
}

double price_of(const model_config& model, const spend& tokens) {
  auto cached_price = model.cached_input_price > 0 ? model.cached_input_price : model.input_price;
  auto fresh = static_cast<double>(tokens.input_tokens - tokens.cached_input_tokens);
  auto cached = static_cast<double>(tokens.cached_input_tokens);
  auto output = static_cast<double>(tokens.output_tokens);
  return (fresh * model.input_price + cached * cached_price + output * model.output_price)
         / million;
}

double worst_case(const model_config& model, const llm_request& request) {
  spend bound;
  bound.input_tokens = input_token_bound(request);
  bound.output_tokens = model.max_output_tokens;
  return price_of(model, bound);
}

} // namespace lathe::llm_clients
