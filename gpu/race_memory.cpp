#include "gpu/race_memory.hpp"

#include <algorithm>

namespace lathe::gpu {

namespace {

// All that are held should fit this, if they are not the fewest.
constexpr std::size_t held_bytes = std::size_t{1} << 30;
constexpr std::size_t fewest_held = 2;

// Outputs of so many timed calls are kept. Those for new inputs are nearly all of them: whether a
// candidate lives from answers that it has is seen in these calls alone, and who is wrong in half
// of the calls, which is what it takes to move a median, is wrong in half of these.
constexpr std::size_t most_kept = 20;
constexpr std::size_t fewest_kept = 5;
constexpr std::size_t kept_bytes = 512 << 20; // all of them together, where the fewest fit
constexpr double share_of_new_inputs = 0.8;

} // namespace

std::size_t race_memory::inputs_held() const {
  return std::min(draws, std::max(fewest_held, held_bytes / std::max<std::size_t>(1, input)));
}

std::size_t race_memory::outputs_kept() const {
  return std::clamp(kept_bytes / std::max<std::size_t>(1, output), fewest_kept, most_kept);
}

std::size_t race_memory::outputs_of_new_inputs() const {
  auto share = share_of_new_inputs * static_cast<double>(outputs_kept());
  return std::min(draws, static_cast<std::size_t>(share));
}

std::size_t race_memory::input_bytes() const {
  return (std::max<std::size_t>(1, inputs_held()) - 1) * input;
}

std::size_t race_memory::bytes() const {
  return input_bytes() + outputs_kept() * output;
}

bool race_memory::is_large() const {
  return bytes() > held_bytes + kept_bytes;
}

} // namespace lathe::gpu
