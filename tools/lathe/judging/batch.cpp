#include "tools/lathe/judging/batch.hpp"

#include "gpu/device_probe.hpp"
#include "gpu/evaluation.hpp"
#include "gpu/host_memory.hpp"
#include "gpu/local_leases.hpp"
#include "gpu/task_preparation.hpp"
#include "tools/lathe/judging/disagreement.hpp"
#include "tools/lathe/judging/shares.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

namespace lathe::judging {

namespace {

// Preparing is work of the host, mostly: drawing inputs, running the reference in float64.
constexpr std::size_t judges_a_preparer = 3;
constexpr std::size_t most_preparers = 6;

// Enough that judges never wait, if preparing keeps up at all. Each has a part of a GPU's memory,
// which candidates need as well, and its draws in the host's: where one is short, none is added to
// those there are.
constexpr std::size_t most_live_oracles = 16;
constexpr std::size_t most_live_oracles_on_gpu = 24;

// How often those who wait for memory look whether there is more.
constexpr std::chrono::seconds memory_look{1};

// The oracle of one task under one judge. One thread makes it, and others wait for it.
class shared_oracle {
public:
  shared_oracle(task subject, gpu::judge_rules rules, std::size_t uses)
    : subject_(std::move(subject)), rules_(std::move(rules)), uses_(uses) {
    // nop
  }

  void make(gpu::evaluation_site& site, gpu::lease_source& leases) {
    auto made = prepare(site, leases);
    std::lock_guard guard{mutex_};
    if (made) {
      profile_ = (*made)->profile();
      oracle_ = std::move(*made);
    } else {
      problem_ = std::move(made.error());
    }
    is_made_ = true;
    changed_.notify_all();
  }

  // Waits until it is made.
  caf::expected<std::shared_ptr<gpu::task_oracle>> get() {
    std::unique_lock guard{mutex_};
    changed_.wait(guard, [this] { return is_made_; });
    if (problem_)
      return problem_;
    return oracle_;
  }

  // To be called after each use: the last one lets the oracle go, and is told so.
  bool done() {
    std::lock_guard guard{mutex_};
    if (--uses_ > 0)
      return false;
    oracle_.reset();
    return true;
  }

  bool is_made() {
    std::lock_guard guard{mutex_};
    return is_made_;
  }

  // Nobody needs it, and nobody will.
  bool is_idle() {
    std::lock_guard guard{mutex_};
    return uses_ == 0;
  }

  const task& subject() const {
    return subject_;
  }

  const gpu::judge_rules& rules() const {
    return rules_;
  }

  // To be called once `get` has returned: it does not change any more.
  const task_profile& profile() const {
    return profile_;
  }

private:
  caf::expected<std::shared_ptr<gpu::task_oracle>> prepare(gpu::evaluation_site& site,
                                                           gpu::lease_source& leases) const {
    auto made = gpu::prepare_oracle(subject_, site, rules_, leases);
    // A reference that cannot be timed is told of before any candidate is timed.
    if (made && !rules_.timing)
      if (auto error = gpu::measure_baselines(**made, site, leases, site.config().baselines))
        return error;
    return made;
  }

  task subject_;
  gpu::judge_rules rules_;
  std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  bool is_made_ = false;
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

kept_subject subject_of(const batch& work, const job& x) {
  auto& entry = work.entries[x.entry];
  return {work.tasks[entry.task], entry.candidate, entry.source,
          work.judges[x.judge],   x.repeat,        work.repeats > 1};
}

class workshop {
public:
  workshop(const batch& work, gpu::evaluation_site& site,
           const std::function<void(const row&)>& tell)
    : work_(work), site_(site), tell_(tell), leases_(lease_options(work, site)) {
    for (auto& x : work.entries)
      rows_.push_back({work.tasks[x.task].path, x.candidate, x.name, {}});
    for (auto& row : rows_)
      for (auto& judge : work.judges)
        row.judgements.push_back({judge.name, {}, {}, false, {}, {}});
    missing_.assign(rows_.size(), work.judges.size() * work.repeats);
    for (auto& task : work.tasks)
      plan(task);
    std::lock_guard guard{mutex_};
    for (auto& x : jobs_)
      waiting_.push_back(&x);
    tell_complete();
  }

