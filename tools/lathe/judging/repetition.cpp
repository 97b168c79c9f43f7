#include "tools/lathe/judging/repetition.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace lathe::judging {

namespace {

double spread(const std::vector<double>& values) {
  if (values.empty())
    return 0;
  auto [smallest, largest] = std::ranges::minmax(values);
  return (largest - smallest) / gpu::median(values);
}

std::string name_of(const verdict& x) {
  return x.rule.empty() ? to_string(x.outcome)
                        : fmt::format("{} ({})", to_string(x.outcome), x.rule);
}

} // namespace

std::optional<repetition> compare_runs(const judgement& x) {
  if (x.runs.size() < 2)
    return std::nullopt;
  repetition result;
  result.verdicts = static_cast<std::int32_t>(x.runs.size());
  std::map<std::string, std::int32_t> counts;
  std::vector<double> medians;
  std::vector<double> speedups;
  for (auto& run : x.runs) {
    ++counts[name_of(run.verdict)];
    if (run.verdict.timing) {
      medians.push_back(run.verdict.timing->candidate);
      speedups.push_back(run.verdict.timing->speedup);
    }
  }
  result.agree = counts.size() == 1;
  std::vector<std::pair<std::string, std::int32_t>> sorted{counts.begin(), counts.end()};
  std::ranges::stable_sort(sorted, std::greater{}, &std::pair<std::string, std::int32_t>::second);
  for (auto& [name, count] : sorted)
    result.said.push_back(fmt::format("{} {}", count, name));
  result.timed = static_cast<std::int32_t>(medians.size());
  result.medians = spread(medians);
  result.speedups = spread(speedups);
  return result;
}

std::string in_words(const repetition& x) {
  auto result = x.agree ? fmt::format("{} verdicts agree", x.verdicts)
                        : fmt::format("verdicts disagree: {}", fmt::join(x.said, ", "));
  if (x.timed > 1)
    result += fmt::format(", medians within {:.2g} %, speed-ups within {:.2g} %", x.medians * 100,
                          x.speedups * 100);
  return result;
}

} // namespace lathe::judging
