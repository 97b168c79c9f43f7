#pragma once

#include "gpu/call_profile.hpp"
#include "gpu/evaluation_site.hpp"
#include "gpu/lease_source.hpp"
#include "gpu/race.hpp"
#include "gpu/task_oracle.hpp"
#include "messages/work.hpp"

#include <caf/expected.hpp>

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>

namespace lathe::gpu {

/// Returns the oracle of a task; waits where it is being prepared.
using oracle_source = std::function<caf::expected<std::shared_ptr<task_oracle>>()>;

/// Judges one candidate: screen, build, warm, check, time, audit. Blocks; one thread runs it.
class evaluation {
public:
  /// @param rules those of the oracle; a candidate is built before `oracle` is asked for it
  evaluation(const evaluation_request& request, judge_rules rules, oracle_source oracle,
             evaluation_site& site, lease_source& leases);

  /// Makes `run` time against a reference in a new process. No two processes with the same model are
  /// equally fast, and who repeats a verdict wants to see that, too.
  void renew_reference() {
    renews_reference_ = true;
  }

  /// Returns the verdict. An error says that the evaluator broke, not the candidate.
  caf::expected<verdict> run();

  /// Whether somebody else killed a process that `run` needed, and again in the second try: then
  /// its verdict may say nothing about the candidate.
  bool interrupted() const {
    return interrupted_;
  }

  /// What a call of the candidate does, where that was wanted and is known.
  const std::optional<call_profile>& seen_profile() const {
    return profile_;
  }

  /// The timed calls of the candidate [seconds]; empty where `run` made none.
  const std::vector<double>& seconds() const {
    return seconds_;
  }

private:
  /// What a call of the candidate left.
  struct model_call {
    shared_memory output;
    bool changed_inputs = false;
  };

  struct compared_answer {
    caf::expected<verifier::comparison> found;
    shared_memory output;
  };

  /// Goes through the stages, with a process of its own; twice where somebody killed one.
  void attempt();
  void attempt_once();

  /// Once more after a refusal that a gust may have caused.
  void hear_again();

  /// Whether the reference was slower than before when a winner was timed, or anybody beside
  /// neighbours: others use the host.
  bool was_slowed() const;

  /// Once more, for a calmer moment.
  void time_again();

  bool ran_out_of_memory() const;
  bool uses_compiler() const;

  /// Whether it gets what compilers made of the same before, and what that is kept under.
  bool keeps_compiled() const;
  std::string compiled_subject() const;
  author author_of_compiled() const;

  /// Builds what its text asks torch to build, where nobody has. False: the error.
  bool build_extensions(const shared_memory& source);

  /// The same, with what was built for others.
  /// @param like the same for all whose extensions differ in their kernels alone; may be empty
  void build_beside(const std::string& like);

  /// Gives its process all of that. False: it did not survive it.
  bool give_compiled();

  /// Makes its process, with what was compiled of it before. False: the verdict says why, or the
  /// error.
  bool begin_process();

  /// Whether there may be room for twice what it is likely to take, with others beside it.
  bool has_room_for_twice();

  /// The end of a stage that has a lease: a candidate that failed ends before the lease does, and
  /// the lease says so when that left the device in doubt.
  class stage_end {
  public:
    stage_end(evaluation& owner, held_lease& held) : owner_(owner), held_(held) {
      // nop
    }

    stage_end(stage_end&&) = delete;

    ~stage_end();

  private:
    evaluation& owner_;
    held_lease& held_;
  };

  /// Takes so many steps under shared leases, and gives one back now and then. Ends with the
  /// first step that returns false; what was compared has agreed when it returns true.
  template <class Step>
  bool take_turns(std::size_t steps, Step step);

