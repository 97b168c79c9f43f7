#pragma once

#include "llm_clients/protocol.hpp"
#include "llm_clients/rate_limit.hpp"
#include "messages/llm.hpp"
#include "messages/topology.hpp"

#include <cstdint>
#include <string>

namespace lathe::llm_clients {

/// Returns the size of all that a question says [bytes].
std::int64_t input_bytes(const llm_request& request);

/// Returns a number of input tokens that the provider cannot exceed for `request`.
/// Every tokenizer in use (byte-level BPE, SentencePiece with byte fallback) makes at most one
/// token of a byte; a fixed allowance a message covers the chat template around it.
std::int64_t input_token_bound(const llm_request& request);

/// Returns how many tokens a call is likely to take, for rate limits, which servers reckon with,
/// too.
call_tokens likely_tokens(const model_config& model, const llm_request& request);

/// Returns what a call costs at the model's prices [USD]: at those for long prompts where its
/// prompt is one. Cached input, and what is put into the cache, cost what other input costs where
/// they have no price of their own.
double price_of(const model_config& model, const token_usage& tokens);

/// Returns in words what a model's tokens cost and who says so; empty when nobody does.
std::string describe_price(const model_config& model);

/// Returns the most that one call can take, in tokens and money: the bound on its input, and its
/// output at the model's maximum.
spend worst_case(const model_config& model, const llm_request& request);

} // namespace lathe::llm_clients
