#pragma once

#include "gpu/evaluation_site.hpp"
#include "gpu/lease_source.hpp"
#include "gpu/quiet_hold.hpp"
#include "gpu/race_inputs.hpp"
#include "gpu/stopping_rule.hpp"
#include "gpu/task_oracle.hpp"
#include "gpu/throttle_watch.hpp"
#include "gpu/timing_rules.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <map>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace lathe::gpu {

/// What a race found.
struct race_result {
  std::optional<lathe::timing> timing; ///< none: no interval could be had
  std::optional<refusal> refused;
  bool may_be_noise = false; ///< it was refused for what clocks say, which a gust may say, too
  std::optional<failure> failed;       ///< the candidate broke while it was timed
  std::string doubt;                   ///< why its times are not to be believed
  std::optional<failure> broken;       ///< the reference broke: nobody's verdict
  std::map<std::size_t, const input_draw*> kept; ///< by slot: whose outputs the candidate has kept
  std::vector<double> seconds;         ///< the candidate's calls
  double wall = 0;                     ///< [seconds] of the exclusive lease
  bool disturbed = false; ///< some counts that was timed beside a neighbour on the host
};

/// Times a candidate against the reference in alternating blocks, each in its own process, within
/// one exclusive lease. The order of the inputs is drawn at random and the same for both; some of
/// them the candidate has never seen, and cannot see before the call that gets them: it has no way
/// to tell such a call from those that count for its speed but by what it is called with. Both
/// sides' reports are held against the clock of this process.
class race {
public:
  /// @param quiet holds both sides, and lives as long as this
  race(evaluation_site& site, task_oracle& oracle, worker_process& candidate, quiet_hold& quiet,
       const stopping_options& options);

  /// Runs with the candidate in the state that the check left it in.
  race_result run();

private:
  using block_plan = race_inputs::block;

  /// One side's answer to a block.
  struct lap {
    reply answer;
    std::vector<double> seconds; ///< of each call, until the device was idle
    std::vector<double> after;   ///< of these after its last mark
    std::vector<double> hidden;  ///< beside these, by our clock, until the next call was asked for
    block_clocks clocks;
  };

  /// Asks both sides the same.
  bool ask(const boost::json::object& request, std::span<const int> fds);
  bool ask_candidate(const boost::json::object& request, std::span<const int> fds);
  bool ask_reference(const boost::json::object& request, std::span<const int> fds);
  bool reserve();
  bool warm_up();
  std::size_t calls_for(double seconds) const;
  bool pair_of_blocks();
  std::optional<clock_reading> read_clock() const;
  bool rest();
  bool is_calm();
  bool can_be_spared(const block_plan& x, double seconds) const;
  bool settle_elsewhere();
  bool run_up();
  bool run_aside();
  std::size_t skipped() const;
  lap run_block(worker_process& runner, const block_plan& x) const;
  bool hand_over();
  bool give(const input_draw& draw);
  bool keep(const block_plan& x, const lap& candidate);
  bool accept(const block_plan& x, const lap& reference, const lap& candidate);
  void record(const block_plan& x, const lap& reference, const lap& candidate);
  void choose_first();
  bool is_finished() const;
  race_blocks missing_blocks() const;
  bool is_hopeless() const;
  double speedup() const;
  const char* why_doubtful() const;
  void trace_calls() const;
  void judge(double cpu);

  evaluation_site& site_;
  task_oracle& oracle_;
  worker_process& candidate_;
  quiet_hold& quiet_;
  race_memory memory_;
  stopping_rule rule_;
  throttle_watch throttle_;
  std::optional<clock_reading> reading_; // before the next pair
  double aside_ = 0; // [seconds] that are none of the budget's: rests, inputs handed over
  double budget_;    // [seconds]
  std::mt19937_64 random_;
  race_inputs inputs_;
  std::size_t calls_ = 0; // a block
  bool calls_are_short_ = false;
  std::vector<timed_call> candidate_calls_; // but for those that are skipped
  std::vector<timed_call> reference_calls_;
  std::vector<double> candidate_after_; // [seconds] of calls after their last marks
  std::vector<double> reference_after_;
  std::vector<block_clocks> candidate_clocks_;
  std::vector<block_clocks> reference_clocks_;
  std::vector<timed_call> hidden_more_; // beside the calls, than with the reference
  std::chrono::steady_clock::time_point began_;
  race_blocks seen_; // that count
  std::size_t pairs_ = 0;
  bool reference_first_ = true; // in the next pair
  std::size_t compilations_ = 0;
  double asked_ = 0;           // [seconds] that the candidate was busy at our request
  double asked_reference_ = 0; // so
  double copying_ = 0;         // [seconds] of processor time that its other threads had for inputs
  race_result result_;
};

} // namespace lathe::gpu
