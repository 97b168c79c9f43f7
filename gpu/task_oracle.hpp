#pragma once

#include "gpu/evaluation_site.hpp"
#include "gpu/inputs_ahead.hpp"
#include "gpu/judge_rules.hpp"
#include "gpu/lease_source.hpp"
#include "gpu/least_seen.hpp"
#include "gpu/processes/shared_memory.hpp"
#include "gpu/race_memory.hpp"
#include "gpu/reference_memory.hpp"
#include "gpu/roofline.hpp"
#include "messages/task.hpp"

#include <cstdint>
#include <limits>
#include <mutex>
#include <span>
#include <vector>

namespace lathe::gpu {

/// How many times the error of float32 eager an answer may be off (policy fp32).
inline constexpr double allowed_error = 8;

/// One construction of the model: candidate and reference get the same seed and arguments.
struct weight_draw {
  std::int64_t seed = 0;
  shared_memory arguments;
};

/// One draw of a task's inputs, with what the reference answers.
struct input_draw {
  std::string name;        ///< as both workers call it
  std::size_t weights = 0; ///< index of the weight draw that the answers belong to
  shared_memory inputs;    ///< locked, if there is a key
  shared_memory expected; ///< of the float32 run
  /// What a float64 run adds to `expected`, in bfloat16; none where the model cannot do it.
  std::optional<shared_memory> correction;
  std::optional<input_key> key = std::nullopt; ///< that opens the inputs
};

/// Returns the request that gives a worker inputs to keep under that name, open: the file that goes
/// with it is locked if there is a key.
boost::json::object request_to_keep(const std::string& name, const std::optional<input_key>& key);

/// The priority of leases for a task's audit and its eager time: candidates wait for that.
inline constexpr auto preparing = std::numeric_limits<std::int32_t>::max();

/// How large a file for a candidate's answer to a draw is [bytes]: room for the right answer, and
/// for the longer header that a wrong one may need.
std::size_t size_of_answer(const input_draw& draw);

/// Returns what the verifier is to be asked about an answer to a draw.
verifier::comparison_request compared(const input_draw& draw, const std::string& policy, double k,
                                      const shared_memory& answer);

/// A task's reference in a process of its own, with secret draws of inputs and weights. It never
/// loads a candidate. The draws are made once and serve all candidates of the run: a candidate's
/// process is used once, so what one of them saw does not help the next.
class task_oracle {
public:
  /// Loads the task and runs it on every draw. Fails with `bad_task` and a sentence that names the
  /// line where there is one. Its work is frozen while others are timed; what the verifier does is
  /// not, and has a lease. A process that is killed meanwhile is replaced, once, and a GPU that is
  /// full is waited for until nobody else prepares or is judged there.
  static caf::expected<std::shared_ptr<task_oracle>>
  prepare(const task& subject, evaluation_site& site, judge_rules rules, lease_source& leases);

  const task& subject() const {
    return subject_;
  }

  const judge_rules& rules() const {
    return rules_;
  }

  // -- draws ------------------------------------------------------------------------------

  std::span<const weight_draw> weights() const {
    return weights_;
  }

  /// Draws for the check, in the order of their weights.
  std::span<const input_draw> checked() const {
    return checked_;
  }

  /// Draws that a candidate sees for the first time while it is timed, locked. They belong to the
  /// last weight draw, as do the last of `checked()`.
  std::span<const input_draw> timed() const {
    return timed_;
  }

  /// What a race takes beside what calls take.
  race_memory memory_of_race() const;

  // -- the reference's speed ------------------------------------------------------------------

  /// The tag of its process among those that may be frozen.
  const std::string& tag() const {
    return tag_;
  }

  /// The process, with the last weight draw constructed and all of `checked()` that belong to those
  /// weights known by name. Its user holds `mutex()` and an exclusive lease.
  worker_process& process() {
    return *worker_.process;
  }

  /// Gives the process the inputs of a draw, in the place of those that have this name.
  reply give(const input_draw& draw, const std::string& name);

  /// To be called when it has been timed: on a GPU, and where it is much, its process gives back
  /// the memory that this took, which is for the next reference. Who finds it broken then revives
  /// it.
  void end_timing();

  /// Replaces the process by a new one in the same state, which has been called. The caller holds
  /// `mutex()`.
  caf::error revive();

  /// Makes another process with the reference: the last weight draw is constructed, and it knows
  /// the inputs of the first and the last of `timed()`. For what would leave traces in the oracle's
  /// own process, which is timed.
  /// @param preload Python modules to have imported beforehand
  caf::expected<site_worker> spawn_twin(const std::string& role, const std::string& tag,
                                        const std::vector<std::string>& preload = {}) const;

  std::mutex& mutex() {
    return mutex_;
  }

  /// Who wants a process of its own to be timed against holds this from its revival until it has
  /// been timed: no other process comes in between. Taken before a lease and before `mutex()`.
  std::mutex& renewal() {
    return renewal_;
  }

  /// What a candidate is likely to take of the device's memory [bytes]: as much as the reference
  /// did, with what a race takes beside. 0 on the CPU.
  std::int64_t needed_memory() const {
    return memory_.needed(memory_of_race());
  }

  /// The same for a candidate that holds so much between its calls.
  std::int64_t needed_memory(std::int64_t held) const {
    return memory_.needed(memory_of_race(), held);
  }

  /// The same for a first call, and for what stays when that has ended.
  std::int64_t memory_of_call() const {
    return memory_.of_call();
  }

