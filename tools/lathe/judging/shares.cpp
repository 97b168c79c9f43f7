#include "tools/lathe/judging/shares.hpp"

#include "messages/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>

namespace lathe::judging {

namespace {

// What one of several devices judges.
struct share {
  batch work;
  std::vector<std::size_t> places; // of its entries among all
};

// Deals out those entries, task by task. Shares may be fewer than devices, and none is empty.
// @param round a device gets another share in each
std::vector<share> deal_out(const batch& all, const std::vector<std::size_t>& places,
                            std::size_t devices, std::size_t round) {
  std::vector<share> result;
  std::map<std::size_t, std::size_t> whose; // by task
  for (auto place : places) {
    auto& entry = all.entries[place];
    auto [i, is_new] = whose.try_emplace(entry.task, whose.size() % devices);
    if (i->second == result.size()) {
      result.push_back({all, {}});
      result.back().work.first_number = round * all.tasks.size();
      result.back().work.tasks.clear();
      result.back().work.entries.clear();
      result.back().work.jobs = std::max<std::size_t>(1, all.jobs / devices);
    }
    auto& mine = result[i->second];
    if (is_new)
      mine.work.tasks.push_back(all.tasks[entry.task]);
    mine.work.entries.push_back(entry);
    mine.work.entries.back().task = mine.work.tasks.size() - 1; // entries come by task
    mine.places.push_back(place);
  }
  return result;
}

bool device_was_lost(const row& x) {
  return std::ranges::any_of(x.judgements,
                             [](const judgement& y) { return y.problem == errc::device_lost; });
}

// Collects the rows that come from several devices, and tells them in order.
class row_collector {
public:
  row_collector(std::size_t count, const std::function<void(const row&)>& tell)
    : tell_(tell), rows_(count) {
    // nop
  }

  void put(std::size_t place, row x) {
    std::lock_guard guard{mutex_};
    rows_[place] = std::move(x);
    for (; told_ < rows_.size() && rows_[told_]; ++told_)
      tell_(*rows_[told_]);
  }

  // To be called once all have come.
  std::vector<row> take() {
    std::vector<row> result;
    for (auto& x : rows_)
      result.push_back(std::move(*x));
    return result;
  }

private:
  const std::function<void(const row&)>& tell_;
  std::mutex mutex_; // guards what follows
  std::vector<std::optional<row>> rows_;
  std::size_t told_ = 0;
};

// The rows that a device has not judged because it was lost, by place.
using rest = std::map<std::size_t, row>;

rest judge_share_of(const share& mine, std::size_t device, const share_judge& judge,
                    row_collector& rows) {
  rest result;
  std::size_t told = 0;
  judge(device, mine.work, [&](const row& x) {
    auto place = mine.places[told++];
    if (device_was_lost(x))
      result.emplace(place, x);
    else
      rows.put(place, x);
  });
  return result;
}

std::vector<std::size_t> numbers_below(std::size_t count) {
  std::vector<std::size_t> result(count);
  std::iota(result.begin(), result.end(), 0);
  return result;
}

// One share for each of those devices, side by side. Those that are lost are taken off the list.
rest judge_side_by_side(const std::vector<share>& shares, std::vector<std::size_t>& devices,
                        const share_judge& judge, row_collector& rows) {
  std::vector<rest> rests(devices.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < shares.size(); ++i)
    threads.emplace_back([&, i] { rests[i] = judge_share_of(shares[i], devices[i], judge, rows); });
  for (auto& x : threads)
    x.join();
  rest result;
  std::vector<std::size_t> sound;
  for (std::size_t i = 0; i < devices.size(); ++i)
    if (rests[i].empty())
      sound.push_back(devices[i]);
    else
      result.merge(rests[i]);
  devices = std::move(sound);
  return result;
}

std::string going_on(std::size_t candidates, std::size_t devices) {
  return fmt::format("{} on {}",
                     candidates == 1 ? "1 candidate goes on"
                                     : fmt::format("{} candidates go on", candidates),
                     devices == 1 ? "the device that is left" : "the devices that are left");
}

} // namespace

std::vector<row> judge_in_shares(const batch& work, std::size_t devices, const share_judge& judge,
                                 const std::function<void(const row&)>& tell) {
  row_collector rows{work.entries.size(), tell};
  auto left = numbers_below(devices);
  auto places = numbers_below(work.entries.size());
  for (std::size_t round = 0; !places.empty(); ++round) {
    auto unjudged =
      judge_side_by_side(deal_out(work, places, left.size(), round), left, judge, rows);
    places.clear();
    for (auto& [place, x] : unjudged)
      if (left.empty())
        rows.put(place, std::move(x));
      else
        places.push_back(place);
    if (!places.empty() && work.warn)
      work.warn(going_on(places.size(), left.size()));
  }
  return rows.take();
}

} // namespace lathe::judging
