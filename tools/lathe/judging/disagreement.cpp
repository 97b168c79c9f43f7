#include "tools/lathe/judging/disagreement.hpp"

#include "tools/lathe/judging/words.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lathe::judging {

namespace {

// Of float32 eager's errors: more are no rounding of float32 any more (policy fp32).
constexpr double float32_errors = 8;

std::string allowance(const gpu::judge_rules& x) {
  if (x.tolerance == "kernelbench")
    return x.name + " 1e-4 (half types 1e-2) absolute and relative";
  if (x.tolerance == "pike")
    return x.name + " 1e-2 absolute and relative";
  if (x.tolerance == "fp32")
    return fmt::format("{} {:g} times float32 eager's", x.name, float32_errors);
  return fmt::format("{} what {} arithmetic shows", x.name, x.tolerance);
}

double error_of(const verdict& x) {
  return x.correctness ? x.correctness->error_ratio : 0;
}

// On its own draws, the accepting judge saw no better answer than the rejecting one, or the
// rejecting one asked for more than float32 can give.
bool is_about_tolerance(const ruling& accepts, const ruling& rejects) {
  if (accepts.rules.tolerance == rejects.rules.tolerance)
    return false;
  return error_of(accepts.verdict) > float32_errors || error_of(rejects.verdict) <= float32_errors;
}

std::string about_tolerance(const ruling& accepts, const ruling& rejects) {
  auto error = std::max(error_of(accepts.verdict), error_of(rejects.verdict));
  auto& precision = accepts.verdict.correctness;
  return fmt::format("tolerance: the error is {:.2g} times float32 eager's{}; {}, {}", error,
                     precision ? " (" + precision->precision_class + " class)" : "",
                     allowance(rejects.rules), allowance(accepts.rules));
}

// Which weights the first wrong answer belongs to.
bool is_on_later_weights(const ruling& x) {
  auto right = x.verdict.correctness ? x.verdict.correctness->input_draws : 0;
  return x.rules.input_draws.size() > 1
         && static_cast<std::size_t>(right) >= x.rules.input_draws.front();
}

// They looked at other things, and one of these was wrong.
std::string about_draws(const ruling& accepts, const ruling& rejects, const std::string& how) {
  auto& name = rejects.rules.name;
  if (accepts.rules.mode != rejects.rules.mode)
    return fmt::format("mode: {} in {}'s {} mode, right in {}'s {} mode", how, name,
                       rejects.rules.mode, accepts.rules.name, accepts.rules.mode);
  if (is_on_later_weights(rejects))
    return fmt::format("weights: {} with {}'s second weights; {} tries {} only", how, name,
                       accepts.rules.name,
                       accepts.rules.input_draws.size() == 1 ? "one" : "others");
  return fmt::format("draws: {} on one of {}'s {} input draws, right on {}'s {}", how, name,
                     rejects.rules.all_input_draws(), accepts.rules.name,
                     accepts.rules.all_input_draws());
}

std::string one_is_correct(const ruling& accepts, const ruling& rejects) {
  auto& found = rejects.verdict;
  switch (found.outcome) {
    case outcome::refused:
      return fmt::format("conduct: {} refuses it as {}; {} has no such rule", rejects.rules.name,
                         found.rule, accepts.rules.name);
    case outcome::unstable:
      return fmt::format("timing: {} found no time that it could trust", rejects.rules.name);
    case outcome::incorrect:
      return is_about_tolerance(accepts, rejects) ? about_tolerance(accepts, rejects)
                                                  : about_draws(accepts, rejects, "wrong");
    default:
      return about_draws(accepts, rejects, in_words(found.outcome));
  }
}

std::string procedure(const gpu::judge_rules& x) {
  if (!x.timing)
    return "medians of alternating blocks, inputs that change";
  return "means of one side after the other, the same inputs in every call";
}

enum class side { slower, tie, faster };

side side_of(const timing& x) {
  return x.tie() ? side::tie : x.low > 1 ? side::faster : side::slower;
}

std::string in_words(side x) {
  return x == side::tie ? "a tie" : x == side::faster ? "faster" : "slower";
}

std::string about_timing(const ruling& x, const ruling& y) {
  auto& a = x.verdict.timing;
  auto& b = y.verdict.timing;
  if (!a || !b || side_of(*a) == side_of(*b))
    return {};
  auto part = [](const ruling& r) {
    return fmt::format("{} for {} ({})", in_words(side_of(*r.verdict.timing)), r.rules.name,
                       procedure(r.rules));
  };
  return fmt::format("timing: {}, {}", part(x), part(y));
}

} // namespace

std::string why_they_differ(const ruling& x, const ruling& y) {
  auto a = x.verdict.correct();
  auto b = y.verdict.correct();
  if (a && b)
    return about_timing(x, y);
  if (a != b)
    return a ? one_is_correct(x, y) : one_is_correct(y, x);
  return {};
}

std::vector<std::string> disagreements(const row& x, const std::vector<gpu::judge_rules>& judges) {
  std::vector<std::string> result;
  auto* first = x.judgements.front().verdict();
  for (std::size_t i = 1; i < x.judgements.size() && first != nullptr; ++i)
    if (auto* other = x.judgements[i].verdict())
      if (auto why = why_they_differ({*first, judges.front()}, {*other, judges[i]}); !why.empty())
        result.push_back(std::move(why));
  return result;
}

} // namespace lathe::judging