  std::int64_t memory_between_calls() const {
    return memory_.between_calls();
  }

  /// What one answer takes of the host's memory [bytes].
  std::int64_t answer_bytes() const {
    return static_cast<std::int64_t>(output_bytes_);
  }

  // -- what is known about the task -----------------------------------------------------------

  task_profile profile() const;

  /// Kernels that one eager call launches; 0 on the CPU.
  std::int64_t kernels() const {
    return kernels_;
  }

  /// How long an eager call takes [seconds]; 0 where it is not known.
  double eager() const {
    return baselines_.empty() ? 0 : baselines_.front().seconds;
  }

  /// The least that a call of the reference took in the median of a race so far [seconds]; 0 before
  /// the first.
  double calmest_call() const {
    return calmest_call_.value();
  }

  /// Takes note of a race's median [seconds].
  void saw_call(double seconds) {
    calmest_call_.note(seconds);
  }

  /// The share of an eager call during which the device waits for the host; 1 on the CPU, and where
  /// it is not known.
  double host_share() const;

  /// Returns whether the reference answers the same inputs otherwise under other weights: found out
  /// when somebody asks first. True where the judge draws weights but once. Its user holds a shared
  /// lease, and not `mutex()`.
  bool depends_on_weights();

  void set_baselines(std::vector<baseline> x) {
    baselines_ = std::move(x);
  }

  void set_peaks(const device_peaks& x) {
    peaks_ = x;
  }

  /// The floor that reports state; nothing where work or peaks are not known.
  std::optional<roofline> limit() const;

  /// What one call moves and computes; nothing where it could not be counted.
  const std::optional<call_work>& work() const {
    return work_;
  }

private:
  task_oracle(const task& subject, evaluation_site& site, judge_rules rules, room::share draws);

  caf::error prepare(lease_source& leases);
  caf::error trim();

  /// Makes the process forget what it was given, and give back what memory it does not need.
  reply forget();

  /// Asks what the reference takes of the device's memory, now that it has run.
  /// @param trim torch is to give back first what no tensor needs
  caf::expected<memory_use> ask_for_memory(bool trim = false);
  caf::error look_at_memory();

  /// Waits until the device has room for a float64 run.
  caf::error make_room_for_exact();

  /// Says why the task cannot be used.
  caf::error refused(const failure& why) const;

  caf::error load(worker_process& worker) const;
  static reply give(worker_process& worker, const input_draw& draw, const std::string& name);
  caf::error construct();
  caf::error draw_checked();
  void plan_timed();

  /// Takes memory of the host for all draws, if there is. Fails with `bad_task` where there never
  /// will be.
  caf::error make_room_for_draws();
  caf::error draw_timed();
  caf::expected<std::vector<std::int64_t>> trial_seeds();
  caf::expected<input_draw> draw(std::string name, std::size_t weights, const planned_draw& plan);

  /// Draws inputs, or takes the next ones that were drawn ahead. The worker keeps them, too, under
  /// that name.
  caf::expected<shared_memory> draw_inputs(const std::string& name, const planned_draw& plan);

  /// Has these draws made ahead, if they take long.
  void draw_ahead(std::vector<planned_draw> plans);
  caf::expected<shared_memory> answer(boost::json::object request);

  /// Gives the worker inputs that others drew, and returns them.
  caf::expected<shared_memory> keep_inputs(const std::string& name,
                                           caf::expected<shared_memory> inputs,
                                           const std::optional<input_key>& key);

  /// Returns the values that came with a reply. `giver` is who made them, for people.
  caf::expected<shared_memory> file_in(reply given, const std::string& giver) const;
  caf::error audit(lease_source& leases);

  // Why a verdict would say nothing of a candidate, or "".
  caf::expected<std::string> why_trivial(const std::vector<input_draw>& draws);
  std::string why_weightless();
  std::string why_unfair();

  /// Returns whether its process must not be timed any more.
  caf::expected<bool> trace();
  void count_work();

  evaluation_site& site_;
  task subject_;
  judge_rules rules_;
  std::string tag_;
  std::string path_;
  room::share draws_;             // of the host's memory
  std::int64_t draws_needed_ = 0; // [bytes], once the first draw is made
  bool waits_for_draws_ = false;
  reference_memory memory_; // of the device; outlives the process that uses it
  site_worker worker_;
  std::vector<weight_draw> weights_;
  std::vector<input_draw> checked_;
  std::vector<planned_draw> timed_plans_;
  std::vector<input_draw> timed_;
  std::unique_ptr<inputs_ahead> ahead_; // while large inputs are drawn
  double draw_seconds_ = 0;             // that the latest draw took
  bool draws_on_device_;                // as far as is known
  std::vector<baseline> baselines_;
  std::optional<call_work> work_;
  std::optional<device_peaks> peaks_;
  std::string degenerate_;
  std::optional<bool> depends_on_weights_;
  std::int64_t parameters_ = 0;
  std::int64_t kernels_ = 0;
  least_seen calmest_call_; // [seconds]
  double busy_ = 0; // [seconds] of the device in one eager call
  std::size_t input_bytes_ = 0;
  std::size_t output_bytes_ = 0;
  std::size_t draw_bytes_ = 0; // of the latest: inputs and answers
  bool changes_inputs_ = false;            // a call of the model
  mutable bool ran_out_of_memory_ = false; // while it was prepared
  std::mutex mutex_;
  std::mutex renewal_;
};

} // namespace lathe::gpu
