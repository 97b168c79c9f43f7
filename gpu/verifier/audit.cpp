#include "gpu/verifier/audit.hpp"

#include "gpu/verifier/structure.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

namespace lathe::verifier {

namespace {

using tensors = std::vector<at::Tensor>;

tensors tensors_of(const value& draw) {
  tensors result;
  for (auto& x : leaves(draw))
    result.push_back(x.tensor.is_complex() ? at::view_as_real(x.tensor) : x.tensor);
  return result;
}

// A way to answer without computing anything; `first` is what the same output was in draw 0.
struct trick {
  const char* name;
  const char* reason;
  at::Tensor (*make)(const at::Tensor& expected, const at::Tensor& first);
  bool needs_draws;    // means something only if there are several draws
  bool needs_elements; // means something only for outputs of several elements
};

at::Tensor zeros(const at::Tensor& expected, const at::Tensor&) {
  return at::zeros_like(expected);
}

at::Tensor mean(const at::Tensor& expected, const at::Tensor& first) {
  return at::full_like(expected, first.to(at::kDouble).mean().item());
}

at::Tensor first_draw(const at::Tensor&, const at::Tensor& first) {
  return first;
}

at::Tensor first_half(const at::Tensor& expected, const at::Tensor&) {
  auto result = expected.clone().flatten();
  result.narrow(0, result.numel() / 2, result.numel() - result.numel() / 2).zero_();
  return result.view(expected.sizes());
}

at::Tensor reversed(const at::Tensor& expected, const at::Tensor&) {
  return expected.flatten().flip(0).view(expected.sizes());
}

constexpr std::array<trick, 5> tricks{{
  {"zeros", "an answer of zeros passes", zeros, false, false},
  {"another draw's answer", "the outputs do not depend on the inputs", first_draw, true, false},
  {"the mean everywhere", "the same constant passes for every element", mean, false, true},
  {"half of it, then zeros", "half an answer passes, the rest left at zero", first_half, false, true},
  {"its elements reversed", "the elements in reversed order pass", reversed, false, true},
}};

std::vector<tensors> outputs_of(std::span<const value> draws) {
  std::vector<tensors> result;
  for (auto& draw : draws)
    result.push_back(tensors_of(draw));
  return result;
}

bool are_empty(const std::vector<tensors>& draws) {
  return std::all_of(draws.begin(), draws.end(), [](auto& draw) {
    return std::all_of(draw.begin(), draw.end(), [](auto& x) { return x.numel() == 0; });
  });
}

// Nothing when the outputs are such that the trick means nothing.
std::optional<bool> passes(const trick& trick, const std::vector<tensors>& draws,
                           const tolerance& allowed) {
  auto tried = false;
  for (std::size_t draw = trick.needs_draws ? 1 : 0; draw < draws.size(); ++draw) {
    if (draws[draw].size() != draws[0].size())
      return false;
    for (std::size_t i = 0; i < draws[draw].size(); ++i) {
      auto& expected = draws[draw][i];
      if (expected.numel() < (trick.needs_elements ? 2 : 1))
        continue;
      auto answer = trick.make(expected, draws[0][i]);
      if (answer.sizes() != expected.sizes()
          || !compare(expected, {}, answer, allowed, detail::verdict).agrees)
        return false;
      tried = true;
    }
  }
  return tried ? std::optional{true} : std::nullopt;
}

} // namespace

std::string audit(std::span<const value> draws, const tolerance& allowed) {
  auto outputs = outputs_of(draws);
  if (!outputs.empty() && outputs[0].empty())
    return "the reference returns no tensor";
  if (!outputs.empty() && are_empty(outputs))
    return "its outputs are empty, so any answer passes";
  for (auto& trick : tricks)
    if (passes(trick, outputs, allowed).value_or(false))
      return trick.reason;
  return {};
}

std::vector<trivial_answer> try_trivial_answers(std::span<const value> draws,
                                                const tolerance& allowed) {
  auto outputs = outputs_of(draws);
  std::vector<trivial_answer> result;
  for (auto& trick : tricks)
    result.push_back({trick.name, passes(trick, outputs, allowed)});
  return result;
}

} // namespace lathe::verifier
