#pragma once

#include "messages/task.hpp"
#include "messages/types.hpp"

#include <array>

namespace lathe {

/// How an evaluation ended.
enum class outcome : std::uint8_t {
  correct,
  incorrect,    ///< the answers differ from the reference's
  refused,      ///< a rule was broken; `verdict::rule` names it
  build_failed, ///< the file does not import
  crashed,      ///< an exception or a signal while it was constructed or called
  timed_out,    ///< a stage took longer than its limit
  out_of_memory,
  unstable, ///< correct, but its times are not to be believed
};

template <>
struct enum_names<outcome> {
  static constexpr std::array<std::string_view, 8> value = {
    "correct", "incorrect", "refused",       "build_failed",
    "crashed", "timed_out", "out_of_memory", "unstable"};
};

/// What one stage of an evaluation cost.
struct stage_cost {
  std::string stage; ///< screen, build, warm, check, time, audit
  double wall = 0;   ///< [seconds] without the time spent frozen or queueing
  double cpu = 0;    ///< [seconds]
  double queued = 0; ///< [seconds] frozen while others were timed
};

template <class Inspector>
bool inspect(Inspector& f, stage_cost& x) {
  return f.object(x).fields(f.field("stage", x.stage), f.field("wall", x.wall),
                            f.field("cpu", x.cpu), f.field("queued", x.queued));
}

/// The measured speed of a candidate against the reference, both timed in one lease in
/// alternating blocks. A ratio over 1 is a win only if its whole interval is.
struct timing {
  double reference = 0; ///< [seconds] median of one call
  double candidate = 0; ///< [seconds] median of one call
  double speedup = 0;   ///< reference / candidate
  double low = 0;       ///< 95 % interval of the speed-up
  double high = 0;
  std::int32_t samples = 0;   ///< timed calls of the candidate
  std::int32_t blocks = 0;    ///< alternating blocks per side
  double floor = 0;           ///< [seconds] what the roofline allows at best; 0: unknown
  std::int32_t throttled = 0; ///< pairs of blocks discarded because the GPU was throttled

  /// A speed-up whose interval holds 1 is a tie.
  bool tie() const {
    return low <= 1.0 && high >= 1.0;
  }
};

template <class Inspector>
bool inspect(Inspector& f, timing& x) {
  return f.object(x).fields(f.field("reference", x.reference), f.field("candidate", x.candidate),
                            f.field("speedup", x.speedup), f.field("low", x.low),
                            f.field("high", x.high), f.field("samples", x.samples),
                            f.field("blocks", x.blocks), f.field("floor", x.floor).fallback(0.0),
                            f.field("throttled", x.throttled).fallback(std::int32_t{0}));
}

/// Who wrote what a candidate's call runs on the device, as shares of the device's time, and how it
/// gets there: matters of taste, which a topology may forbid.
struct device_work {
  std::int64_t kernels = 0; ///< launched by one call
  double own = 0;           ///< kernels that came with the candidate: CUDA, Triton, generated code
  double library = 0;       ///< of cuBLAS, cuDNN and the like
  double framework = 0;     ///< of torch itself, and copies and fills
  bool graphs = false;      ///< replayed from CUDA graphs, all or in part
};

template <class Inspector>
bool inspect(Inspector& f, device_work& x) {
  return f.object(x).fields(f.field("kernels", x.kernels), f.field("own", x.own),
                            f.field("library", x.library), f.field("framework", x.framework),
                            f.field("graphs", x.graphs));
}

/// How well the answers agreed.
struct correctness {
  std::string policy;          ///< "fp32", "pike", ...
  std::string precision_class; ///< measured: fp32, tf32, half or worse
  double error_ratio = 0;      ///< worst error over the error of float32 eager
  std::int32_t input_draws = 0;
  std::int32_t weight_draws = 0;
};

template <class Inspector>
bool inspect(Inspector& f, correctness& x) {
  return f.object(x).fields(
    f.field("policy", x.policy), f.field("precision_class", x.precision_class),
    f.field("error_ratio", x.error_ratio), f.field("input_draws", x.input_draws),
    f.field("weight_draws", x.weight_draws));
}

/// The evaluator's whole answer on a candidate, right or wrong, with its evidence.
struct verdict {
  lathe::outcome outcome = lathe::outcome::crashed;
  std::string rule;     ///< the rule that refused it: "cached-output", "input-mutation"
  std::string evidence; ///< what happened, for people and for the fixer
  std::optional<lathe::timing> timing;
  std::optional<lathe::correctness> correctness;
  std::vector<stage_cost> stages;  ///< in order; stops where the candidate failed
  std::optional<device_work> work; ///< correct, on a GPU: what one call runs there
  std::optional<bool> folds;       ///< correct: it answers from copies of its weights
  std::vector<baseline> baselines; ///< timed again with a winner; empty: those of the task hold
  std::string profile;             ///< correct: what bounds it and where its time goes, in words
  std::string sandbox;             ///< what the sandbox lacked; empty when it lacked nothing

  bool correct() const {
    return outcome == lathe::outcome::correct;
  }

  /// Correct, and faster than the reference beyond doubt.
  bool wins() const {
    return correct() && timing && timing->low > 1.0;
  }
};

template <class Inspector>
bool inspect(Inspector& f, verdict& x) {
  return f.object(x).fields(f.field("outcome", x.outcome), f.field("rule", x.rule),
                            f.field("evidence", x.evidence), f.field("timing", x.timing),
                            f.field("correctness", x.correctness), f.field("stages", x.stages),
                            f.field("work", x.work), f.field("folds", x.folds),
                            f.field("baselines", x.baselines).fallback(std::vector<baseline>{}),
                            f.field("profile", x.profile), f.field("sandbox", x.sandbox));
}

} // namespace lathe
