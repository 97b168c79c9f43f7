#include "tools/lathe/judging/words.hpp"

#include "runtime/report.hpp"
#include "tools/lathe/judging/repetition.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lathe::judging {

namespace {

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::string indented(std::string text, std::size_t width) {
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += width + 1)
    text.replace(at, 1, "\n" + std::string(width, ' '));
  return text;
}

std::string proof(const correctness& x) {
  return fmt::format("{} class · {} input draw{}, {} weight draw{}, worst error {:.2g}x eager's",
                     x.precision_class, x.input_draws, x.input_draws == 1 ? "" : "s",
                     x.weight_draws, x.weight_draws == 1 ? "" : "s", x.error_ratio);
}

} // namespace

std::string in_words(outcome x) {
  auto result = to_string(x);
  std::ranges::replace(result, '_', ' ');
  return result;
}

std::string brief(const judgement& x) {
  auto* found = x.verdict();
  return (found != nullptr && found->correct() && found->timing ? "correct " : "") + briefest(x);
}

std::string briefest(const judgement& x) {
  auto* found = x.verdict();
  if (found == nullptr)
    return "no verdict";
  if (found->correct() && found->timing)
    return runtime::format_speedup(*found->timing);
  return in_words(found->outcome) + (found->rule.empty() ? "" : ": " + found->rule);
}

std::string note(const judgement& x) {
  auto* found = x.verdict();
  if (found == nullptr)
    return first_line(describe(x.problem));
  std::vector<std::string> parts;
  if (!x.degenerate.empty())
    parts.push_back("degenerate task");
  if (auto repeated = compare_runs(x))
    parts.push_back(in_words(*repeated));
  if (!found->profile.empty()) // begins with the bottleneck's name
    parts.push_back(found->profile.substr(0, found->profile.find_first_of(":\n")));
  if (found->correct() && found->correctness)
    parts.push_back(found->correctness->precision_class + " class");
  else if (!found->evidence.empty())
    parts.push_back(first_line(found->evidence));
  if (auto taste = runtime::format_taste(*found); found->correct() && !taste.empty())
    parts.push_back(std::move(taste));
  if (found->correct() && found->timing)
    if (auto against = runtime::format_baselines(x.baselines, found->timing->speedup);
        !against.empty())
      parts.push_back(std::move(against));
  if (found->timing && found->timing->throttled > 0)
    parts.push_back(runtime::format_throttled(*found->timing));
  return fmt::format("{}", fmt::join(parts, " · "));
}

std::string in_full(const row& x, const judgement& y) {
  auto* found = y.verdict();
  if (found == nullptr)
    return fmt::format("{:<12}  {}\n{:<12}  {}\n", "no verdict", x.candidate, "",
                       indented(describe(y.problem), 14));
  std::string result;
  if (found->correct() && found->timing) {
    auto& time = *found->timing;
    result = fmt::format("{:<12}  {}  {} -> {}  {}\n", "correct", runtime::format_speedup(time),
                         runtime::format_ms(time.reference), runtime::format_ms(time.candidate),
                         x.candidate);
    if (found->correctness)
      result += fmt::format("{:<12}  {}\n", "", proof(*found->correctness));
    if (auto against = runtime::format_baselines(y.baselines, time.speedup); !against.empty())
      result += fmt::format("{:<12}  against: {}\n", "", against);
    if (auto taste = runtime::format_taste(*found); !taste.empty())
      result += fmt::format("{:<12}  {}\n", "", taste);
    for (auto& line : {runtime::format_floor(time), runtime::format_throttled(time)})
      if (!line.empty())
        result += fmt::format("{:<12}  {}\n", "", line);
  } else {
    auto what = in_words(found->outcome) + (found->rule.empty() ? "" : " (" + found->rule + ")");
    result =
      fmt::format("{:<12}  {}\n{:<12}  {}\n", what, x.candidate, "", indented(found->evidence, 14));
  }
  if (auto repeated = compare_runs(y))
    result += fmt::format("{:<12}  {}\n", "", in_words(*repeated));
  if (!found->profile.empty())
    result += fmt::format(
      "{:<12}  {}\n", "",
      indented(found->profile.substr(0, found->profile.find_last_not_of('\n') + 1), 14));
  return result;
}

} // namespace lathe::judging
