#include "gpu/stopping_rule.hpp"

#include <algorithm>
#include <utility>

namespace lathe::gpu {

namespace {

// Pairs, or this share of the budget, before anybody is hopeless.
constexpr std::size_t hopeless_blocks = 12;
constexpr double hopeless_share = 0.25;

} // namespace

stopping_rule::stopping_rule(stopping_options options) : options_(options) {
  // nop
}

void stopping_rule::add(block reference, block candidate, double elapsed) {
  reference_samples_ += reference.size();
  candidate_samples_ += candidate.size();
  reference_.push_back(std::move(reference));
  candidate_.push_back(std::move(candidate));
  auto pairs = reference_.size();
  if (!is_finished() && elapsed < options_.patience)
    return;
  auto out_of_time = elapsed >= options_.budget && pairs >= fewest_blocks;
  if (pairs < next_look_ && (is_finished() || !out_of_time))
    return;
  next_look_ = pairs + std::max<std::size_t>(1, pairs / 8);
  result_ = ratio_interval(reference_, candidate_);
  if (is_finished())
    return;
  if (precise())
    reason_ = stop_reason::precise;
  else if (clear())
    reason_ = stop_reason::clear;
  else if (hopeless(elapsed))
    reason_ = stop_reason::hopeless;
  else if (out_of_time)
    reason_ = stop_reason::out_of_time;
}

bool stopping_rule::narrower_than(double half_width) const {
  return result_ && std::min(reference_samples_, candidate_samples_) >= options_.fewest_samples
         && relative_half_width(*result_) <= half_width;
}

bool stopping_rule::precise() const {
  return narrower_than(options_.half_width);
}

bool stopping_rule::clear() const {
  return narrower_than(options_.clear_half_width)
         && (result_->low > 1 + options_.clear_distance
             || result_->high < 1 - options_.clear_distance);
}

// A gust of the host's may hit one side in all of the first few short pairs.
bool stopping_rule::hopeless(double elapsed) const {
  auto seen_enough =
    reference_.size() >= hopeless_blocks || elapsed >= hopeless_share * options_.budget;
  return seen_enough && result_ && result_->high < options_.hopeless;
}

} // namespace lathe::gpu
