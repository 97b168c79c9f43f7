#pragma once

#include "tools/lathe/judging/row.hpp"

// Rows as an evaluator could have made them.

namespace lathe::judging::test {

inline verdict timed(double speedup, double low, double high, double milliseconds = 1) {
  verdict result;
  result.outcome = outcome::correct;
  result.timing.emplace();
  result.timing->candidate = milliseconds * 1e-3;
  result.timing->reference = speedup * milliseconds * 1e-3;
  result.timing->speedup = speedup;
  result.timing->low = low;
  result.timing->high = high;
  result.correctness = correctness{"fp32", "fp32", 1.1, 5, 2};
  result.stages = {{"screen", 0, 0, 0}, {"build", 0, 0, 0}};
  return result;
}

inline verdict failed(outcome how, std::string rule = {}, std::string evidence = "as it is") {
  verdict result;
  result.outcome = how;
  result.rule = std::move(rule);
  result.evidence = std::move(evidence);
  result.stages = {{"build", 0, 0, 0}};
  return result;
}

inline judgement said(std::vector<verdict> verdicts, std::string judge = "strict") {
  judgement result{std::move(judge), "5 input draws", {}, {}, {}};
  for (auto& x : verdicts)
    result.runs.push_back({std::move(x), {}});
  return result;
}

inline row row_of(const std::string& candidate, std::vector<verdict> verdicts) {
  return {"task.py", candidate, read_name(candidate), {said(std::move(verdicts))}};
}

} // namespace lathe::judging::test