  // Each stage returns true when the next one may begin.
  bool build();
  bool meet_oracle();
  bool warm();
  bool take_place();
  bool check();
  bool time();
  bool survived(race_result& found);
  bool audit(const race_result& found);
  bool compare_kept(const race_result& found);
  void tell_wrong_when_timed();
  bool fetch(std::size_t slot, const input_draw& draw);
  bool trace();
  bool is_possible();
  bool is_steady(const race_result& found);
  void time_baselines();
  stopping_options precision() const;
  double host_spread() const;
  void allow_for_processes(double host_share);
  void profile();
  caf::expected<call_profile> recorded_call();

  /// Returns the file that comes with an answer, as a text.
  caf::expected<std::string> call_for_file(boost::json::object request);
  bool fold();

  bool make_context();
  bool construct(std::size_t weights);
  bool give(const input_draw& draw);
  bool answer(const input_draw& draw);

  /// Returns a file for an answer to `draw`: one that its process had before and that nobody reads
  /// any more, if there is. The kernel takes longer to find memory than a device to fill it.
  caf::expected<shared_memory> file_for(const input_draw& draw);

  /// Has the verifier compare an answer while the next one is made. Returns whether the one before
  /// agreed.
  bool compare(const input_draw& draw, shared_memory output);

  /// @param evidence says what is wrong with a wrong answer
  caf::expected<verifier::comparison> ask_verifier(const input_draw& draw,
                                                   const shared_memory& output,
                                                   bool evidence) const;

  /// Waits for the comparison under way. Returns whether the answer agreed: the verdict says more.
  bool finish_comparing();

  /// Calls the candidate. Nothing when that failed: the verdict says why.
  std::optional<model_call> call_model(const input_draw& draw);

  /// Returns whether a correct candidate does nothing that is forbidden.
  bool obeys();

  // -- endings: all return false -------------------------------------------------------------

  bool fail(const failure& why);
  bool refuse(std::string rule, std::string evidence);
  bool give_up(caf::error why);

  /// Sees to it that the oracle has a process.
  bool revive_oracle();

  // -- what it leaves behind -------------------------------------------------------------------

  /// The device has to be probed before it can be trusted.
  bool in_doubt() const;

  /// Waits until it has been, and gives up when it is lost.
  void confirm_device();

  /// Ends the process, and gives back what it had.
  void let_go();

  /// Begins to count the cost of a stage.
  void enter(std::string stage);
  reply call(boost::json::object request, std::span<const int> fds, double limit);

  /// Adds what a call cost to the stage, and returns it.
  reply counted(reply result);

  // How much of the device's memory it waits for before its first call.
  enum class room_for : std::uint8_t {
    a_call,   // and later for what else a race takes
    twice,    // what a race takes
    it_alone, // all of it
  };

  const evaluation_request& request_;
  judge_rules rules_;
  oracle_source find_oracle_;
  std::shared_ptr<task_oracle> oracle_; // from `meet_oracle` on
  evaluation_site& site_;
  lease_source& leases_;
  std::string tag_;
  std::optional<room::share> share_;
  site_worker worker_;
  std::string extensions_;                    // what those are kept under that its text asks for
  std::optional<shared_memory> failed_build_; // what is left of those that could not be built
  std::future<compared_answer> compared_;
  std::vector<shared_memory> spare_files_; // that answers were in
  verdict verdict_;
  std::int32_t agreed_ = 0; // answers
  bool is_rounded_ = false; // the one that did not agree
  std::vector<double> seconds_;
  std::optional<call_profile> profile_;
  caf::error broken_;
  room_for room_ = room_for::a_call;
  bool is_new_ = true;   // was not built yet
  bool settled_ = false; // went through all stages, and broke no rule
  bool renews_reference_ = false;
  bool interrupted_ = false;     // somebody killed a process that was needed
  bool reference_broke_ = false;
  bool disturbed_ = false; // some of its race counts though a neighbour on the host had part in it
  bool refused_by_clocks_ = false;
  bool doubt_told_ = false;      // by the lease of the stage that left it
  double cpu_before_ = 0;
};

} // namespace lathe::gpu
