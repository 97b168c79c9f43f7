#pragma once

#include "messages/types.hpp"

namespace lathe {

/// A PyTorch model to make faster, in KernelBench's format: a Python file with `Model`,
/// `get_inputs` and `get_init_inputs`.
struct task {
  session_id name;    ///< the file's stem; unique in a run
  std::string path;   ///< where it was read from, for messages
  std::string source; ///< Python
};

template <class Inspector>
bool inspect(Inspector& f, task& x) {
  return f.object(x).fields(f.field("name", x.name), f.field("path", x.path),
                            f.field("source", x.source));
}

/// Where candidates run and how they are judged, in words that a prompt can carry.
struct environment {
  std::string device;    ///< "cpu, 1 thread of 2 cores, AMD EPYC 9B14"
  std::string software;  ///< "Python 3.11.2, torch 2.11.0, g++ 12.2.0"
  std::string judge;     ///< "strict: float32 policy, 5 input draws, 2 weight draws, eval mode"
  std::string sandbox;   ///< what the sandbox lacks on this machine; empty when it lacks nothing
};

template <class Inspector>
bool inspect(Inspector& f, environment& x) {
  return f.object(x).fields(f.field("device", x.device), f.field("software", x.software),
                            f.field("judge", x.judge), f.field("sandbox", x.sandbox));
}

/// The time of one way to run the unchanged model.
struct baseline {
  std::string name;   ///< "eager", "compile"
  double seconds = 0; ///< median of one call

  friend bool operator==(const baseline&, const baseline&) = default;
};

template <class Inspector>
bool inspect(Inspector& f, baseline& x) {
  return f.object(x).fields(f.field("name", x.name), f.field("seconds", x.seconds));
}

/// What the task's arithmetic and data ask of the device at least, counted from the reference.
struct roofline {
  double bytes = 0;      ///< inputs, parameters and outputs, each moved once
  double operations = 0; ///< of matrix products, convolutions and attention; a multiply-add is two
  double floor = 0;      ///< [seconds] the larger of the two over the device's measured peaks
};

template <class Inspector>
bool inspect(Inspector& f, roofline& x) {
  return f.object(x).fields(f.field("bytes", x.bytes), f.field("operations", x.operations),
                            f.field("floor", x.floor));
}

/// What the oracle learned about a task before any candidate was tried.
struct task_profile {
  environment where;
  std::vector<baseline> baselines; ///< eager first
  std::string shapes;              ///< inputs, outputs and parameters in a few words
  std::string degenerate;          ///< why a trivial answer would pass; empty for a sound task
  std::optional<roofline> limit;   ///< none: it could not be counted
};

template <class Inspector>
bool inspect(Inspector& f, task_profile& x) {
  return f.object(x).fields(f.field("where", x.where), f.field("baselines", x.baselines),
                            f.field("shapes", x.shapes), f.field("degenerate", x.degenerate),
                            f.field("limit", x.limit));
}

/// Asks the evaluator to load a task: the reference runs, its outputs are kept, it is timed.
struct prepare_request {
  task subject;
  bool only_eager = false; ///< nobody asks for the other baselines before there is a winner
};

template <class Inspector>
bool inspect(Inspector& f, prepare_request& x) {
  return f.object(x).fields(f.field("subject", x.subject),
                            f.field("only_eager", x.only_eager).fallback(false));
}

/// Tells the evaluator that nothing more will be asked about a session's task: its reference goes,
/// and others get the memory that it took.
struct task_release {
  session_id session;
};

template <class Inspector>
bool inspect(Inspector& f, task_release& x) {
  return f.object(x).fields(f.field("session", x.session));
}

} // namespace lathe