  std::vector<row> run() {
    std::vector<std::thread> threads;
    judges_ = std::clamp<std::size_t>(work_.jobs, 1, std::max<std::size_t>(1, jobs_.size()));
    preparers_ = std::clamp<std::size_t>(judges_ / judges_a_preparer, 1, most_preparers);
    for (std::size_t i = 0; i < preparers_; ++i)
      threads.emplace_back([this] { prepare(); });
    for (std::size_t i = 0; i < judges_; ++i)
      threads.emplace_back([this] { serve(); });
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
      named.name = fmt::format("{}-{}-{}", subject.name, work_.first_number + number,
                               work_.judges[judge].name);
      auto before = jobs_.size();
      for (std::size_t repeat = 0; repeat < work_.repeats; ++repeat)
        for (auto entry : entries)
          if (job x{entry, judge, repeat}; !take_kept(x))
            jobs_.push_back(x);
      oracles_.push_back(std::make_unique<shared_oracle>(std::move(named), work_.judges[judge],
                                                         jobs_.size() - before));
    }
  }

  // What was judged before is not judged again.
  bool take_kept(const job& x) {
    auto kept = work_.kept ? work_.kept->find(subject_of(work_, x)) : std::nullopt;
    if (!kept)
      return false;
    auto& judgement = rows_[x.entry].judgements[x.judge];
    judgement.rules = std::move(kept->rules);
    judgement.degenerate = std::move(kept->degenerate);
    judgement.baselines = std::move(kept->baselines);
    found_[{x.entry, x.judge}].emplace(x.repeat, std::move(kept->run));
    --missing_[x.entry];
    return true;
  }

  void keep_for_later(const job& x, const task_profile& profile, const judged_run& found) {
    if (work_.kept == nullptr || found.interrupted
        || work_.kept->keep(subject_of(work_, x),
                            {found, profile.where.judge, profile.degenerate, profile.baselines}))
      return;
    if (work_.warn && !told_of_loss_.exchange(true))
      work_.warn("verdicts cannot be kept any more: their folder cannot be written to");
  }

  // Oracles are made in the order in which they are needed, a few ahead of the judges: each keeps a
  // process and its data.
  void prepare() {
    for (std::size_t i; (i = next_oracle_++) < oracles_.size();) {
      if (oracles_[i]->is_idle())
        continue;
      {
        std::unique_lock guard{mutex_};
        auto most = site_.device().cuda ? most_live_oracles_on_gpu : most_live_oracles;
        auto& room = site_.room();
        // Nobody tells when there is more of the host's memory.
        while (live_oracles_ > 0
               && (live_oracles_ >= most || room.kept().device >= room.size().device / 2
                   || gpu::measure_host_memory().is_short()))
          changed_.wait_for(guard, memory_look);
        ++live_oracles_;
      }
      oracles_[i]->make(site_, leases_);
      std::lock_guard guard{mutex_};
      changed_.notify_all();
    }
  }

  void serve() {
    while (auto* next = take_job()) {
      judge(*next);
      std::lock_guard guard{mutex_};
      ahead_.erase(next);
      changed_.notify_all();
    }
  }

  // The first whose oracle is there. Where there is none, the first of all, which can be built
  // meanwhile; but where several are made at once, one judge stays free for an oracle that is made
  // before that one: what it holds may be what the other's waits for.
  const job* take_job() {
    std::unique_lock guard{mutex_};
    for (;;) {
      if (waiting_.empty())
        return nullptr;
      auto is_made = [&](const job* x) { return oracle_of(*x).is_made(); };
      std::erase_if(ahead_, is_made);
      auto next = std::ranges::find_if(waiting_, is_made);
      auto ahead = next == waiting_.end();
      if (ahead && (preparers_ == 1 || ahead_.size() + 1 < judges_))
        next = waiting_.begin();
      if (next != waiting_.end()) {
        auto* result = *next;
        waiting_.erase(next);
        if (ahead)
          ahead_.insert(result);
        return result;
      }
      changed_.wait(guard);
    }
  }

  shared_oracle& oracle_of(const job& x) {
    return *oracles_[work_.entries[x.entry].task * work_.judges.size() + x.judge];
  }

  void judge(const job& x) {
    auto& oracle = oracle_of(x);
    judged_run found;
    auto problem = evaluate(x, oracle, found);
    if (auto made = oracle.get(); !made) // a task that cannot be used is told of, whatever is judged
      problem = std::move(made.error());
    if (site_.closed()) // whatever it says: its processes were killed
      problem = make_error(errc::cancelled, "it was not judged to the end");
    if (!problem)
      keep_for_later(x, oracle.profile(), found);
    keep(x, oracle.profile(), std::move(found), std::move(problem));
    if (!oracle.done())
      return;
    std::lock_guard guard{mutex_};
    --live_oracles_;
    changed_.notify_all();
  }

