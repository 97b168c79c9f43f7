#include "llm_clients/price.hpp"

#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::llm_clients;

namespace {

model_config priced() {
  model_config result;
  result.price.input = 1.25;
  result.price.cached_input = 0.31;
  result.price.output = 10;
  result.max_output_tokens = 1'000;
  return result;
}

token_usage tokens(std::int64_t input, std::int64_t cached, std::int64_t output) {
  token_usage result;
  result.input = input;
  result.cached = cached;
  result.output = output;
  return result;
}

} // namespace

TEST(price, cached_input_has_its_own_price) {
  EXPECT_DOUBLE_EQ(price_of(priced(), tokens(1'000'000, 0, 0)), 1.25);
  EXPECT_DOUBLE_EQ(price_of(priced(), tokens(1'000'000, 1'000'000, 0)), 0.31);
  EXPECT_DOUBLE_EQ(price_of(priced(), tokens(0, 0, 1'000)), 0.01);
}

TEST(price, cached_input_without_a_price_costs_what_input_costs) {
  auto model = priced();
  model.price.cached_input = 0;
  EXPECT_DOUBLE_EQ(price_of(model, tokens(1'000'000, 1'000'000, 0)), 1.25);
}

TEST(price, what_is_put_into_the_cache_has_its_own_price) {
  auto model = priced();
  auto usage = tokens(1'000'000, 0, 0);
  usage.cache_write = 400'000;
  EXPECT_DOUBLE_EQ(price_of(model, usage), 1.25);
  model.price.cache_write = 2;
  EXPECT_DOUBLE_EQ(price_of(model, usage), 0.6 * 1.25 + 0.4 * 2);
  llm_request request;
  request.prompt = std::string(1'000'000, 'x');
  model.max_output_tokens = 0;
  EXPECT_GE(worst_case(model, request).usd, 2) << "all of it may be put there";
}

TEST(price, a_long_prompt_costs_what_long_prompts_do) {
  auto model = priced();
  model.long_prompt = 1'000;
  model.long_price = {10, 1, 0, 20};
  EXPECT_DOUBLE_EQ(price_of(model, tokens(1'000, 0, 0)), 1'000 * 1.25e-6);
  EXPECT_DOUBLE_EQ(price_of(model, tokens(1'001, 0, 100)), 1'001 * 10e-6 + 100 * 20e-6);
}

TEST(price, the_worst_case_counts_a_token_a_byte_and_all_the_output) {
  llm_request request;
  request.system = std::string(100, 's');
  request.prompt = "ü"; // two bytes
  EXPECT_GE(input_token_bound(request), 102);
  EXPECT_GE(worst_case(priced(), request).usd, price_of(priced(), tokens(102, 0, 1'000)));
}

TEST(price, a_conversation_counts_with_all_that_is_said_in_it) {
  llm_request request;
  request.prompt = std::string(1000, 'x');
  auto alone = input_token_bound(request);
  request.follow_ups = {{std::string(300, 'y'), std::string(50, 'z')}};
  EXPECT_EQ(input_bytes(request), 1350);
  EXPECT_GE(input_token_bound(request), alone + 350);
}
