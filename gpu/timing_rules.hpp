#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

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
/// calls, or 8 of each, and is sharp from about 20 and 100 on; mix both kinds at random.
std::optional<refusal> check_cached_output(std::span<const timed_call> candidate,
                                           std::span<const timed_call> reference);

/// Tells whether the calls show that the candidate is fast on never-seen inputs, too: a third of
/// them are within what `check_cached_output` allows over the fastest repeated calls around them.
/// Noise makes calls slower and never faster, so it does not clear who remembers some answers and
/// has to compute the others. Who is neither refused nor cleared is hidden by noise, and nothing
/// may be believed of its times. Where both sides' calls stand side by side, as in the pairs of a
/// race, it is also cleared when two thirds of the never-seen ones, each divided by the reference's
/// beside it, are within a quarter of what repeated ones are: that much a host's two speeds cannot
/// do for who computes twice as long on them. Calls stand in the order in which they were made. So
/// few that the rank test could refuse nobody clear nobody, either: 5 never-seen and 15 repeated
/// ones suffice, or 8 of each.
bool is_cleared_of_caching(std::span<const timed_call> candidate,
                           std::span<const timed_call> reference);

/// Refuses with `cached-output` a candidate that saves even a little on inputs it has seen: each
/// call is held against the repeated ones around it, so that the weather does not matter, and
/// never-seen inputs may take a tenth longer than repeated ones, beyond what the reference shows
/// and what noise explains. For calls of both kinds in places that are drawn by lot: then nothing
/// but what they are called with tells them apart. Refuses nobody with less than five never-seen
/// calls.
std::optional<refusal> check_small_savings(std::span<const timed_call> candidate,
                                           std::span<const timed_call> reference);

/// Refuses with `cached-output` a candidate that owes its speed-up to inputs it has seen: of its
/// never-seen calls less than a third as many are as much faster than the reference's beside them
/// as it is said to be, a tenth less will do, as of the repeated ones, and chance does not explain
/// that at three standard deviations. Finds who answers but some calls from a cache: a third of
/// them is enough to move the centre of the pairs, and too few for the rules above.
/// @param speedup what the race has found so far
std::optional<refusal> check_speedup(double speedup, std::span<const timed_call> candidate,
                                     std::span<const timed_call> reference);

/// Tells whether the speed-up shows call by call: two fifths of all calls are that much faster,
/// and of the never-seen ones a third as many as of the repeated ones at least; a tenth less will
/// do. Where it does not, the candidate is fast for a while and slow for a while on its own, and
/// nothing may be believed of its times.
bool is_speedup_steady(double speedup, std::span<const timed_call> candidate,
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
/// blocks does not move the median that ranks. With a dozen pairs of blocks it looks closer: pair
/// by pair the candidate may hide a tenth of the reference's time more than the reference does, 50
/// us, and what four standard errors allow. Blocks of both sides must have the same number of
/// calls; with fewer than five blocks a side nothing is refused.
/// @param chores share of what the reference hides that honest candidates may need more: what
///   becomes of outputs and graphs after a call differs on a GPU
std::optional<refusal> check_clocks(std::span<const block_clocks> candidate,
                                    std::span<const block_clocks> reference, double chores = 0);

/// Refuses with `clock-mismatch` a candidate that hides more time beside its calls with never-seen
/// inputs than beside others: a tenth of a call of the reference, 20 us, and what noise explains
/// are overlooked. What is beside a call includes that its output is copied, where foreign code may
/// find a way to run.
/// @param more [seconds] that the candidate hides than the reference does, call by call, of calls
///   whose outputs are copied
/// @param call the reference's median time
std::optional<refusal> check_hidden_work(std::span<const timed_call> more, double call);

/// Refuses with `unjoined-work` a candidate whose device work goes on after its last mark: on a
/// stream that nothing waits for, or launched by another thread. The marks are on the stream that
/// all ordinary streams wait for; the host's clock runs until the whole device is idle. Less than
/// 20 us or a tenth of a call, beyond what the reference shows, counts as time of the call and is
/// no offence.
/// @param candidate [seconds] from the last mark until the device was idle, by call; so `reference`
/// @param call the candidate's median time
std::optional<refusal> check_joined(std::vector<double> candidate, std::vector<double> reference,
                                    double call);

/// What a device did for one call.
struct device_trace {
  std::int64_t kernels = 0; ///< launched, on any stream and by any thread
  double late = 0;          ///< [seconds] by which the last of them ended after the call
  double busy = 0;          ///< [seconds] during which anything ran
};

/// Refuses with `late-work` a candidate whose device is busy after its call, and with
/// `no-device-work` one that launches nothing where the reference launches kernels.
std::optional<refusal> check_trace(const device_trace& candidate, std::int64_t reference_kernels);
/// Refuses with `below-roofline` a candidate that takes less time than the device needs to move the
/// data without which there is no answer.
/// @param call the candidate's median time
/// @param bound `sure_floor` of the task; 0: nothing is sure, and nobody is refused
/// @param bytes that have to be moved
std::optional<refusal> check_roofline(double call, double bound, double bytes);

/// Refuses with `background-work` a candidate whose processes use the processor when nobody asked
/// them to: a tenth of the time and 30 ms are overlooked.
/// @param cpu [seconds] that its processes used during the race
/// @param asked [seconds] that its requests took, times the processors that it may use
/// @param wall [seconds] of the race
std::optional<refusal> check_background(double cpu, double asked, double wall);

/// Refuses with `implausible-time` reported times that no call can take: nothing or less, not a
/// number, under 100 ns, or a block that adds up to more than the parent's clock saw (1 % allowed,
/// since a device counts its own time).
/// @param seconds the times that the evaluated process reports for one block
/// @param wall the same block, from request to reply, by the parent's own clock
std::optional<refusal> check_plausible(std::span<const double> seconds, double wall);

} // namespace lathe::gpu
