#include "tools/lathe/judging/noise.hpp"

#include "gpu/evaluation.hpp"
#include "gpu/local_leases.hpp"
#include "gpu/task_preparation.hpp"
#include "messages/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lathe::judging {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t fewest_verdicts = 3;

// A difference that small is nobody's noise: intervals allow for 4 % that two processes differ in.
constexpr double quiet = 0.05;

constexpr auto program = R"(import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, features, layers):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(features, features) for _ in range(layers))

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return x


def get_inputs():
    return [torch.randn({batch}, {features})]


def get_init_inputs():
    return [{features}, {layers}]
)";

std::string mlp(int batch, int features, int layers) {
  auto result = std::string{program};
  auto fill = [&](std::string_view name, int value) {
    for (std::size_t at; (at = result.find(name)) != std::string::npos;)
      result.replace(at, name.size(), std::to_string(value));
  };
  fill("{batch}", batch);
  fill("{features}", features);
  fill("{layers}", layers);
  return result;
}

std::string as_candidate(std::string source) {
  constexpr std::string_view name = "class Model(";
  return source.replace(source.find(name), name.size(), "class ModelNew(");
}

caf::expected<std::vector<verdict>> judge_often(const noise_program& x, gpu::evaluation_site& site,
                                                double seconds) {
  gpu::local_leases leases;
  auto oracle = gpu::prepare_oracle({x.name, x.name + ".py", x.source}, site, leases);
  if (!oracle)
    return std::move(oracle.error());
  if (auto error = gpu::measure_baselines(**oracle, site, leases, {}))
    return error;
  std::vector<verdict> result;
  auto end = clock::now() + std::chrono::duration<double>(seconds);
  while (result.size() < fewest_verdicts || clock::now() < end) {
    // A session of its own, since a verdict is remembered.
    evaluation_request request{fmt::format("{}-{}", x.name, result.size()),
                               1,
                               {"unchanged", as_candidate(x.source), ""},
                               0,
                               false};
    gpu::evaluation evaluation{request, (*oracle)->rules(), [&] { return oracle; }, site, leases};
    auto found = evaluation.run();
    if (!found)
      return std::move(found.error());
    result.push_back(std::move(*found));
  }
  return result;
}

} // namespace

std::vector<noise_program> noise_programs() {
  return {{"launch-bound", mlp(1, 16, 8)}, {"mid-sized", mlp(256, 512, 3)}};
}

noise_figures figures_of(const std::string& name, const std::vector<verdict>& verdicts) {
  noise_figures result;
  result.program = name;
  std::vector<double> references;
  std::vector<double> candidates;
  for (auto& x : verdicts) {
    if (!x.timing) {
      ++result.untimed;
      continue;
    }
    auto& time = *x.timing;
    ++result.verdicts;
    ++(time.tie() ? result.ties : time.low > 1 ? result.wins : result.losses);
    references.push_back(time.reference);
    candidates.push_back(time.candidate);
    result.widest_interval = std::max(result.widest_interval, gpu::relative_half_width(time));
    result.farthest = std::max({result.farthest, time.high - 1, 1 - time.low});
  }
  if (candidates.empty())
    return result;
  auto [smallest, largest] = std::ranges::minmax(candidates);
  result.medians = (largest - smallest) / gpu::median(candidates);
  result.reference = gpu::median(std::move(references));
  return result;
}

std::string advice(const std::vector<noise_figures>& x) {
  double farthest = 0;
  std::int32_t wrong = 0;
  std::int32_t verdicts = 0;
  std::int32_t untimed = 0;
  for (auto& program : x) {
    farthest = std::max(farthest, program.farthest);
    wrong += program.wins + program.losses;
    verdicts += program.verdicts;
    untimed += program.untimed;
  }
  if (untimed > 0)
    return fmt::format("{} of {} verdicts on unchanged models had no usable time: something else "
                       "works on this host; stop it and measure again.",
                       untimed, untimed + verdicts);
  // Intervals of 95 % leave out the truth once in twenty times, and seldom by much.
  if (wrong * 10 > verdicts || farthest > 0.1)
    return fmt::format("This host is too noisy to trust: an unchanged model was no tie in {} of {} "
                       "verdicts and looked up to {:.1f} % off; stop other work, or take only "
                       "speed-ups beyond {:.2f}x for real.",
                       wrong, verdicts, farthest * 100, 1 + 2 * farthest);
  if (farthest <= quiet)
    return fmt::format("This host is quiet: speed-ups from {:.2f}x on can be told from noise.",
                       1 + std::ceil(quiet * 100) / 100);
  return fmt::format("Speed-ups under {:.2f}x cannot be told from noise on this host; less other "
                     "work or a larger --time-budget brings that down.",
                     1 + std::ceil(farthest * 100) / 100);
}

caf::expected<std::vector<noise_figures>> measure_noise(gpu::evaluation_site& site,
                                                        double seconds_each) {
  std::vector<noise_figures> result;
  for (auto& x : noise_programs()) {
    auto verdicts = judge_often(x, site, seconds_each);
    if (!verdicts)
      return std::move(verdicts.error());
    result.push_back(figures_of(x.name, *verdicts));
  }
  return result;
}

} // namespace lathe::judging
