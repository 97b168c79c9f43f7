#include "gpu/verifier/judge.hpp"

#include "gpu/verifier/error_pattern.hpp"
#include "gpu/verifier/structure.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

namespace lathe::verifier {

namespace {

comparison disagree(std::string evidence) {
  return {false, std::move(evidence), worst_ratio, to_string(precision::worse)};
}

at::Tensor as_real(const at::Tensor& x) {
  return x.is_complex() ? at::view_as_real(x) : x;
}

std::vector<leaf> real_leaves(const value& tree) {
  auto result = leaves(tree);
  for (auto& x : result)
    x.tensor = as_real(x.tensor);
  return result;
}

// Returns no tensors where the correction does not fit.
std::vector<leaf> correction_leaves(const value* correction, const std::vector<leaf>& expected) {
  if (!correction)
    return {};
  auto result = real_leaves(*correction);
  auto fits = std::ranges::equal(result, expected, [](const leaf& a, const leaf& b) {
    return a.tensor.sizes() == b.tensor.sizes();
  });
  return fits ? result : std::vector<leaf>{};
}

// Adds one output's result; the first output that is off is the one described.
void add(comparison& sum, precision& worst, const tensor_comparison& found) {
  sum.agrees = sum.agrees && found.agrees;
  sum.error_ratio = std::max(sum.error_ratio, found.ratio);
  worst = std::max(worst, found.measured);
}

} // namespace

comparison judge(const value& expected, const value* correction, const value& got,
                 const tolerance& allowed, detail said) {
  if (auto difference = structure_difference(expected, got); !difference.empty())
    return disagree(std::move(difference));
  auto references = real_leaves(expected);
  auto answers = real_leaves(got);
  auto corrections = correction_leaves(correction, references);
  comparison result{true, {}, 0, {}};
  auto worst = precision::fp32;
  std::vector<std::string> also_off;
  for (std::size_t i = 0; i < references.size(); ++i) {
    auto& reference = references[i];
    auto& answer = answers[i].tensor;
    auto wanted = result.evidence.empty() ? said : detail::verdict;
    auto found =
      compare(reference.tensor, corrections.empty() ? at::Tensor{} : corrections[i].tensor, answer,
              allowed, wanted);
    add(result, worst, found);
    if (found.agrees || said == detail::verdict)
      continue;
    if (wanted == detail::verdict) {
      also_off.push_back(reference.name);
      continue;
    }
    auto where = found.off.device();
    result.evidence = describe_errors({reference.name, reference.tensor.to(where)},
                                      answer.to(where), found, allowed.policy);
  }
  if (result.agrees)
    result.evidence =
      fmt::format("worst error {} times float32 eager's", brief(result.error_ratio));
  if (!also_off.empty())
    result.evidence += fmt::format("\nalso off: {}", fmt::join(also_off, ", "));
  result.precision_class = to_string(worst);
  return result;
}

comparison unreadable(const std::string& problem) {
  return disagree("the answer cannot be read: " + problem);
}

} // namespace lathe::verifier