  caf::error evaluate(const job& x, shared_oracle& oracle, judged_run& found) {
    auto& entry = work_.entries[x.entry];
    // A verdict is remembered for its session, and a repetition is to be one of its own.
    evaluation_request request{fmt::format("{}-{}", oracle.subject().name, x.repeat),
                               x.entry + 1,
                               {entry.candidate, entry.source, ""},
                               0,
                               false,
                               work_.profiles};
    gpu::evaluation evaluation{request, oracle.rules(), [&] { return oracle.get(); }, site_,
                               leases_};
    if (work_.repeats > 1)
      evaluation.renew_reference();
    auto result = evaluation.run();
    if (!result)
      return std::move(result.error());
    found = {std::move(*result), evaluation.seconds(), evaluation.interrupted()};
    return {};
  }

  void keep(const job& x, const task_profile& profile, judged_run found, caf::error problem) {
    std::lock_guard guard{mutex_};
    auto& judgement = rows_[x.entry].judgements[x.judge];
    if (!profile.where.judge.empty()) { // else its oracle was never made
      judgement.rules = profile.where.judge;
      judgement.degenerate = profile.degenerate;
      judgement.baselines = profile.baselines;
    }
    if (problem == errc::cancelled)
      judgement.cut_off = true;
    else if (!problem)
      found_[{x.entry, x.judge}].emplace(x.repeat, std::move(found));
    else if (!judgement.problem)
      judgement.problem = std::move(problem);
    --missing_[x.entry];
    tell_complete();
  }

  // The caller holds `mutex_`.
  void tell_complete() {
    for (; told_ < rows_.size() && missing_[told_] == 0; ++told_) {
      for (std::size_t i = 0; i < work_.judges.size(); ++i)
        finish(rows_[told_].judgements[i], found_[{told_, i}]);
      rows_[told_].disagreements = disagreements(rows_[told_], work_.judges);
      tell_(rows_[told_]);
    }
  }

  static void finish(judgement& x, std::map<std::size_t, judged_run>& found) {
    if (x.problem)
      return;
    for (auto& [repeat, run] : found)
      x.runs.push_back(std::move(run));
    if (x.runs.empty())
      x.problem = make_error(errc::cancelled, "it was not judged to the end");
  }

  const batch& work_;
  gpu::evaluation_site& site_;
  const std::function<void(const row&)>& tell_;
  gpu::local_leases leases_;
  std::vector<std::unique_ptr<shared_oracle>> oracles_; // by task, then by judge
  std::vector<job> jobs_;
  std::size_t judges_ = 1;
  std::size_t preparers_ = 1;
  std::atomic<std::size_t> next_oracle_ = 0;
  std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  std::deque<const job*> waiting_; // of jobs_
  std::set<const job*> ahead_;     // taken before their oracles were made
  std::size_t live_oracles_ = 0;
  std::vector<row> rows_;
  std::map<std::pair<std::size_t, std::size_t>, std::map<std::size_t, judged_run>>
    found_;                          // by row and judge, then by repetition
  std::vector<std::size_t> missing_; // verdicts, by row
  std::size_t told_ = 0;
  std::atomic<bool> told_of_loss_ = false;
};

} // namespace

std::size_t count_kept(const batch& work) {
  std::size_t result = 0;
  for (std::size_t i = 0; work.kept && i < work.entries.size(); ++i)
    for (std::size_t judge = 0; judge < work.judges.size(); ++judge)
      for (std::size_t repeat = 0; repeat < work.repeats; ++repeat)
        result += work.kept->find(subject_of(work, {i, judge, repeat})) ? 1 : 0;
  return result;
}

std::vector<row> judge_all(const batch& work,
                           const std::vector<std::shared_ptr<gpu::evaluation_site>>& sites,
                           const std::function<void(const row&)>& tell) {
  if (sites.size() == 1)
    return workshop{work, *sites.front(), tell}.run();
  auto judge = [&](std::size_t device, const batch& share,
                   const std::function<void(const row&)>& tell_share) {
    workshop{share, *sites[device], tell_share}.run();
  };
  return judge_in_shares(work, sites.size(), judge, tell);
}

} // namespace lathe::judging
