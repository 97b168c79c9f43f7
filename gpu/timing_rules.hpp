#pragma once

#include <optional>
#include <span>
#include <string>

// Refusals that need nothing but numbers. Pure; all times are in seconds.

namespace lathe::gpu {

/// A rule that was broken.
struct refusal {
  std::string rule;     ///< "cached-output"
  std::string evidence; ///< a sentence with the numbers
};

/// One timed call.
struct timed_call {
  double seconds = 0;
  bool first_visit = false; ///< its inputs were never seen by this process before
};

/// Refuses with `cached-output` a candidate that is fast only on inputs it has seen.
///
/// Refuses when never-seen inputs take more than 1.5 times as long as repeated ones, and neither of
/// the two innocent explanations holds: that fresh inputs are slow for everybody (the reference's
/// calls, made in the same order, show how much, as far as their noise allows), or chance (a
/// one-sided rank test of Mann and Whitney at three standard deviations, which the odd slow call
/// does not move). The test cannot reach that with less than about 5 never-seen and 15 repeated
/// calls, and is sharp from about 20 and 100 on; mix both kinds at random.
std::optional<refusal> check_cached_output(std::span<const timed_call> candidate,
                                           std::span<const timed_call> reference);

/// Tells whether the calls show that the candidate is fast on never-seen inputs, too: a third of
/// them are within what `check_cached_output` allows over the fastest repeated calls around them.
/// Noise makes calls slower and never faster, so it does not clear who remembers some answers and
/// has to compute the others. Who is neither refused nor cleared is hidden by noise, and nothing may
/// be believed of its times. Calls stand in the order in which they were made; with less than 5
/// never-seen and 15 repeated ones nobody is cleared.
bool is_cleared_of_caching(std::span<const timed_call> candidate,
                           std::span<const timed_call> reference);

/// One block of calls, by two clocks.
struct block_clocks {
  double reported = 0; ///< the sum of the times that the evaluated process reports
  double wall = 0;     ///< from request to reply, by the parent's own clock
};

/// Refuses with `clock-mismatch` a candidate whose blocks take the parent much longer than the
/// candidate says. Copying inputs, flushing caches and the way there and back hide some time on
/// both sides; the candidate may hide twice as much as the reference does, plus 2 ms. Judges
/// medians over blocks: one delayed reply is no evidence, and who cheats in less than half of the
/// blocks does not move the median that ranks. Blocks of both sides must have the same number of
/// calls; with fewer than five blocks a side nothing is refused.
std::optional<refusal> check_clocks(std::span<const block_clocks> candidate,
                                    std::span<const block_clocks> reference);

/// Refuses with `implausible-time` reported times that no call can take: nothing or less, not a
/// number, under 100 ns, or a block that adds up to more than the parent's clock saw (1 % allowed,
/// since a device counts its own time).
/// @param seconds the times that the evaluated process reports for one block
/// @param wall the same block, from request to reply, by the parent's own clock
std::optional<refusal> check_plausible(std::span<const double> seconds, double wall);

} // namespace lathe::gpu
