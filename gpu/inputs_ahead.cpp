#include "gpu/inputs_ahead.hpp"

#include <utility>

namespace lathe::gpu {

boost::json::object request_for(const planned_draw& draw) {
  boost::json::object result{{"op", "draw"}, {"seed", draw.seed}};
  if (draw.key)
    result["key"] = draw.key->text();
  return result;
}

inputs_ahead::inputs_ahead(std::vector<site_worker> workers, std::vector<planned_draw> plans,
                           std::chrono::milliseconds limit)
  : workers_(std::move(workers)), plans_(std::move(plans)), limit_(limit),
    working_(workers_.size()) {
  for (auto& worker : workers_)
    threads_.emplace_back([this, &worker] { work(*worker.process); });
}

inputs_ahead::~inputs_ahead() {
  {
    std::lock_guard guard{mutex_};
    closing_ = true;
  }
  changed_.notify_all();
  for (auto& worker : workers_)
    worker.process->kill(); // so that nobody waits for a draw
  threads_.clear();
}

reply inputs_ahead::next() {
  std::unique_lock guard{mutex_};
  auto index = taken_++;
  changed_.notify_all();
  changed_.wait(guard, [&] { return done_.contains(index) || (working_ == 0 && index >= begun_); });
  if (!done_.contains(index))
    return reply::failed(outcome::crashed, "nobody is left to draw inputs");
  return std::move(done_.extract(index).mapped());
}

// Each is at most one draw ahead: a draw takes memory, too.
void inputs_ahead::work(worker_process& worker) {
  std::unique_lock guard{mutex_};
  while (true) {
    changed_.wait(guard, [&] {
      return closing_ || begun_ == plans_.size() || begun_ < taken_ + workers_.size();
    });
    if (closing_ || begun_ == plans_.size())
      return;
    auto index = begun_++;
    guard.unlock();
    auto drawn = worker.call(request_for(plans_[index]), {}, limit_);
    guard.lock();
    auto broke = !drawn.ok();
    done_.insert_or_assign(index, std::move(drawn));
    if (broke)
      --working_;
    changed_.notify_all();
    if (broke)
      return;
  }
}

} // namespace lathe::gpu
