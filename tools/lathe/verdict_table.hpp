#pragma once

#include "messages/task.hpp"
#include "tools/lathe/judging/batch.hpp"
#include "tools/lathe/judging/text_table.hpp"

namespace lathe::cli {

/// Shows verdicts on standard output as they come: in full where there is one candidate, else as a
/// table, one line a candidate, no wider than the terminal, with several judges side by side.
class verdict_table {
public:
  verdict_table(const judging::batch& work, environment where);

  void show(const judging::row& x);

  /// Prints what all of them come to.
  void finish(const std::vector<judging::row>& rows, std::size_t idle_tasks);

private:
  void begin(const judging::row& first);
  void show_in_full(const judging::row& x);

  const judging::batch& work_;
  environment where_;
  judging::text_table table_;
  bool begun_ = false;
};

} // namespace lathe::cli
