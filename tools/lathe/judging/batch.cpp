#include "tools/lathe/judging/batch.hpp"

#include "gpu/device_probe.hpp"
#include "gpu/evaluation.hpp"
#include "gpu/local_leases.hpp"
#include "gpu/task_preparation.hpp"
#include "tools/lathe/judging/disagreement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

namespace lathe::judging {

namespace {

// The oracle of one task under one judge, made when it is first needed.
class shared_oracle {
public:
  shared_oracle(task subject, gpu::judge_rules rules, std::size_t uses)
    : subject_(std::move(subject)), rules_(std::move(rules)), uses_(uses) {
    // nop
  }

  // Whoever comes while it is made waits for it.
  std::shared_ptr<gpu::task_oracle> get(gpu::evaluation_site& site, gpu::lease_source& leases) {
    std::lock_guard guard{mutex_};
    if (!oracle_ && !problem_)
      make(site, leases);
    return oracle_;
  }

  // To be called after each use: the last one lets the oracle go.
  void done() {
    std::lock_guard guard{mutex_};
    if (--uses_ == 0)
      oracle_.reset();
  }

  const task& subject() const {
    return subject_;
  }

  // What follows does not change any more once `get` has returned.

  const caf::error& problem() const {
    return problem_;
  }

  const task_profile& profile() const {
    return profile_;
  }

private:
  void make(gpu::evaluation_site& site, gpu::lease_source& leases) {
    auto made = gpu::prepare_oracle(subject_, site, rules_, leases);
    if (!made)
      problem_ = std::move(made.error());
    else if (auto error = measure(**made, site, leases))
      problem_ = std::move(error);
    else
      oracle_ = std::move(*made);
    if (oracle_)
      profile_ = oracle_->profile();
  }

  // A reference that cannot be timed is told of before any candidate is built.
  caf::error measure(gpu::task_oracle& made, gpu::evaluation_site& site,
                     gpu::lease_source& leases) {
    if (rules_.timing)
      return {};
    return gpu::measure_baselines(made, site, leases, site.config().baselines);
  }

  std::mutex mutex_;
  task subject_;
  gpu::judge_rules rules_;
  std::size_t uses_;
  std::shared_ptr<gpu::task_oracle> oracle_;
  caf::error problem_;
  task_profile profile_;
};

gpu::local_lease_options lease_options(const batch& work, gpu::evaluation_site& site) {
  gpu::local_lease_options result;
  result.device = site.device().name();
  if (site.device().cuda)
    result.probe = [&site] { return gpu::probe_device(site); };
  if (work.warn)
    result.tell = [&work](const device_event& x) { work.warn(gpu::in_words(x)); };
  return result;
}

// One verdict to be had.
struct job {
  std::size_t entry = 0;
  std::size_t judge = 0;
  std::size_t repeat = 0;
};

class workshop {
public:
  workshop(const batch& work, gpu::evaluation_site& site,
           const std::function<void(const row&)>& tell)
    : work_(work), site_(site), tell_(tell), leases_(lease_options(work, site)) {
    for (auto& x : work.entries)
      rows_.push_back({work.tasks[x.task].path, x.candidate, x.name, {}});
    for (auto& row : rows_)
      for (auto& judge : work.judges)
        row.judgements.push_back({judge.name, {}, std::vector<judged_run>(work.repeats), {}, {}});
    missing_.assign(rows_.size(), work.judges.size() * work.repeats);
    for (auto& task : work.tasks)
      plan(task);
  }

  std::vector<row> run() {
    std::vector<std::thread> threads;
    auto count = std::clamp<std::size_t>(work_.jobs, 1, std::max<std::size_t>(1, jobs_.size()));
    for (std::size_t i = 1; i < count; ++i)
      threads.emplace_back([this] { serve(); });
    serve();
    for (auto& x : threads)
      x.join();
    return std::move(rows_);
  }

private:
  // All jobs of a task, judge by judge. A candidate's repetitions are spread over the time that its
  // task takes: what is to be seen is what the host does meanwhile.
  void plan(const task& subject) {
    auto number = static_cast<std::size_t>(&subject - work_.tasks.data());
    std::vector<std::size_t> entries;
    for (std::size_t i = 0; i < work_.entries.size(); ++i)
      if (work_.entries[i].task == number)
        entries.push_back(i);
    for (std::size_t judge = 0; judge < work_.judges.size(); ++judge) {
      // Evaluations tell tasks apart by name, and names of files are not unique.
      task named = subject;
      named.name = fmt::format("{}-{}-{}", subject.name, number, work_.judges[judge].name);
      oracles_.push_back(std::make_unique<shared_oracle>(std::move(named), work_.judges[judge],
                                                         entries.size() * work_.repeats));
      for (std::size_t repeat = 0; repeat < work_.repeats; ++repeat)
        for (auto entry : entries)
          jobs_.push_back({entry, judge, repeat});
    }
  }

  void serve() {
    for (std::size_t i; (i = next_++) < jobs_.size();)
      judge(jobs_[i]);
  }

  void judge(const job& x) {
    auto& oracle = *oracles_[work_.entries[x.entry].task * work_.judges.size() + x.judge];
    auto made = oracle.get(site_, leases_);
    judged_run found;
    auto problem = made ? evaluate(x, oracle, *made, found) : oracle.problem();
    made.reset();
    oracle.done();
    keep(x, oracle.profile(), std::move(found), std::move(problem));
  }

  caf::error evaluate(const job& x, const shared_oracle& oracle, gpu::task_oracle& reference,
                      judged_run& found) {
    auto& entry = work_.entries[x.entry];
    // A verdict is remembered for its session, and a repetition is to be one of its own.
    evaluation_request request{fmt::format("{}-{}", oracle.subject().name, x.repeat),
                               x.entry + 1,
                               {entry.candidate, entry.source, ""},
                               0,
                               false};
    gpu::evaluation evaluation{request, reference, site_, leases_};
    auto result = evaluation.run();
    if (!result)
      return std::move(result.error());
    found = {std::move(*result), evaluation.seconds()};
    return {};
  }

  void keep(const job& x, const task_profile& profile, judged_run found, caf::error problem) {
    std::lock_guard guard{mutex_};
    auto& judgement = rows_[x.entry].judgements[x.judge];
    judgement.rules = profile.where.judge;
    judgement.degenerate = profile.degenerate;
    judgement.runs[x.repeat] = std::move(found);
    if (problem && !judgement.problem)
      judgement.problem = std::move(problem);
    --missing_[x.entry];
    for (; told_ < rows_.size() && missing_[told_] == 0; ++told_) {
      for (auto& y : rows_[told_].judgements)
        if (y.problem)
          y.runs.clear();
      rows_[told_].disagreements = disagreements(rows_[told_], work_.judges);
      tell_(rows_[told_]);
    }
  }

  const batch& work_;
  gpu::evaluation_site& site_;
  const std::function<void(const row&)>& tell_;
  gpu::local_leases leases_;
  std::vector<std::unique_ptr<shared_oracle>> oracles_; // by task, then by judge
  std::vector<job> jobs_;
  std::atomic<std::size_t> next_ = 0;
  std::mutex mutex_; // guards what follows
  std::vector<row> rows_;
  std::vector<std::size_t> missing_; // verdicts, by row
  std::size_t told_ = 0;
};

} // namespace

std::vector<row> judge_all(const batch& work, gpu::evaluation_site& site,
                           const std::function<void(const row&)>& tell) {
  return workshop{work, site, tell}.run();
}

} // namespace lathe::judging
