#include "gpu/forbidden_work.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace lathe::gpu {

namespace {

bool holds(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string percent(double share) {
  return fmt::format("{:.3g} %", share * 100);
}

std::string shares(const device_work& x) {
  return fmt::format("of the device's time {} went to kernels of its own, {} to libraries' and {} "
                     "to torch's",
                     percent(x.own), percent(x.library), percent(x.framework));
}

// Nothing may be said of shares where nothing took any time.
bool has_shares(const device_work& x) {
  return x.own + x.library + x.framework > 0;
}

} // namespace

const std::vector<std::string>& matters_of_taste() {
  static const std::vector<std::string> result{"graphs", "libraries", "fallback", "folding"};
  return result;
}

const std::vector<std::string>& matters_of_devices() {
  static const std::vector<std::string> result{"graphs", "libraries", "fallback"};
  return result;
}

std::string unseen_on_cpu(const std::vector<std::string>& forbid) {
  std::vector<std::string> unseen;
  for (auto& x : matters_of_devices())
    if (holds(forbid, x))
      unseen.push_back(x);
  if (unseen.empty())
    return {};
  return fmt::format("{} cannot be seen on a CPU, and so not be forbidden there: only folding can",
                     fmt::join(unseen, ", "));
}

bool falls_back(const device_work& x) {
  return has_shares(x) && x.own < negligible_share;
}

std::optional<refusal> check_forbidden(const std::vector<std::string>& forbid,
                                       const std::optional<device_work>& work,
                                       const std::optional<bool>& folds) {
  if (work && work->graphs && holds(forbid, "graphs"))
    return refusal{"forbidden-graphs", fmt::format("its call replays a CUDA graph ({} kernels), "
                                                   "and graphs are forbidden here",
                                                   work->kernels)};
  if (work && work->library >= negligible_share && holds(forbid, "libraries"))
    return refusal{"forbidden-libraries",
                   shares(*work) + ", and kernels of libraries are forbidden here"};
  if (work && falls_back(*work) && holds(forbid, "fallback"))
    return refusal{"forbidden-fallback",
                   shares(*work) + ": it falls back on torch, which is forbidden here"};
  if (folds.value_or(false) && holds(forbid, "folding"))
    return refusal{
      "forbidden-folding",
      "its answer was still that of the old weights when all of them had been changed: it "
      "comes from copies, and folding is forbidden here"};
  return std::nullopt;
}

} // namespace lathe::gpu
